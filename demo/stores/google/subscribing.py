"""The lives of subscriptions: what happens by itself as time goes on, and what somebody does."""

from datetime import datetime, timedelta

import msgspec

from demo.stores.google.books import OrderLine, Plan, Subscription
from demo.stores.google.refusals import invalid
from demo.stores.google.till import (
    CANCELED,
    EXPIRED,
    GOOGLE,
    IN_GRACE,
    ITEMS_CHANGED,
    ON_HOLD,
    PAUSE_SCHEDULED,
    PAUSED,
    PENDING_CANCELED,
    PURCHASED,
    RECOVERED,
    RENEWED,
    RESTARTED,
    REVOKED,
    UNACKNOWLEDGED,
    USER,
    Till,
    new_order_id,
    new_token,
)
from demo.stores.google.till import SUBSCRIPTION as OF_SUBSCRIPTION

ACKNOWLEDGE_WITHIN = timedelta(days=3)
ENDED = frozenset({"EXPIRED", "PENDING_PURCHASE_CANCELED"})


class Signup(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Somebody subscribes. With `replaces`, in place of a subscription that they have: whole, or `is_prorated`
    (Google's CHARGE_PRORATED_PRICE)."""

    plan: Plan
    account: str = ""
    profile: str = ""
    is_test: bool = False
    is_pending: bool = False
    replaces: str = ""
    is_prorated: bool = False


def subscribe(till: Till, signup: Signup) -> Subscription:
    """Pending, or paid at once. What it replaces ends when it is paid."""
    subscription = Subscription(
        token=new_token(),
        plan=signup.plan,
        account=signup.account,
        profile=signup.profile,
        is_test=signup.is_test,
        state="PENDING",
        first_order_id=new_order_id(),
        replaces=till.subscription(signup.replaces).token if signup.replaces else "",
        is_prorated=signup.is_prorated,
    )
    till.books.subscriptions[subscription.token] = subscription
    if not signup.is_pending:
        complete(till, subscription)
    return subscription


def complete(till: Till, subscription: Subscription) -> None:
    """The first payment is there."""
    _require(subscription, "PENDING")
    subscription.started_at = till.now
    trial = timedelta(days=subscription.plan.trial_days)
    if subscription.is_prorated:
        _pay_the_difference(till, subscription)
    else:
        _pay(till, subscription, trial or None)
    till.tell_of_subscription(subscription, PURCHASED)
    if subscription.replaces:
        replaced = till.subscription(subscription.replaces)
        if replaced.state not in ENDED:
            _end(till, replaced, "replacement", tell_cancelled=False)


def never_pay(till: Till, subscription: Subscription) -> None:
    """What was pending is never paid. What it was to replace goes on."""
    _require(subscription, "PENDING")
    subscription.state = "PENDING_PURCHASE_CANCELED"
    till.tell_of_subscription(subscription, PENDING_CANCELED)


def renew(till: Till, subscription: Subscription) -> None:
    """Paid for another period, which follows on the last."""
    _require(subscription, "ACTIVE", "IN_GRACE_PERIOD")
    if not subscription.renews:
        raise invalid("the subscription does not renew")
    _pay(till, subscription)
    till.tell_of_subscription(subscription, RENEWED)


def grace(till: Till, subscription: Subscription) -> None:
    """The renewal is declined, and the viewer let in for a while."""
    _require(subscription, "ACTIVE")
    subscription.state = "IN_GRACE_PERIOD"
    subscription.declines = True
    subscription.latest_order_id = _next_order_id(subscription)
    ends_at = max(till.now, subscription.ends_at or till.now)
    subscription.ends_at = ends_at + timedelta(days=subscription.plan.grace_days)
    till.tell_of_subscription(subscription, IN_GRACE)


def hold(till: Till, subscription: Subscription) -> None:
    """The renewal is declined, and nobody let in any more."""
    _require(subscription, "ACTIVE", "IN_GRACE_PERIOD")
    subscription.state = "ON_HOLD"
    subscription.declines = True
    subscription.latest_order_id = _next_order_id(subscription)
    subscription.held_until = till.now + timedelta(days=subscription.plan.hold_days)
    till.tell_of_subscription(subscription, ON_HOLD)


def decline(till: Till, subscription: Subscription) -> None:
    """From now on renewals will not be paid."""
    del till
    subscription.declines = True


def recover(till: Till, subscription: Subscription) -> None:
    """The renewal is paid after all: from the end of the last period in grace, else from now on."""
    _require(subscription, "IN_GRACE_PERIOD", "ON_HOLD")
    was_in_grace = subscription.state == "IN_GRACE_PERIOD"
    subscription.declines = False
    _pay(till, subscription)
    till.tell_of_subscription(subscription, RENEWED if was_in_grace else RECOVERED)


def pause(till: Till, subscription: Subscription, days: float) -> None:
    """From the end of its period on, for so many days."""
    _require(subscription, "ACTIVE")
    subscription.pause_days = days
    till.tell_of_subscription(subscription, PAUSE_SCHEDULED)


def resume(till: Till, subscription: Subscription) -> None:
    """The pause ends now."""
    _require(subscription, "PAUSED")
    _pay(till, subscription)
    till.tell_of_subscription(subscription, RECOVERED)


def cancel(till: Till, subscription: Subscription, by: str = "user") -> None:
    """Runs to its end, or ends where nothing is open."""
    _require(subscription, "ACTIVE", "IN_GRACE_PERIOD", "ON_HOLD", "PAUSED")
    subscription.renews, subscription.next_plan, subscription.pause_days = False, None, 0.0
    subscription.cancelled_by, subscription.cancelled_at = by, till.now
    if subscription.state == "ACTIVE":
        subscription.state = "CANCELED"
        till.tell_of_subscription(subscription, CANCELED)
    else:
        _end(till, subscription, by)


def restart(till: Till, subscription: Subscription) -> None:
    """Renews after all."""
    _require(subscription, "CANCELED")
    if subscription.cancelled_by != "user":
        raise invalid("only what its viewer cancelled can be restored")
    subscription.state, subscription.renews = "ACTIVE", True
    subscription.cancelled_by, subscription.cancelled_at = "", None
    till.tell_of_subscription(subscription, RESTARTED)


def expire(till: Till, subscription: Subscription) -> None:
    """Ends now."""
    if subscription.state in ENDED or subscription.state == "PENDING":
        raise invalid("the subscription cannot expire")
    _end(till, subscription, subscription.cancelled_by or "system", tell_cancelled=False)


def revoke(
    till: Till,
    subscription: Subscription,
    *,
    is_prorated: bool = False,
    reason: int = 0,
    source: int = 1,
) -> None:
    """Ends now, and the last payment goes back, or what is left of its period."""
    _require(subscription, "ACTIVE", "CANCELED", "IN_GRACE_PERIOD", "ON_HOLD", "PAUSED")
    order = till.order(subscription.paid_order_id)
    line = order.lines[0]
    micros = None
    if is_prorated and line.starts_at is not None and line.ends_at is not None:
        left = max(line.ends_at - till.now, timedelta(0)) / (line.ends_at - line.starts_at)
        micros = min(int(line.total_micros * left), line.total_micros)
    subscription.state, subscription.renews = "EXPIRED", False
    subscription.ends_at = till.now
    subscription.cancelled_by = subscription.cancelled_by or "system"
    till.tell_of_subscription(subscription, REVOKED)
    if order.refunded_at is None:
        till.give_back(order, kind=OF_SUBSCRIPTION, reason=reason, source=source, micros=micros)
    till.tell_of_subscription(subscription, EXPIRED)


def give_back(till: Till, subscription: Subscription, order_id: str, reason: int) -> None:
    """A period's money, and nothing else."""
    order = till.order(order_id or subscription.paid_order_id)
    if order.token != subscription.token or order.refunded_at is not None:
        raise invalid("there is nothing to give back")
    till.give_back(order, kind=OF_SUBSCRIPTION, reason=reason, source=USER)


def change_at_renewal(till: Till, subscription: Subscription, plan: Plan) -> None:
    """Another plan from the next period on."""
    _require(subscription, "ACTIVE")
    subscription.next_plan = plan
    till.tell_of_subscription(subscription, ITEMS_CHANGED)


def forgotten_at(subscription: Subscription) -> datetime | None:
    """When Google ends what nobody acknowledges."""
    is_over = subscription.state in {"PENDING", *ENDED}
    if subscription.is_acknowledged or is_over or subscription.started_at is None:
        return None
    return subscription.started_at + ACKNOWLEDGE_WITHIN


def forget_unacknowledged(till: Till, subscription: Subscription) -> None:
    """Nobody said that it was delivered: Google ends it and gives the money back."""
    revoke(till, subscription, reason=UNACKNOWLEDGED, source=GOOGLE)


def due_at(subscription: Subscription) -> datetime | None:
    """When something happens by itself."""
    if subscription.state in {"ACTIVE", "CANCELED", "IN_GRACE_PERIOD"}:
        return subscription.ends_at
    return {"ON_HOLD": subscription.held_until, "PAUSED": subscription.resumes_at}.get(
        subscription.state
    )


def go_on(till: Till, subscription: Subscription) -> None:
    """What happens by itself, now that it is due."""
    match subscription.state:
        case "ACTIVE" if subscription.pause_days:
            subscription.state = "PAUSED"
            subscription.resumes_at = till.now + timedelta(days=subscription.pause_days)
            subscription.pause_days = 0.0
            till.tell_of_subscription(subscription, PAUSED)
        case "ACTIVE" if not subscription.declines:
            renew(till, subscription)
        case "ACTIVE" if subscription.plan.grace_days:
            grace(till, subscription)
        case "ACTIVE" | "IN_GRACE_PERIOD":
            hold(till, subscription)
        case "PAUSED":
            _pay(till, subscription)
            till.tell_of_subscription(subscription, RENEWED)
        case "ON_HOLD":
            _end(till, subscription, "system")
        case _:
            _end(till, subscription, subscription.cancelled_by, tell_cancelled=False)


def _pay(till: Till, subscription: Subscription, trial: timedelta | None = None) -> None:
    """A period that follows on the last one that was paid, or begins now where nothing was open."""
    if subscription.next_plan is not None:
        subscription.plan, subscription.next_plan = subscription.next_plan, None
    plan = subscription.plan
    starts_at = till.now
    if subscription.state in {"ACTIVE", "IN_GRACE_PERIOD"}:
        last = till.order(subscription.paid_order_id).lines[0]
        starts_at = last.ends_at or till.now
    _charge(
        till,
        subscription,
        OrderLine(
            product_id=plan.product_id,
            total_micros=0 if trial else plan.price_micros,
            starts_at=starts_at,
            ends_at=starts_at + (trial or timedelta(days=plan.period_days)),
        ),
    )


def _pay_the_difference(till: Till, subscription: Subscription) -> None:
    """The rest of the period of the one that it replaces, at the price of this plan less that of the other."""
    plan, replaced = subscription.plan, till.subscription(subscription.replaces)
    _require(replaced, "ACTIVE")
    last = till.order(replaced.paid_order_id).lines[0]
    ends_at = last.ends_at or till.now
    if ends_at <= till.now:
        raise invalid("nothing is left of the period")
    dearer = plan.price_micros / plan.period_days - (
        replaced.plan.price_micros / replaced.plan.period_days
    )
    if dearer <= 0:
        raise invalid("the price of a day is not higher")
    _charge(
        till,
        subscription,
        OrderLine(
            product_id=plan.product_id,
            total_micros=int(dearer * ((ends_at - till.now) / timedelta(days=1))),
            starts_at=till.now,
            ends_at=ends_at,
            is_prorated=True,
        ),
    )


def _charge(till: Till, subscription: Subscription, line: OrderLine) -> None:
    """A period's order, paid."""
    plan, order_id = subscription.plan, _next_order_id(subscription)
    till.new_order(order_id, subscription.token, plan.currency, [line], is_paid=True)
    subscription.orders += 1
    subscription.latest_order_id = subscription.paid_order_id = order_id
    subscription.state, subscription.ends_at = "ACTIVE", line.ends_at
    subscription.resumes_at = subscription.held_until = None


def _end(till: Till, subscription: Subscription, by: str, *, tell_cancelled: bool = True) -> None:
    subscription.state, subscription.renews = "EXPIRED", False
    subscription.cancelled_by = by
    subscription.cancelled_at = subscription.cancelled_at or till.now
    if subscription.ends_at is None or subscription.ends_at > till.now:
        subscription.ends_at = till.now
    if tell_cancelled:
        till.tell_of_subscription(subscription, CANCELED)
    till.tell_of_subscription(subscription, EXPIRED)


def _next_order_id(subscription: Subscription) -> str:
    """The first order's, then `..0`, `..1` behind it."""
    if not subscription.orders:
        return subscription.first_order_id
    return f"{subscription.first_order_id}..{subscription.orders - 1}"


def _require(subscription: Subscription, *states: str) -> None:
    if subscription.state not in states:
        raise invalid(f"the subscription is {subscription.state}")
