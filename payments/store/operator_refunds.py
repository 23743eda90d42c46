"""Refunds on an operator's word, and how a store is had to pay them.

What is more than one person may have paid back alone waits for a second. What a store may have heard of is not
reversed here.
"""

from collections.abc import Callable
from datetime import datetime, time
from typing import TypeVar
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from payments.models import (
    CallState,
    CallVerb,
    PassPurchase,
    PassRefundBooking,
    Provider,
    Purchase,
    Refund,
    RefundOrigin,
    StoreCall,
)
from payments.providers.base import GivesBack
from payments.store import purchases, refunds
from payments.store.refunds import Effect, Effects, PassEffects, Recorded, RefundFact

Seen = TypeVar("Seen")


class RefundRefused(Exception):
    """Nothing was refunded; the message tells an operator why."""


def by_operator(
    purchase: Purchase | PassPurchase,
    *,
    operator_id: int,
    reason: str,
    now: datetime,
    amount_micros: int | None = None,
    request_id: UUID | None = None,
) -> Recorded:
    """An operator says that money goes back. The same `request_id` again is REPEATED, and no refund.

    Without an amount it is all that has not gone back yet. A store that gives money back on our word is told to,
    as soon as this is committed. Raises RefundRefused, with nothing moved, when less than that is left.
    """
    if amount_micros is not None and amount_micros <= 0:
        raise RefundRefused("An amount that goes back is more than nothing.")
    name = refund_id_of(request_id or uuid4())
    left_micros = purchase.gross_micros - refunds.refunded_micros(purchase)
    if amount_micros not in (None, left_micros) and tells_of_parts(purchase):
        raise RefundRefused(
            "This store pays buyers back itself, and tells of every part: a part that is written down here would"
            " be taken twice. Write down all that is left, or wait for the store."
        )
    fact = RefundFact(
        provider=purchase.provider,
        environment=purchase.environment,
        transaction_id=purchase.transaction_id,
        refund_id=name,
        origin=RefundOrigin.OPERATOR,
        refunded_at=now,
        amount_micros=amount_micros or left_micros or None,
        reason=reason,
    )
    with transaction.atomic():
        if known := _known(purchase, name):
            return Recorded(refund_id=known.id, outcome=Effect.REPEATED)
        recorded = refunds.record(fact, now=now, operator_id=operator_id)
        _refuse_less_than_asked(recorded, purchase)
        if fact.amount_micros and is_given_back_by_store(purchase):
            _have_given_back(fact, purchase, operator_id, now)
    return recorded


def agree(refund: Refund, *, operator_id: int, now: datetime) -> None:
    """A second person agrees that a store pays what is more than one may have paid back alone.

    Raises RefundRefused for whoever asked, and where nothing waits. To refuse is to reverse the refund.
    """
    if refund.asked_by_id == operator_id:
        raise RefundRefused("You asked for this yourself: somebody else has to agree.")
    held = _given_back_by(refund).filter(state=CallState.HELD)
    if not held.update(state=CallState.WAITING, next_attempt_at=now):
        raise RefundRefused("This does not wait for anybody any more.")


def is_held(refund: Refund) -> bool:
    """Whether a store pays this back only when a second person agrees."""
    return _given_back_by(refund).filter(state=CallState.HELD).exists()


def is_given_back_by_store(purchase: Purchase | PassPurchase) -> bool:
    """Whether its store pays the buyer when an operator says so here. With the others the buyer asks the store, and
    an operator only writes down that it has paid."""
    return isinstance(purchases.adapters().get(purchase.provider), GivesBack)


def tells_of_parts(purchase: Purchase | PassPurchase) -> bool:
    """Whether its store pays back a part without our word, and under a name of its own: beside it an operator's part
    would count as another. What goes back whole does so once, whoever tells of it. The fake store tells nothing."""
    return purchase.provider != Provider.FAKE and not is_given_back_by_store(purchase)


def refund_id_of(request_id: UUID) -> str:
    """The name under which an operator's refund is kept."""
    return f"operator:{request_id}"


def preview(
    purchase: Purchase,
    *,
    operator_id: int,
    reason: str,
    now: datetime,
    amount_micros: int | None = None,
) -> Effects:
    """What an operator's refund would do now: it is carried out, looked at, and rolled back.

    Raises RefundRefused as `by_operator` does.
    """

    def carry_out() -> Effects:
        recorded = by_operator(
            purchase,
            operator_id=operator_id,
            reason=reason,
            now=now,
            amount_micros=amount_micros,
        )
        return refunds.effects(recorded.refund_id)

    return _rolled_back(carry_out)


def preview_of_pass(
    purchase: PassPurchase,
    *,
    operator_id: int,
    reason: str,
    now: datetime,
    amount_micros: int | None = None,
) -> PassEffects:
    """The same for a pass."""

    def carry_out() -> PassEffects:
        recorded = by_operator(
            purchase,
            operator_id=operator_id,
            reason=reason,
            now=now,
            amount_micros=amount_micros,
        )
        return refunds.effects_on_pass(recorded.refund_id, now=now)

    return _rolled_back(carry_out)


def reverse(refund: Refund, *, operator_id: int | None, now: datetime) -> Recorded:
    """The refund did not stand after all: what it took goes back. Safe to repeat.

    A store that was to pay the buyer is told nothing any more. Raises RefundRefused, with nothing moved, where it may
    have heard: then the money is gone, and only the store can say that it is not.

    A store's clock may be ahead of ours: it is reversed no earlier than it happened.
    """
    with transaction.atomic():
        _lock(refund.refund_id)
        _withdraw(refund)
        return refunds.record(_reversal(refund, now), now=now, operator_id=operator_id)


