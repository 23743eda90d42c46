"""The calls of androidpublisher v3 that the adapter makes, answered from the books."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.stores.google import answers, goods, subscribing
from demo.stores.google.refusals import invalid, refused
from demo.stores.google.till import Till
from demo.stores.messages import Answer, Rejected, Request

VOIDED_DAYS = 30
READABLE_DAYS = 60

Call = Callable[[Till, Request, "re.Match[str]"], Any]
"""What is answered as JSON; None is a success without content."""


def _product(till: Till, request: Request, match: "re.Match[str]") -> Any:
    return answers.product(till.purchase(match[1]))


def _acknowledge_product(till: Till, request: Request, match: "re.Match[str]") -> Any:
    purchase = till.purchase(match[2])
    if match[1] not in {line.product_id for line in purchase.lines}:
        raise invalid("The purchase token does not match the product ID.")
    goods.acknowledge(purchase)


def _consume(till: Till, request: Request, match: "re.Match[str]") -> Any:
    goods.consume(till.purchase(match[2]), match[1])


def _subscription(till: Till, request: Request, match: "re.Match[str]") -> Any:
    found = till.subscription(match[1])
    is_over = found.state in subscribing.ENDED and found.ends_at is not None
    if is_over and found.ends_at and till.now - found.ends_at > timedelta(days=READABLE_DAYS):
        raise refused(
            410,
            "subscriptionPurchaseNoLongerAvailable",
            "The subscription purchase is no longer available for query.",
        )
    return answers.subscription(found)


def _acknowledge_subscription(till: Till, request: Request, match: "re.Match[str]") -> Any:
    found = till.subscription(match[2])
    if found.plan.product_id != match[1] or found.state in {"PENDING", *subscribing.ENDED}:
        raise invalid("The subscription is not in a valid state to be acknowledged.")
    found.is_acknowledged = True


def _cancel(till: Till, request: Request, match: "re.Match[str]") -> Any:
    kind = request.read(dict[str, dict[str, str]]).get("cancellationContext", {})
    asked = kind.get("cancellationType")
    if asked not in {"USER_REQUESTED_STOP_RENEWALS", "DEVELOPER_REQUESTED_STOP_PAYMENTS"}:
        raise invalid("cancellationType")
    by = "user" if asked == "USER_REQUESTED_STOP_RENEWALS" else "developer"
    subscribing.cancel(till, till.subscription(match[1]), by)
    return {}


def _revoke(till: Till, request: Request, match: "re.Match[str]") -> Any:
    context = request.read(dict[str, dict[str, Any]]).get("revocationContext", {})
    if len(context) != 1 or not context.keys() <= {"fullRefund", "proratedRefund"}:
        raise invalid("revocationContext")
    subscribing.revoke(till, till.subscription(match[1]), is_prorated="proratedRefund" in context)
    return {}


def _voided(till: Till, request: Request, match: "re.Match[str]") -> Any:
    page = request.argument("token")
    if page:
        offset, since, until = (int(part) for part in page.split("-"))
    else:
        earliest = till.now - timedelta(days=VOIDED_DAYS)
        offset = 0
        since = int(request.argument("startTime", answers.milliseconds(earliest)))
        until = int(request.argument("endTime", answers.milliseconds(till.now)))
        if not _at(since) >= earliest - timedelta(minutes=1) or _at(until) > till.now:
            raise invalid("The time range is not allowed.")
    orders = till.books.orders
    has_subscriptions = request.argument("type", "0") == "1"
    has_parts = request.argument("includeQuantityBasedPartialRefund", "false") == "true"
    found = [
        entry
        for entry in till.books.voided
        if _at(since) <= entry.at <= _at(until)
        and (has_parts or entry.quantity is None)
        and (has_subscriptions or orders[entry.order_id].lines[0].starts_at is None)
    ]
    end = offset + min(int(request.argument("maxResults", "1000")), 1000)
    following = f"{end}-{since}-{until}" if end < len(found) else ""
    return answers.voided(found[offset:end], following)


def _order(till: Till, request: Request, match: "re.Match[str]") -> Any:
    return answers.order(till.order(match[1]))


def _orders(till: Till, request: Request, match: "re.Match[str]") -> Any:
    ids = request.query.get("orderIds", [])
    if not 0 < len(set(ids)) == len(ids) <= 1000:
        raise invalid("orderIds")
    return {"orders": [answers.order(till.order(one)) for one in ids]}


def _review_refund(till: Till, request: Request, match: "re.Match[str]") -> Any:
    answer = request.read(dict[str, Any])
    question = till.books.questions.get(str(answer.get("pendingRefundToken")))
    is_late = question is not None and till.now - question.asked_at > timedelta(hours=24)
    if question is None or question.order_id != match[1] or is_late:
        raise invalid("There is no such refund to review.")
    question.answer = answer


CALLS: Mapping[tuple[str, str], Call] = {
    ("GET", "/purchases/productsv2/tokens/([^/:]+)"): _product,
    ("POST", "/purchases/products/([^/]+)/tokens/([^/:]+):acknowledge"): _acknowledge_product,
    ("POST", "/purchases/products/([^/]+)/tokens/([^/:]+):consume"): _consume,
    ("GET", "/purchases/subscriptionsv2/tokens/([^/:]+)"): _subscription,
    ("POST", "/purchases/subscriptions/([^/]+)/tokens/([^/:]+):acknowledge"): (
        _acknowledge_subscription
    ),
    ("POST", "/purchases/subscriptionsv2/tokens/([^/:]+):cancel"): _cancel,
    ("POST", "/purchases/subscriptionsv2/tokens/([^/:]+):revoke"): _revoke,
    ("GET", "/purchases/voidedpurchases"): _voided,
    ("GET", "/orders/([^/:]+)"): _order,
    ("GET", "/orders:batchGet"): _orders,
    ("POST", "/orders/([^/:]+):reviewrefund"): _review_refund,
}


def authorised(till: Till, request: Request) -> None:
    """Raises Rejected unless the request has a token that was given out."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or token not in till.books.access_tokens:
        raise refused(401, "authError", "Request had invalid authentication credentials.")


def answered(call: Call, till: Till, request: Request, match: "re.Match[str]") -> Answer:
    """A call's answer."""
    try:
        value = call(till, request, match)
    except (ValueError, OverflowError) as error:
        raise invalid("Invalid Value") from error
    except Rejected as rejected:
        if b'"errors"' in rejected.answer.body:
            raise
        raise invalid("Invalid JSON payload received.") from rejected
    return Answer(status=204) if value is None else Answer.of(value)


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
