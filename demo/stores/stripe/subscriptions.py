"""Subscriptions: each period a bill, and a payment that is tried again when it is declined."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.stores.stripe import payments
from demo.stores.stripe.account import Account
from demo.stores.stripe.forms import refused
from demo.stores.stripe.shapes import Body, body, listed

#: After the first attempt; then Stripe gives up and cancels.
RETRIES_DAYS = (3, 5, 7)
_ENDED = {"canceled", "incomplete_expired"}


def begin(
    account: Account,
    *,
    price: Body,
    quantity: int,
    customer: str,
    metadata: dict[str, str],
    trial_days: int,
) -> Body:
    """A subscription whose first period is paid, or on trial."""
    start = account.now
    end = start + trial_days * 86_400 if trial_days else _after(start, price["recurring"])
    made = account.add(
        "subscription",
        "sub",
        billing_cycle_anchor=end if trial_days else start,
        billing_mode={"type": "classic", "flexible": {}},
        collection_method="charge_automatically",
        currency=price["currency"],
        customer=customer,
        metadata=metadata,
        start_date=start,
        status="trialing" if trial_days else "active",
        trial_start=start if trial_days else None,
        trial_end=end if trial_days else None,
    )
    item = account.add(
        "subscription_item",
        "si",
        current_period_end=end,
        current_period_start=start,
        metadata={},
        price=price,
        quantity=quantity,
        subscription=made["id"],
    )
    made["items"] = listed([item], f"/v1/subscription_items?subscription={made['id']}")
    account.tell("customer.subscription.created", made)
    amount = 0 if trial_days else price["unit_amount"] * quantity
    lines = [_line(account, made, amount=amount, start=start, end=end)]
    _collect(account, made, _bill(account, made, lines, reason="subscription_create"))
    return made


def item_of(subscription: Body) -> Body:
    """The one thing that is subscribed to."""
    found: Body = subscription["items"]["data"][0]
    return found


def tick(account: Account) -> None:
    """Everything that time brings: renewals, ends, and payments that are tried again."""
    until = account.now
    for subscription in account.every("subscription"):
        while _step(account, subscription, until):
            pass
    account.now = until


def cancel(account: Account, subscription: Body, *, at_period_end: bool) -> None:
    """Does not renew, or ends now."""
    if subscription["status"] in _ENDED:
        raise refused("A canceled subscription can only update its metadata.")
    subscription["canceled_at"] = account.now
    subscription["cancellation_details"] = {
        "comment": None,
        "feedback": None,
        "reason": "cancellation_requested",
    }
    if not at_period_end:
        _end(account, subscription)
        return
    subscription["cancel_at_period_end"] = True
    subscription["cancel_at"] = item_of(subscription)["current_period_end"]
    account.tell("customer.subscription.updated", subscription)


def resume(account: Account, subscription: Body) -> None:
    """Renews after all, and is collected for again."""
    if subscription["status"] in _ENDED:
        raise refused("A canceled subscription can only update its metadata.")
    subscription.update(
        cancel_at_period_end=False, cancel_at=None, canceled_at=None, pause_collection=None
    )
    account.tell("customer.subscription.updated", subscription)


def pause(account: Account, subscription: Body, behavior: str) -> None:
    """Nothing is collected until it is resumed."""
    subscription["pause_collection"] = {"behavior": behavior, "resumes_at": None}
    account.tell("customer.subscription.updated", subscription)


def change(account: Account, subscription: Body, price: Body) -> Body:
    """Another plan from now on, paid for the rest of the period at once. One that renews at other intervals begins a
    period of its own. The invoice."""
    item, now = item_of(subscription), account.now
    start, end = item["current_period_start"], item["current_period_end"]
    left, whole = end - now, end - start
    credit = item["price"]["unit_amount"] * item["quantity"] * left // whole
    credited = _line(account, subscription, amount=-credit, start=now, end=end, proration=True)
    debit = price["unit_amount"] * item["quantity"]
    begins_anew = _every(price) != _every(item["price"])
    item["price"] = price
    if begins_anew:
        end = _after(now, price["recurring"])
        item.update(current_period_start=now, current_period_end=end)
        subscription["billing_cycle_anchor"] = now
        added = _line(account, subscription, amount=debit, start=now, end=end)
    else:
        debit = debit * left // whole
        added = _line(account, subscription, amount=debit, start=now, end=end, proration=True)
    invoice = _bill(account, subscription, [credited, added], reason="subscription_update")
    account.tell("customer.subscription.updated", subscription)
    _collect(account, subscription, invoice)
    return invoice


def collect_again(account: Account, subscription: Body) -> None:
    """Tries the open invoice's payment, which `failing` decides."""
    invoice = account.find("invoice", subscription["latest_invoice"])
    if invoice["status"] != "open":
        raise refused("Invoice is already paid")
    _collect(account, subscription, invoice)


