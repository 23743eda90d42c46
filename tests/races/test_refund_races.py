"""Refunds that meet purchases, unlocks, gifts and each other: the end is that of some order."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.db.models import Sum

from catalog.models import Series
from payments.models import (
    Entitlement,
    RefundBooking,
    RefundOrigin,
    Transfer,
    Unlock,
    Wallet,
)
from payments.providers.base import StoreTransaction
from payments.store import purchases, refunds
from payments.store.refunds import RefundFact
from tests import ledger_rules
from tests.factories.payments import CoinPackFactory, StoreProductFactory, fund, give_bonus, play
from tests.factories.viewers import DeviceFactory
from tests.proof import Proof
from tests.races.crowd import Scene, at_once, connections, locked_series

CALLERS = 40

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_connection_for_each_caller() -> Iterator[None]:
    with connections(CALLERS + 1):
        yield


def fact(transaction_id: str, **what: datetime | str | int) -> RefundFact:
    return RefundFact(
        provider="fake",
        environment="production",
        transaction_id=transaction_id,
        refund_id=refunds.ALL,
        origin=RefundOrigin.STORE,
        **what,
    )


def wallet(viewer_id: UUID) -> tuple[int, int, int]:
    held = Wallet.objects.get(viewer_id=viewer_id)
    return held.paid_coins, held.bonus_coins, held.debt_coins


def store_transaction(viewer_id: UUID, *, now: datetime) -> StoreTransaction:
    """One that nobody has brought yet."""
    product = StoreProductFactory(pack=CoinPackFactory(paid_coins=100, bonus_coins=10))
    return StoreTransaction(
        environment="production",
        transaction_id=f"race-{uuid4()}",
        store_product_id=product.store_product_id,
        account_token=viewer_id,
        intent_id=None,
        price_micros=10_000_000,
        currency="USD",
        purchased_at=now,
    )


def lapse(*, now: datetime) -> int:
    """The expiry job runs; how many lots lapsed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT payments_expire_lots(1000, %s)", [now])
        (lapsed,) = cursor.fetchone()
    return int(lapsed)


def owing(series: Series, *, now: datetime) -> Scene:
    """A viewer who owes 60 coins: bought, spent, played, refunded."""
    scene = Scene(series, now=now)
    bought = fund(scene.viewer_id, now=now, paid=60)
    entitlement_id = scene.unlock(0).outcome.entitlement_id
    play(Entitlement.objects.filter(id=entitlement_id), now=now)
    refunds.record(fact(bought.transaction_id, refunded_at=now), now=now)
    assert wallet(scene.viewer_id) == (0, 0, -60)
    return scene


def test_a_refund_among_unlocks_takes_its_own_coins_and_no_others(
    now: datetime, proof: Proof
) -> None:
    """600 coins of 1,200 go back while 40 callers spend them: what stands was paid by the rest."""
    series = locked_series(CALLERS)
    for _ in range(proof.rounds(full=100)):
        scene = Scene(series, now=now)
        refunded = fund(scene.viewer_id, now=now, paid=600)
        fund(scene.viewer_id, now=now, paid=600)
        refund = partial(refunds.record, fact(refunded.transaction_id, refunded_at=now), now=now)

        at_once([*(partial(scene.unlock, place) for place in range(CALLERS)), refund])

        standing = Unlock.objects.filter(viewer_id=scene.viewer_id, reversal=None)
        charged = standing.aggregate(total=Sum("price_coins"))["total"] or 0
        paid, bonus, debt = wallet(scene.viewer_id)
        booking = RefundBooking.objects.get(purchase=refunded)
        assert (booking.taken_coins, booking.debt_coins) == (600, 0)
        assert (bonus, debt, paid + charged) == (0, 0, 600)
        assert standing.filter(entitlement__closed_at=None).count() == standing.count()

    assert ledger_rules.broken() == []
    proof.record("P8", f"a refund among {CALLERS} unlocks", violations=0)


def test_a_refund_told_many_times_at_once_takes_once(now: datetime, proof: Proof) -> None:
    for _ in range(proof.rounds(full=100)):
        viewer_id = DeviceFactory().viewer_id
        bought = fund(viewer_id, now=now, paid=100, bonus=10)
        fund(viewer_id, now=now, paid=500)
        tell = partial(refunds.record, fact(bought.transaction_id, refunded_at=now), now=now)

        told = at_once([tell] * 20)

        assert {each.outcome for each in told} == {"taken"}
        assert RefundBooking.objects.filter(purchase=bought).count() == 1
        assert wallet(viewer_id) == (500, 0, 0)

    assert ledger_rules.broken() == []
    proof.record("P8", "one refund, told 20 times at once", violations=0)


