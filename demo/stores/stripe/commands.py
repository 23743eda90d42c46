"""What a demonstration or a test has the store's other side do, each a `POST /_commands/<name>` with JSON.

Answered with the object that it was about.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from demo.stores.messages import Request
from demo.stores.stripe import checkouts, payments, subscriptions
from demo.stores.stripe.account import Account, token
from demo.stores.stripe.forms import MakeRefund
from demo.stores.stripe.shapes import Body


class Command(msgspec.Struct, forbid_unknown_fields=True):
    """What it is about: one of these is named."""

    session: str = ""
    payment_intent: str = ""
    subscription: str = ""
    invoice: str = ""
    refund: str = ""
    dispute: str = ""
    amount: int | None = None
    slowly: bool = False
    succeeds: bool = True
    at_period_end: bool = True
    behavior: Literal["keep_as_draft", "mark_uncollectible", "void"] = "void"
    inquiry: bool = False
    won: bool = False
    price: str = ""


class Price(msgspec.Struct, forbid_unknown_fields=True):
    """A price to set up. `interval` makes it recurring."""

    name: str
    unit_amount: int
    currency: str
    interval: Literal["day", "week", "month", "year"] | None = None
    interval_count: int = 1


def pay(account: Account, asked: Command) -> Body:
    """The buyer pays a checkout or an embedded payment, at once or `slowly`."""
    if asked.session:
        session = account.find("checkout.session", asked.session)
        checkouts.pay(account, session, slowly=asked.slowly)
        return session
    intent = account.find("payment_intent", asked.payment_intent)
    (payments.process if asked.slowly else payments.succeed)(account, intent)
    return intent


def decline(account: Account, asked: Command) -> Body:
    """The buyer's card is declined."""
    if asked.session:
        session = account.find("checkout.session", asked.session)
        checkouts.decline(account, session)
        return session
    intent = account.find("payment_intent", asked.payment_intent)
    payments.fail(account, intent)
    return intent


def settle(account: Account, asked: Command) -> Body:
    """A slow payment arrives, or does not."""
    intent = account.find("payment_intent", asked.payment_intent)
    checkouts.settle(account, intent, succeeds=asked.succeeds)
    return intent


def expire(account: Account, asked: Command) -> Body:
    """Nobody pays a checkout in time."""
    session = account.find("checkout.session", asked.session)
    checkouts.expire(account, session)
    return session


def fail_renewals(account: Account, asked: Command) -> Body:
    """Payments of a subscription are declined from now on."""
    subscription = account.find("subscription", asked.subscription)
    account.state.failing.add(subscription["id"])
    return subscription


def recover(account: Account, asked: Command) -> Body:
    """They are not any more, and what is open is paid."""
    subscription = account.find("subscription", asked.subscription)
    account.state.failing.discard(subscription["id"])
    subscriptions.collect_again(account, subscription)
    return subscription


def cancel(account: Account, asked: Command) -> Body:
    """A subscription ends with its period, or now."""
    subscription = account.find("subscription", asked.subscription)
    subscriptions.cancel(account, subscription, at_period_end=asked.at_period_end)
    return subscription


def pause(account: Account, asked: Command) -> Body:
    """Nothing is collected for a while."""
    subscription = account.find("subscription", asked.subscription)
    subscriptions.pause(account, subscription, asked.behavior)
    return subscription


def resume(account: Account, asked: Command) -> Body:
    """It renews, and is collected for, as before."""
    subscription = account.find("subscription", asked.subscription)
    subscriptions.resume(account, subscription)
    return subscription


def change(account: Account, asked: Command) -> Body:
    """Another plan, paid for at once. The invoice."""
    subscription = account.find("subscription", asked.subscription)
    return subscriptions.change(account, subscription, account.find("price", asked.price))


def refund(account: Account, asked: Command) -> Body:
    """An operator gives back, in Stripe's dashboard, part of a payment or all that is left."""
    payment = asked.payment_intent
    for link in account.every("invoice_payment"):
        if asked.invoice and link["invoice"] == asked.invoice:
            payment = link["payment"]["payment_intent"]
    return payments.refund(account, MakeRefund(payment_intent=payment, amount=asked.amount))


def fail_refund(account: Account, asked: Command) -> Body:
    """A refund comes back from the buyer's bank."""
    made = account.find("refund", asked.refund)
    payments.fail_refund(account, made)
    return made


def dispute(account: Account, asked: Command) -> Body:
    """The buyer's bank takes a payment back, or only asks."""
    intent = account.find("payment_intent", asked.payment_intent)
    return payments.dispute(account, intent, amount=asked.amount, inquiry=asked.inquiry)


def close_dispute(account: Account, asked: Command) -> Body:
    """The bank has decided."""
    made = account.find("dispute", asked.dispute)
    payments.close_dispute(account, made, won=asked.won)
    return made


def set_price(account: Account, request: Request) -> Body:
    """A price that is set up beforehand."""
    asked = request.read(Price)
    return checkouts.set_price(
        account,
        name=asked.name,
        unit_amount=asked.unit_amount,
        currency=asked.currency,
        recurring=checkouts.every(asked.interval, asked.interval_count) if asked.interval else None,
    )


def roll_secret(account: Account, request: Request) -> Body:
    """A new webhook secret; whatever is sent from now on is signed with both."""
    account.state.webhook_secrets = [f"whsec_{token(32)}", account.state.webhook_secrets[0]]
    return {"webhook_secrets": account.state.webhook_secrets}


class Endpoint(msgspec.Struct, forbid_unknown_fields=True):
    url: str


def set_webhook(account: Account, request: Request) -> Body:
    """Where events go from now on, "" for nowhere."""
    account.state.webhook_url = request.read(Endpoint).url
    return {"url": account.state.webhook_url}


def _about(act: Callable[[Account, Command], Body]) -> Callable[[Account, Request], Body]:
    return lambda account, request: act(account, request.read(Command))


BY_NAME: Mapping[str, Callable[[Account, Request], Body]] = {
    **{
        act.__name__: _about(act)
        for act in (
            pay,
            decline,
            settle,
            expire,
            fail_renewals,
            recover,
            cancel,
            pause,
            resume,
            change,
            refund,
            fail_refund,
            dispute,
            close_dispute,
        )
    },
    "set_price": set_price,
    "roll_secret": roll_secret,
    "set_webhook": set_webhook,
}