def _step(account: Account, subscription: Body, until: int) -> bool:
    """The next thing that is due by then, if any is, at its own time."""
    if subscription["status"] in _ENDED:
        return False
    invoice = account.find("invoice", subscription["latest_invoice"])
    attempt = invoice["next_payment_attempt"]
    period_end = item_of(subscription)["current_period_end"]
    account.now = period_end if attempt is None else min(attempt, period_end)
    if account.now > until:
        return False
    if account.now == attempt:
        _collect(account, subscription, invoice)
    elif subscription["cancel_at_period_end"]:
        _end(account, subscription)
    else:
        _renew(account, subscription)
    return True


def _renew(account: Account, subscription: Body) -> None:
    item = item_of(subscription)
    start = item["current_period_end"]
    end = _after(start, item["price"]["recurring"])
    item.update(current_period_start=start, current_period_end=end)
    if subscription["status"] == "trialing":
        subscription["status"] = "active"
    amount = item["price"]["unit_amount"] * item["quantity"]
    line = _line(account, subscription, amount=amount, start=start, end=end)
    invoice = _bill(account, subscription, [line], reason="subscription_cycle")
    account.tell("customer.subscription.updated", subscription)
    pause = subscription["pause_collection"]
    if not pause:
        _collect(account, subscription, invoice)
        return
    invoice["status"] = {
        "keep_as_draft": "draft",
        "mark_uncollectible": "uncollectible",
        "void": "void",
    }[pause["behavior"]]
    if pause["behavior"] != "keep_as_draft":
        told = "voided" if pause["behavior"] == "void" else "marked_uncollectible"
        account.tell(f"invoice.{told}", invoice)


def _end(account: Account, subscription: Body) -> None:
    subscription.update(status="canceled", ended_at=account.now)
    account.tell("customer.subscription.deleted", subscription)


