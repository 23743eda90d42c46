"""The calls of androidpublisher v3 that are made here, each asked once.

Documentation: Google Play Developer API; the contract is its discovery document, revision 20261026.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from payments.providers.base import Fault, ProviderError
from payments.providers.google.credentials import AccessTokens
from payments.providers.google.names import checked_order, checked_product, token_of
from payments.providers.google.resources import (
    Order,
    Orders,
    ProductPurchase,
    SubscriptionPurchase,
    VoidedPurchase,
    VoidedPurchases,
    decoded,
    unreadable,
)
from payments.providers.google.settings import GoogleSettings
from payments.providers.google.transport import Answer, Transport, retry_after_seconds

#: Google's bound for one orders:batchGet.
MAXIMUM_ORDERS = 1000
VOIDED_A_PAGE = 1000
MAXIMUM_PAGES = 1000

#: What Google refuses about us and not about what was asked: an operator has to see to it, and then it will do.
_OURS = frozenset(
    {
        *("applicationNotFound", "permissionDenied", "projectNotLinked", "accessNotConfigured"),
        *("rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"),
    }
)
_FAULTS = {400: Fault.MALFORMED, 404: Fault.GONE, 410: Fault.GONE}
_OF_ANOTHER_APP = "purchaseTokenDoesNotMatchPackageName"


class _Detail(msgspec.Struct):
    reason: str = ""


class _Error(msgspec.Struct):
    message: str = ""
    status: str = ""
    errors: tuple[_Detail, ...] = ()


class _Refusal(msgspec.Struct):
    error: _Error


class AndroidPublisher:
    """One app's purchases, as Google has them. Every call raises ProviderError:

    GONE for what Google does not know or no longer, MALFORMED for what it does not take, FOREIGN for a token of
    another app, UNAVAILABLE for all else, our own credentials and quotas among it.
    """

    def __init__(self, settings: GoogleSettings, transport: Transport) -> None:
        self._root = (
            f"{settings.api_url}/androidpublisher/v3/applications/{quote(settings.package_name)}"
        )
        self._transport = transport
        self._tokens = AccessTokens(settings, transport)

    def product(self, token: str) -> ProductPurchase:
        """purchases.productsv2.getproductpurchasev2."""
        return decoded(
            self._get(f"/purchases/productsv2/tokens/{token_of(token)}"), ProductPurchase
        )

    def acknowledge_product(self, product_id: str, token: str) -> None:
        """purchases.products.acknowledge."""
        self._post(f"{_product(product_id, token)}:acknowledge", {})

    def consume_product(self, product_id: str, token: str) -> None:
        """purchases.products.consume, which acknowledges, too."""
        self._post(f"{_product(product_id, token)}:consume")

    def subscription(self, token: str) -> SubscriptionPurchase:
        """purchases.subscriptionsv2.get."""
        return decoded(self._get(_subscription(token)), SubscriptionPurchase)

    def acknowledge_subscription(self, product_id: str, token: str) -> None:
        """purchases.subscriptions.acknowledge, whose path is of v1 for every subscription."""
        checked = checked_product(product_id)
        self._post(f"/purchases/subscriptions/{checked}/tokens/{token_of(token)}:acknowledge", {})

    def cancel_subscription(self, token: str, *, as_asked_by_viewer: bool) -> None:
        """purchases.subscriptionsv2.cancel: it runs to its end. Only what a viewer asked for can be restored."""
        kind = "USER_REQUESTED_STOP_RENEWALS"
        if not as_asked_by_viewer:
            kind = "DEVELOPER_REQUESTED_STOP_PAYMENTS"
        context = {"cancellationContext": {"cancellationType": kind}}
        self._post(f"{_subscription(token)}:cancel", context)

    def revoke_subscription(self, token: str, *, prorated: bool) -> None:
        """purchases.subscriptionsv2.revoke: it ends now, and the last payment goes back, or what is left of it."""
        refund = "proratedRefund" if prorated else "fullRefund"
        self._post(f"{_subscription(token)}:revoke", {"revocationContext": {refund: {}}})

    def order(self, order_id: str) -> Order:
        """orders.get: the only place where Google says what was paid."""
        order = decoded(self._get(f"/orders/{checked_order(order_id)}"), Order)
        if order.order_id != order_id:
            raise unreadable("another order than the one asked for")
        return order

    def orders(self, order_ids: Sequence[str]) -> tuple[Order, ...]:
        """orders.batchGet, of as many as are asked. Fails for all if one is not known."""
        found: list[Order] = []
        for start in range(0, len(order_ids), MAXIMUM_ORDERS):
            asked = order_ids[start : start + MAXIMUM_ORDERS]
            params = [("orderIds", checked_order(order_id)) for order_id in asked]
            found += decoded(self._get("/orders:batchGet", params), Orders).orders
        return tuple(found)

    def voided(self, *, since: datetime, until: datetime | None) -> Iterator[VoidedPurchase]:
        """purchases.voidedpurchases.list of products and subscriptions, whole and in part, page by page.

        By when Google saw it, and 30 days back at most. `until` is not later than now; None is now.
        """
        params = [
            ("type", "1"),
            ("includeQuantityBasedPartialRefund", "true"),
            ("maxResults", str(VOIDED_A_PAGE)),
            ("startTime", _milliseconds(since)),
        ]
        if until is not None:
            params.append(("endTime", _milliseconds(until)))
        seen = {""}
        page = ""
        for _ in range(MAXIMUM_PAGES):
            asked = [*params, ("token", page)] if page else params
            answer = decoded(self._get("/purchases/voidedpurchases", asked), VoidedPurchases)
            yield from answer.voided_purchases
            page = answer.token_pagination.next_page_token if answer.token_pagination else ""
            if not page:
                return
            if page in seen:
                break
            seen.add(page)
        raise unreadable("pages of voided purchases without end")

    def review_refund(
        self,
        order_id: str,
        *,
        pending_refund_token: str,
        preference: str,
        sample_content_provided: bool,
        consumption_percentage_milliunits: int | None,
    ) -> None:
        """orders.reviewrefund: what we know of what Google is asked to refund, within 24 hours of the question."""
        body: dict[str, Any] = {
            "pendingRefundToken": pending_refund_token,
            "refundPreference": preference,
            "sampleContentProvided": sample_content_provided,
        }
        if consumption_percentage_milliunits is not None:
            body["consumptionPercentageMilliunits"] = consumption_percentage_milliunits
        self._post(f"/orders/{checked_order(order_id)}:reviewrefund", body)

    def _get(self, path: str, params: Sequence[tuple[str, str]] = ()) -> bytes:
        answer = self._asked("GET", path, params=params)
        if answer.status != 200:
            raise _fault(answer)
        return answer.body

    def _post(self, path: str, body: dict[str, Any] | None = None) -> None:
        content = b"" if body is None else msgspec.json.encode(body)
        answer = self._asked("POST", path, body=content)
        # A success has no content, or an empty object; what else says 200 is not Google.
        if answer.status not in {200, 204} or answer.body.strip().startswith(b"<"):
            raise _fault(answer)

    def _asked(self, method: str, path: str, **what: Any) -> Answer:
        """Google's answer; a token that it does not take is renewed, and what was asked sent once more."""
        answer = Answer(0, {}, b"")
        for _ in range(2):
            token = self._tokens.current()
            headers = {"Authorization": f"Bearer {token}"}
            if method == "POST":
                headers["Content-Type"] = "application/json"
            answer = self._transport.send(method, self._root + path, headers=headers, **what)
            if answer.status != 401:
                break
            self._tokens.forget(token)
        return answer


def _product(product_id: str, token: str) -> str:
    return f"/purchases/products/{checked_product(product_id)}/tokens/{token_of(token)}"


def _subscription(token: str) -> str:
    return f"/purchases/subscriptionsv2/tokens/{token_of(token)}"


def _milliseconds(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))


def _fault(answer: Answer) -> ProviderError:
    """What an answer that is no success means. Only Google's own refusal says anything of a purchase."""
    try:
        refused = msgspec.json.decode(answer.body, type=_Refusal, strict=False).error
    except (ValueError, RecursionError):
        refused = None
    fault, why = Fault.UNAVAILABLE, ""
    if refused is not None:
        reasons = {detail.reason for detail in refused.errors} | {refused.status}
        why = f": {refused.message:.200}"
        if not reasons & _OURS:
            fault = _FAULTS.get(answer.status, Fault.UNAVAILABLE)
        if fault is not Fault.UNAVAILABLE and _OF_ANOTHER_APP in reasons:
            fault = Fault.FOREIGN
    return ProviderError(
        f"Google Play answered {answer.status}{why}",
        fault,
        retry_after_seconds=retry_after_seconds(answer),
    )