def why_not_reversed(refund: Refund) -> str:
    """Why `reverse` would refuse; "" where it would not."""
    call = _given_back_by(refund).first()
    return _why_not_withdrawn(call) if call is not None else ""


def _reversal(refund: Refund, now: datetime) -> RefundFact:
    return RefundFact(
        provider=refund.provider,
        environment=refund.environment,
        transaction_id=refund.transaction_id,
        refund_id=refund.refund_id,
        origin=RefundOrigin(refund.origin),
        reversed_at=max(now, refund.refunded_at or now),
    )


def _have_given_back(
    fact: RefundFact, purchase: Purchase | PassPurchase, operator_id: int, now: datetime
) -> None:
    """The store is told at once, or when a second person agrees."""
    worth_micros = int((fact.amount_micros or 0) * purchase.exchange_rate)
    is_held = not _may_alone(worth_micros, operator_id, now)
    StoreCall.objects.get_or_create(
        provider=fact.provider,
        environment=fact.environment,
        verb=CallVerb.GIVE_BACK,
        subject=fact.refund_id,
        defaults={
            "details": {
                "transaction_id": fact.transaction_id,
                "amount_micros": fact.amount_micros,
                "worth_micros": worth_micros,
                "is_alone": not is_held,
            },
            "state": CallState.HELD if is_held else CallState.WAITING,
            "next_attempt_at": None if is_held else now,
            "created_at": now,
        },
    )


def _may_alone(worth_micros: int, operator_id: int, now: datetime) -> bool:
    """Whether one operator may have a store pay so much more today. Two refunds of theirs wait for each other."""
    if worth_micros > settings.REFUND_SOLO_MICROS:
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 5))", [str(operator_id)])
    today = now.astimezone(settings.REPORTING_ZONE).date()
    asked = Refund.objects.filter(
        asked_by_id=operator_id,
        created_at__gte=datetime.combine(today, time.min, settings.REPORTING_ZONE),
    )
    calls = StoreCall.objects.filter(
        verb=CallVerb.GIVE_BACK,
        subject__in=asked.values("refund_id"),
        details__is_alone=True,
    ).exclude(state=CallState.WITHDRAWN)
    paid_micros = sum(calls.values_list("details__worth_micros", flat=True))
    return bool(paid_micros + worth_micros <= settings.REFUND_DAILY_MICROS)


def _given_back_by(refund: Refund) -> QuerySet[StoreCall]:
    """The call that has the store pay for a refund, if there is one."""
    return StoreCall.objects.filter(
        provider=refund.provider,
        environment=refund.environment,
        verb=CallVerb.GIVE_BACK,
        subject=refund.refund_id,
    )


def _withdraw(refund: Refund) -> None:
    """Nobody makes the call from here on: its row is locked, as it is by whoever is about to make it."""
    call = _given_back_by(refund).select_for_update().first()
    if call is None or call.state == CallState.WITHDRAWN:
        return
    if why := _why_not_withdrawn(call):
        raise RefundRefused(why)
    call.state, call.next_attempt_at = CallState.WITHDRAWN, None
    call.save(update_fields=["state", "next_attempt_at"])


def _why_not_withdrawn(call: StoreCall) -> str:
    """A store that has refused for good has paid nothing, however often it was asked. One whose answer nobody
    understood may have paid."""
    store = call.get_provider_display()
    if call.state == CallState.DONE:
        return (
            f"{store} was told to pay this back, and has agreed. Only {store} can take that back."
        )
    is_unsure = call.failures > 0 or (call.state == CallState.WAITING and call.attempts > 0)
    if is_unsure:
        return f"{store} may have heard already that this is to be paid back. Look again once it has answered."
    return ""


def _rolled_back(work: Callable[[], Seen]) -> Seen:
    """What the work has seen of its own effects, of which nothing is kept."""
    with transaction.atomic():
        seen = work()
        transaction.set_rollback(True)
    return seen


def _known(purchase: Purchase | PassPurchase, name: str) -> Refund | None:
    """The refund of that name, whose twin, if there is one, waits for the end of this transaction."""
    _lock(name)
    return refunds.of(purchase).filter(refund_id=name).first()


def _lock(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 5))", [name])


def _refuse_less_than_asked(recorded: Recorded, purchase: Purchase | PassPurchase) -> None:
    """Read from what was booked, since others refund at the same moment."""
    refund = Refund.objects.select_related("booking", "pass_booking").get(id=recorded.refund_id)
    asked_micros = refund.amount_micros or purchase.gross_micros
    booking = refund.booking or refund.pass_booking
    assert booking is not None  # noqa: S101  it is new, and its purchase is booked
    if isinstance(booking, PassRefundBooking):
        is_nothing = asked_micros == 0 and _others_stand(refund)
    else:
        is_nothing = asked_micros == 0 and booking.due_coins == 0
    if booking.gross_micros != asked_micros or is_nothing:
        raise RefundRefused("Less than that is left of this purchase to go back.")


def _others_stand(refund: Refund) -> bool:
    """Whether a pass that was free had been taken back before."""
    others = Refund.objects.filter(pass_purchase_id=refund.pass_purchase_id).exclude(id=refund.id)
    return others.filter(pass_booking__isnull=False).exists()