def _bill(account: Account, subscription: Body, lines: list[Body], *, reason: str) -> Body:
    """What a customer's balance is below nothing is theirs: it pays bills before they do, and bills below nothing
    add to it."""
    total = sum(line["amount"] for line in lines)
    customer = account.find("customer", subscription["customer"])
    owed = customer["balance"]
    due = max(total + owed, 0)
    customer["balance"] = min(total + owed, 0)
    invoice = account.add(
        "invoice",
        "in",
        amount_due=due,
        amount_overpaid=0,
        amount_paid=0,
        amount_remaining=due,
        starting_balance=owed,
        ending_balance=customer["balance"],
        attempt_count=0,
        billing_reason=reason,
        collection_method="charge_automatically",
        currency=subscription["currency"],
        customer=subscription["customer"],
        metadata={},
        parent={
            "quote_details": None,
            "subscription_details": {
                "metadata": dict(subscription["metadata"]),
                "subscription": subscription["id"],
            },
            "type": "subscription_details",
        },
        period_end=account.now,
        period_start=account.now,
        status="open",
        status_transitions={
            "finalized_at": account.now,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        subtotal=total,
        total=total,
    )
    invoice["lines"] = listed(
        [line | {"invoice": invoice["id"]} for line in lines], f"/v1/invoices/{invoice['id']}/lines"
    )
    subscription["latest_invoice"] = invoice["id"]
    account.tell("invoice.created", invoice)
    account.tell("invoice.finalized", invoice)
    return invoice


def _collect(account: Account, subscription: Body, invoice: Body) -> None:
    """One attempt at an invoice. An invoice of nothing is paid without."""
    invoice.update(attempted=True, attempt_count=invoice["attempt_count"] + 1)
    invoice["next_payment_attempt"] = None
    if invoice["amount_due"]:
        intent = _payment_of(account, invoice)
        if subscription["id"] in account.state.failing:
            payments.fail(account, intent)
            _postpone(account, subscription, invoice)
            return
        payments.succeed(account, intent)
    invoice.update(status="paid", amount_paid=invoice["amount_due"], amount_remaining=0)
    invoice["status_transitions"]["paid_at"] = account.now
    for payment in account.every("invoice_payment"):
        if payment["invoice"] == invoice["id"]:
            payment.update(status="paid", amount_paid=invoice["amount_paid"])
            account.tell("invoice_payment.paid", payment)
    account.tell("invoice.paid", invoice)
    account.tell("invoice.payment_succeeded", invoice)
    if subscription["status"] in {"past_due", "incomplete"}:
        subscription["status"] = "active"
        account.tell("customer.subscription.updated", subscription)


def _postpone(account: Account, subscription: Body, invoice: Body) -> None:
    attempts = invoice["attempt_count"]
    if attempts <= len(RETRIES_DAYS):
        wait = timedelta(days=RETRIES_DAYS[attempts - 1])
        invoice["next_payment_attempt"] = account.now + int(wait.total_seconds())
    account.tell("invoice.payment_failed", invoice)
    if attempts > len(RETRIES_DAYS):
        subscription["cancellation_details"] = {
            "comment": None,
            "feedback": None,
            "reason": "payment_failed",
        }
        _end(account, subscription)
    elif subscription["status"] != "past_due":
        subscription["status"] = "past_due"
        account.tell("customer.subscription.updated", subscription)


def _payment_of(account: Account, invoice: Body) -> Body:
    """The invoice's payment, which is one through all attempts."""
    for payment in account.every("invoice_payment"):
        if payment["invoice"] == invoice["id"]:
            return account.find("payment_intent", payment["payment"]["payment_intent"])
    intent = payments.create(
        account,
        amount=invoice["amount_due"],
        currency=invoice["currency"],
        customer=invoice["customer"],
        description="Subscription",
    )
    account.add(
        "invoice_payment",
        "inpay",
        amount_requested=invoice["amount_due"],
        currency=invoice["currency"],
        invoice=invoice["id"],
        is_default=True,
        payment={"payment_intent": intent["id"], "type": "payment_intent"},
        status="open",
        status_transitions={"canceled_at": None, "paid_at": None},
    )
    return intent


def _line(
    account: Account,
    subscription: Body,
    *,
    amount: int,
    start: int,
    end: int,
    proration: bool = False,
) -> Body:
    item = item_of(subscription)
    details: dict[str, Any] = {
        "invoice_item": None,
        "proration": proration,
        "proration_details": {"credited_items": None},
        "subscription": subscription["id"],
        "subscription_item": item["id"],
    }
    return body(
        "line_item",
        id=f"il_{account.now}_{abs(amount)}_{int(amount < 0)}",
        amount=amount,
        currency=subscription["currency"],
        discountable=not proration,
        metadata=dict(subscription["metadata"]),
        parent={
            "invoice_item_details": None,
            "subscription_item_details": details,
            "type": "subscription_item_details",
        },
        period={"end": end, "start": start},
        pricing={
            "price_details": {"price": item["price"]["id"], "product": item["price"]["product"]},
            "type": "price_details",
            "unit_amount_decimal": str(item["price"]["unit_amount"]),
        },
        quantity=item["quantity"],
        subscription=subscription["id"],
        subtotal=amount,
    )


def _every(price: Body) -> tuple[str, int]:
    return price["recurring"]["interval"], price["recurring"]["interval_count"]


def _after(start: int, recurring: Body) -> int:
    """The same day of a later month, or its last."""
    at = datetime.fromtimestamp(start, UTC)
    count = recurring["interval_count"]
    if recurring["interval"] in {"day", "week"}:
        days = count * (7 if recurring["interval"] == "week" else 1)
        return int((at + timedelta(days=days)).timestamp())
    months = at.month - 1 + count * (12 if recurring["interval"] == "year" else 1)
    year, month = at.year + months // 12, months % 12 + 1
    day = min(at.day, monthrange(year, month)[1])
    return int(at.replace(year=year, month=month, day=day).timestamp())
