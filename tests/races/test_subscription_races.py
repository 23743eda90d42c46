"""Tellings, refunds and transfers of subscriptions that meet: each books once, and nobody waits in a circle."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction

from payments.models import (
    Cover,
    PassPurchase,
    PassRefundBooking,
    RefundOrigin,
    SubscriptionChange,
    Transfer,
    TransferPolicy,
    Wallet,
)
from payments.providers.base import StoreRefund
from payments.store import operator_refunds, refunds, subscriptions
from payments.store.operator_refunds import RefundRefused
from payments.store.refunds import RefundFact
from tests import ledger_rules
from tests.factories.operators import operator
from tests.factories.payments import as_owner
from tests.factories.viewers import DeviceFactory
from tests.payments.subscribing import DAY, Story, plan, tell
from tests.proof import Proof
from tests.races.crowd import at_once, connections

CALLERS = 20
COINS = 100

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_connection_for_each_caller() -> Iterator[None]:
    with connections(CALLERS + 1):
        yield


def _story(now: datetime, number: int, name: str = "sub") -> Story:
    return Story(DeviceFactory().viewer_id, now, plan(coins=COINS), name=f"{name}-{number}")


@transaction.atomic
def _transfer(story: Story, viewer_id: Any, operator_id: int, now: datetime) -> None:
    subscriptions.transfer(story.row(), viewer_id=viewer_id, operator_id=operator_id, now=now)


def _periods(story: Story) -> int:
    return PassPurchase.objects.filter(subscription=story.row()).count()


def _open_covers(story: Story) -> list[tuple[Any, datetime]]:
    found = Cover.objects.filter(subscription_cover__subscription=story.row(), closed_at=None)
    return list(found.values_list("viewer", "ends_at"))


def _until_somebody_waits() -> None:
    """Another connection has asked for a lock that is held."""
    for _ in range(400):
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def _beside(call: Callable[[], Any], first: Callable[[], Any], then: Callable[[], Any]) -> None:
    """In one transaction `first`, and `then` once `call`, in another, waits for it. Raises what either does, which
    is that they wait for each other where locks are taken in another order."""

    def run() -> None:
        try:
            call()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            other = pool.submit(run)
            _until_somebody_waits()
            then()
        other.result()


def _lock_wallet(viewer_id: Any, now: datetime) -> None:
    with as_owner() as cursor:
        cursor.execute("SELECT payments_lock_wallet(%s, 'production', %s)", [viewer_id, now])


def test_a_refund_takes_its_subscriptions_name_before_its_transactions(now: datetime) -> None:
    """While somebody tells of the subscription, and then of the period that is refunded."""
    story = _story(now, 0)
    tell(story.paid(0), now=now)

    _beside(
        partial(_record, story.refund(0, at=now), now),
        partial(tell, story.paid(0, at=now + DAY, period=None), now=now),
        partial(tell, story.paid(0, at=now + 2 * DAY), now=now),
    )

    assert _open_covers(story) == []
    assert ledger_rules.broken() == []


@pytest.mark.parametrize("way", ["refund", "transfer", "successor"])
def test_two_wallets_are_locked_in_the_order_of_their_viewers(now: datetime, way: str) -> None:
    """Whichever of them the path comes to first: somebody holds the first and then takes the second."""
    low, high = sorted(DeviceFactory().viewer_id for _ in "ab")
    story = Story(high, now, plan(coins=COINS), name="sub")
    tell(story.paid(0), now=now)
    boss = operator().id
    calls: dict[str, Callable[[], Any]] = {
        "refund": partial(_record, story.refund(0, at=now), now),
        "transfer": partial(_transfer, story, high, boss, now),
        "successor": partial(
            tell, Story(high, now, plan(), name="new").paid(0, replaces="sub"), now=now
        ),
    }
    # Bought by the second, and the first's by now.
    _transfer(story, low, boss, now)

    _beside(calls[way], partial(_lock_wallet, low, now), partial(_lock_wallet, high, now))

    assert ledger_rules.broken() == []


def test_one_that_renews_while_another_asks_for_it_stays(now: datetime) -> None:
    """It was over when they asked, and is not when they get to it."""
    policy = TransferPolicy.TRANSFER_IF_INACTIVE
    story = Story(DeviceFactory().viewer_id, now, plan(transfer_policy=policy), name="sub")
    tell(story.paid(0), now=now)
    heir, at = DeviceFactory().viewer_id, story.begins(1)
    assert subscriptions.may_transfer(story.row(), now=at)
    outcomes = []

    def ask() -> None:
        outcomes.append(
            subscriptions.transfer(story.row(), viewer_id=heir, operator_id=None, now=at)
        )

    _beside(ask, partial(tell, story.paid(1), now=at), lambda: None)

    assert outcomes == ["kept"]
    assert story.row().viewer_id == story.viewer_id


@transaction.atomic
def _record(fact: StoreRefund, now: datetime) -> None:
    """Not as part of a message, whose wallets are locked beforehand."""
    refunds.record(
        RefundFact(
            provider="fake",
            environment=fact.environment,
            transaction_id=fact.transaction_id,
            refund_id=fact.refund_id,
            origin=RefundOrigin.STORE,
            refunded_at=fact.refunded_at,
        ),
        now=now,
    )


def test_one_period_from_twenty_callers_is_booked_and_brings_its_coins_once(
    now: datetime, proof: Proof
) -> None:
    wrong = 0
    for number in range(proof.rounds(full=100)):
        story = _story(now, number)

        at_once([partial(tell, story.paid(0), now=now)] * CALLERS)

        wrong += _periods(story) != 1
        wrong += SubscriptionChange.objects.filter(subscription=story.row()).count() != 1
        wrong += _open_covers(story) != [(story.viewer_id, story.begins(1))]
        wrong += Wallet.objects.get(viewer_id=story.viewer_id).bonus_coins != COINS

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.record("P5", f"one subscription's period from {CALLERS} callers", violations=wrong)


def test_a_period_and_its_refund_that_meet_end_in_neither(now: datetime, proof: Proof) -> None:
    wrong = 0
    for number in range(proof.rounds(full=100)):
        story = _story(now, number)
        calls: list[Callable[[], Any]] = [
            partial(tell, story.paid(0), now=now),
            partial(tell, story.refund(0, at=now), now=now),
        ]

        at_once(calls * (CALLERS // 2))

        wrong += _periods(story) != 1 or _open_covers(story) != []
        wrong += PassRefundBooking.objects.filter(purchase__viewer=story.viewer_id).count() != 1
        wrong += Wallet.objects.get(viewer_id=story.viewer_id).bonus_coins != 0

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.record("P6", "a subscription's period and its refund at one moment", violations=wrong)


def test_tellings_refunds_and_transfers_that_meet_end_in_one_state(
    now: datetime, proof: Proof
) -> None:
    """Two viewers hand two subscriptions back and forth, while both are told of, refunded and reversed: each
    caller takes both wallets, in whatever order its facts name them."""
    wrong = 0
    boss = operator().id
    for number in range(proof.rounds(full=100)):
        ours, theirs = _story(now, number, "ours"), _story(now, number, "theirs")
        both = [ours, theirs]
        for story in both:
            tell(story.paid(0), now=now)
        at = now + DAY
        told: list[Callable[[], Any]] = []
        for one, other in (both, both[::-1]):
            told += [
                partial(tell, one.paid(1, at=at, period=one.period(0)), now=at),
                partial(tell, one.refund(0, at=at), other.paid(0), now=at),
                partial(tell, other.paid(0), one.reversal(0, at=at + DAY), now=at),
                partial(_transfer, one, other.viewer_id, boss, at),
                partial(_transfer, one, one.viewer_id, boss, at),
            ]

        at_once(told * (CALLERS // len(told)))

        for story in both:
            owner = story.row().viewer_id
            wrong += _periods(story) != 1
            wrong += {viewer for viewer, _ in _open_covers(story)} != {owner}
            wrong += max(ends for _, ends in _open_covers(story)) != story.begins(2)
            booked = PassRefundBooking.objects.filter(purchase__subscription=story.row())
            wrong += sum(booked.values_list("gross_micros", flat=True)) != 0
            # The money stays where it was, whoever has the subscription by now.
            wrong += Wallet.objects.get(viewer_id=story.viewer_id).bonus_coins != COINS

    assert wrong == 0
    assert ledger_rules.broken() == []
    what = f"tellings, refunds and transfers of two subscriptions, {CALLERS} callers"
    proof.record("P6", what, violations=wrong)


def test_one_and_its_successor_that_meet_leave_the_successor_open(
    now: datetime, proof: Proof
) -> None:
    """Whoever comes first, and though some callers bring both at once, either before the other."""
    wrong = 0
    for number in range(proof.rounds(full=100)):
        old, new = _story(now, number, "old"), _story(now, number, "new")
        first, second = old.paid(0), new.paid(0, replaces=old.name)
        calls: list[Callable[[], Any]] = [
            partial(tell, first, now=now),
            partial(tell, second, now=now),
            partial(tell, first, second, now=now),
            partial(tell, second, first, now=now),
        ]

        at_once(calls * (CALLERS // len(calls)))

        wrong += _open_covers(old) != []
        wrong += [ends for _, ends in _open_covers(new)] != [new.begins(1)]
        wrong += (_periods(old), _periods(new)) != (1, 1)

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.record("P6", "a subscription and its successor at one moment", violations=wrong)


def test_operators_and_the_store_that_refund_at_once_take_it_once(
    now: datetime, proof: Proof
) -> None:
    wrong = 0
    boss = operator().id
    for number in range(proof.rounds(full=60)):
        story = _story(now, number)
        tell(story.paid(0), now=now)
        period = PassPurchase.objects.get(subscription=story.row())

        def by_operator(period: PassPurchase = period) -> None:
            # Refused where the store was faster, or another operator.
            with suppress(RefundRefused):
                operator_refunds.by_operator(period, operator_id=boss, reason="", now=now)

        calls: list[Callable[[], Any]] = [
            by_operator,
            partial(tell, story.refund(0, at=now), now=now),
            partial(tell, story.paid(0, at=now + DAY), now=now),
        ]
        at_once(calls * (CALLERS // len(calls)))

        booked = PassRefundBooking.objects.filter(purchase=period)
        wrong += sum(booked.values_list("gross_micros", flat=True)) != period.gross_micros
        wrong += _open_covers(story) != []
        taken = Transfer.objects.filter(viewer=story.viewer_id, code="period_reversal")
        wrong += taken.count() != 1

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.record("P6", "operators and the store refund one period at once", violations=wrong)
