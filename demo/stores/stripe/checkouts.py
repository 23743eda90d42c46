"""Hosted checkouts, from the link to what the buyer does on its page."""

from demo.stores.stripe import payments, subscriptions
from demo.stores.stripe.account import Account, token
from demo.stores.stripe.forms import LineItem, OpenCheckout, OpenPortal, refused
from demo.stores.stripe.shapes import Body

_SHORTEST_SECONDS, _LONGEST_SECONDS = 30 * 60, 24 * 3600


def create(account: Account, asked: OpenCheckout, *, address: str) -> Body:
    """A page of `address` on which one thing is paid."""
    expires_at = asked.expires_at or account.now + _LONGEST_SECONDS
    _check(account, asked, expires_at)
    price = _price(account, asked.line_items[0])
    quantity = asked.line_items[0].quantity
    trial_days = asked.subscription_data.trial_period_days if asked.subscription_data else 0
    amount = 0 if trial_days else price["unit_amount"] * quantity
    made = account.add(
        "checkout.session",
        f"cs_{account.state.mode}",
        adaptive_pricing={
            "enabled": asked.adaptive_pricing is None or asked.adaptive_pricing.enabled
        },
        amount_subtotal=amount,
        amount_total=amount,
        cancel_url=asked.cancel_url or None,
        client_reference_id=asked.client_reference_id,
        currency=price["currency"],
        customer=asked.customer,
        expires_at=expires_at,
        metadata=asked.metadata,
        mode=asked.mode,
        payment_method_types=["card"],
        payment_status="no_payment_required" if trial_days else "unpaid",
        status="open",
        success_url=asked.success_url,
        ui_mode="hosted_page",
    )
    made["url"] = f"{address}/checkout/{made['id']}"
    written = asked.payment_intent_data or asked.subscription_data
    account.state.carts[made["id"]] = {
        "price": price,
        "quantity": quantity,
        "metadata": written.metadata if written else {},
        "trial_days": trial_days,
    }
    return made


def pay(account: Account, session: Body, *, slowly: bool = False) -> None:
    """The buyer paid, or began to by a method that takes days."""
    _check_open(account, session)
    session["status"] = "complete"
    cart = account.state.carts[session["id"]]
    if session["mode"] == "subscription":
        session["customer"] = session["customer"] or _customer(account)
        subscription = subscriptions.begin(
            account,
            price=cart["price"],
            quantity=cart["quantity"],
            customer=session["customer"],
            metadata=cart["metadata"],
            trial_days=cart["trial_days"],
        )
        session["subscription"] = subscription["id"]
        session["invoice"] = subscription["latest_invoice"]
    elif slowly:
        payments.process(account, _payment(account, session))
    else:
        payments.succeed(account, _payment(account, session))
    if session["payment_status"] == "unpaid" and not slowly:
        session["payment_status"] = "paid"
    account.tell("checkout.session.completed", session)


def decline(account: Account, session: Body) -> None:
    """The buyer's card was declined; they may try again."""
    _check_open(account, session)
    if session["mode"] == "payment":
        payments.fail(account, _payment(account, session))


def settle(account: Account, intent: Body, *, succeeds: bool) -> None:
    """What became of a slow payment, of a checkout or not."""
    if intent["status"] != "processing":
        raise refused("This PaymentIntent is not processing.")
    if succeeds:
        payments.succeed(account, intent)
    else:
        payments.fail(account, intent)
    for session in account.every("checkout.session"):
        if session["payment_intent"] == intent["id"]:
            session["payment_status"] = "paid" if succeeds else "unpaid"
            outcome = "succeeded" if succeeds else "failed"
            account.tell(f"checkout.session.async_payment_{outcome}", session)


def expire(account: Account, session: Body) -> None:
    """Nobody paid in time."""
    if session["status"] != "open":
        raise refused('Only Checkout Sessions with a status in ["open"] can be expired.')
    session.update(status="expired", url=None)
    if session["payment_intent"]:
        payments.cancel(account, account.find("payment_intent", session["payment_intent"]))
    account.tell("checkout.session.expired", session)