def test_a_refund_and_its_purchase_at_once_always_end_refunded(now: datetime, proof: Proof) -> None:
    """Neither has a row that the other could wait for."""
    for number in range(proof.rounds(full=200)):
        viewer_id = DeviceFactory().viewer_id
        sold = store_transaction(viewer_id, now=now)
        credit = partial(
            purchases.credit, viewer_id=viewer_id, provider="fake", transaction=sold, now=now
        )
        refund = partial(refunds.record, fact(sold.transaction_id, refunded_at=now), now=now)

        at_once([credit, refund] if number % 2 else [refund, credit])

        assert wallet(viewer_id) == (0, 0, 0)
        assert RefundBooking.objects.get(purchase__viewer_id=viewer_id).taken_coins == 110

    assert ledger_rules.broken() == []
    proof.record("P8", "a refund and its purchase at once", violations=0)


@pytest.mark.parametrize("is_refund_first", [True, False], ids=["refund first", "purchase first"])
def test_whichever_comes_first_the_other_waits_for_its_commit(
    now: datetime, is_refund_first: bool
) -> None:
    """Forced, since the gap is a millisecond: each would not see what the other has not committed."""
    viewer_id = DeviceFactory().viewer_id
    sold = store_transaction(viewer_id, now=now)
    calls: list[Callable[[], object]] = [
        partial(purchases.credit, viewer_id=viewer_id, provider="fake", transaction=sold, now=now),
        partial(refunds.record, fact(sold.transaction_id, refunded_at=now), now=now),
    ]
    first, second = reversed(calls) if is_refund_first else calls

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            waiting = pool.submit(closing, second)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        waiting.result(timeout=10)

    assert wallet(viewer_id) == (0, 0, 0)
    assert ledger_rules.broken() == []


def test_a_refund_and_its_reversal_at_once_always_end_reversed(now: datetime, proof: Proof) -> None:
    series = locked_series(1)
    for _ in range(proof.rounds(full=200)):
        scene = Scene(series, now=now)
        bought = fund(scene.viewer_id, now=now, paid=100, bonus=10)
        scene.unlock(0)
        facts = [{"refunded_at": now}, {"reversed_at": now}] * 2

        at_once(
            [
                partial(refunds.record, fact(bought.transaction_id, **what), now=now)
                for what in facts
            ]
        )

        assert wallet(scene.viewer_id) == (50, 0, 0)
        assert Entitlement.objects.filter(viewer_id=scene.viewer_id, closed_at=None).count() == 1
        bookings = RefundBooking.objects.filter(purchase=bought)
        assert sum(bookings.values_list("net_micros", flat=True)) == 0

    assert ledger_rules.broken() == []
    proof.record("P8", "a refund and its reversal at once, each told twice", violations=0)


def test_gifts_at_once_repay_one_debt_once(now: datetime, proof: Proof) -> None:
    series = locked_series(1)
    for _ in range(proof.rounds(full=100)):
        scene = owing(series, now=now)

        kept = at_once([partial(give_bonus, scene.viewer_id, coins=7, now=now)] * 20)

        assert wallet(scene.viewer_id) == (0, 20 * 7 - 60, 0)
        assert sum(lot.granted_coins for lot in kept if lot) == 20 * 7 - 60

    assert ledger_rules.broken() == []
    proof.record("P3", "a debt of 60, 20 gifts of 7 at once", violations=0)


def test_coins_are_spent_or_lapse_at_the_moment_they_expire(now: datetime, proof: Proof) -> None:
    series = locked_series(1)
    for _ in range(proof.rounds(full=200)):
        scene = Scene(series, now=now)
        expires_at = now + timedelta(microseconds=1)
        give_bonus(scene.viewer_id, coins=60, now=now, expires_at=expires_at)

        calls: list[Callable[[], Any]] = [
            partial(scene.unlock, 0),
            partial(lapse, now=expires_at),
        ]
        spend, lapsed = at_once(calls)

        lapsed += lapse(now=expires_at)  # the job passes over a wallet that somebody holds
        is_spent = spend.outcome.outcome == "unlocked"
        assert is_spent + lapsed == 1
        assert wallet(scene.viewer_id) == (0, 0, 0)

    assert ledger_rules.broken() == []
    proof.record("P10", "a spend and the expiry job at the moment of expiry", violations=0)


def test_expiry_jobs_at_once_lapse_each_lot_once(now: datetime, proof: Proof) -> None:
    expires_at = now + timedelta(days=1)
    for _ in range(proof.rounds(full=60)):
        viewers = [DeviceFactory().viewer_id for _ in range(8)]
        for viewer_id in viewers * 2:
            give_bonus(viewer_id, coins=5, now=now, expires_at=expires_at)

        lapsed = at_once([partial(lapse, now=expires_at)] * 4)

        assert sum(lapsed) + lapse(now=expires_at) == 16
        lapses = Transfer.objects.filter(viewer_id__in=viewers, code="expiry")
        assert lapses.count() == 16

    assert ledger_rules.broken() == []
    proof.record("P10", "four expiry jobs at once, 16 lots", violations=0)


def closing(call: Callable[[], object]) -> object:
    """The call's answer; its thread's connection goes back to the pool."""
    try:
        return call()
    finally:
        connection.close()