def tick(account: Account) -> None:
    """Lets go of what nobody paid in time."""
    for session in account.every("checkout.session"):
        if session["status"] == "open" and session["expires_at"] <= account.now:
            expire(account, session)


def open_portal(account: Account, asked: OpenPortal, *, address: str) -> Body:
    """A page of `address` on which a customer cancels."""
    account.find("customer", asked.customer)
    made = account.add(
        "billing_portal.session",
        "bps",
        configuration=asked.configuration or "bpc_default",
        customer=asked.customer,
        return_url=asked.return_url or None,
    )
    made["url"] = f"{address}/portal/{made['id']}"
    return made


def set_price(
    account: Account, *, name: str, unit_amount: int, currency: str, recurring: Body | None
) -> Body:
    """A price that is set up, of a product of its own."""
    product = account.add("product", "prod", active=True, metadata={}, name=name, type="service")
    return account.add(
        "price",
        "price",
        active=True,
        billing_scheme="per_unit",
        currency=currency.lower(),
        metadata={},
        product=product["id"],
        recurring=recurring,
        tax_behavior="unspecified",
        type="recurring" if recurring else "one_time",
        unit_amount=unit_amount,
        unit_amount_decimal=str(unit_amount),
    )


def every(interval: str, count: int) -> Body:
    """How often a price recurs."""
    return {
        "interval": interval,
        "interval_count": count,
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def _check(account: Account, asked: OpenCheckout, expires_at: int) -> None:
    if len(asked.line_items) != 1:
        raise refused("line_items: this account sells one thing at a time")
    line = asked.line_items[0]
    if (line.price_data is None) == (not line.price):
        raise refused("line_items[0]: one of `price` and `price_data` is needed")
    recurring = (
        line.price_data.recurring
        if line.price_data
        else account.find("price", line.price)["recurring"]
    )
    if (asked.mode == "subscription") != (recurring is not None):
        raise refused("`mode` does not go with the type of the price")
    if asked.mode == "payment" and asked.subscription_data:
        raise refused("You can not pass `subscription_data` in `payment` mode.")
    if asked.mode == "subscription" and asked.payment_intent_data:
        raise refused("You can not pass `payment_intent_data` in `subscription` mode.")
    if not _SHORTEST_SECONDS <= expires_at - account.now <= _LONGEST_SECONDS:
        raise refused("The `expires_at` timestamp must be 30 minutes to 24 hours ahead.")
    if asked.customer:
        account.find("customer", asked.customer)


def _price(account: Account, line: LineItem) -> Body:
    if line.price_data is None:
        return account.find("price", line.price)
    recurring = line.price_data.recurring
    return set_price(
        account,
        name=line.price_data.product_data.name,
        unit_amount=line.price_data.unit_amount,
        currency=line.price_data.currency,
        recurring=every(recurring.interval, recurring.interval_count) if recurring else None,
    )


def _payment(account: Account, session: Body) -> Body:
    """The session's payment, which there is from the first attempt on."""
    if session["payment_intent"]:
        return account.find("payment_intent", session["payment_intent"])
    made = payments.create(
        account,
        amount=session["amount_total"],
        currency=session["currency"],
        customer=session["customer"],
        metadata=dict(account.state.carts[session["id"]]["metadata"]),
    )
    session["payment_intent"] = made["id"]
    return made


def _customer(account: Account) -> str:
    made = account.add(
        "customer",
        "cus",
        balance=0,
        email=f"buyer-{token(6).lower()}@example.com",
        metadata={},
        tax_exempt="none",
    )
    account.tell("customer.created", made)
    customer_id: str = made["id"]
    return customer_id


def _check_open(account: Account, session: Body) -> None:
    if session["status"] != "open" or session["expires_at"] <= account.now:
        raise refused("This Checkout Session is not open.")
