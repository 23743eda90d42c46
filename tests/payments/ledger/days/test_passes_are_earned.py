"""A pass is earned evenly over its time, to the micro, whatever days it runs through."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config import clock
from payments.ledger.days import closing, journal, ladder
from payments.ledger.days.ladder import Ladder
from payments.models import MoneyDay, PassPurchase
from payments.store import refunds
from tests.factories.payments import as_owner, buy_pass, fund
from tests.factories.viewers import DeviceFactory
from tests.payments.ledger.days.story import DAY, HOUR, PRODUCTION, close_all, money_back, of_day
from tests.payments.subscribing import Story, plan, tell
from viewers.models import Device


def between(start: datetime, end: datetime) -> Ladder:
    return ladder.read(environment=PRODUCTION, start=start, end=end)


def rungs(found: Ladder) -> tuple[int, int, int, int, int]:
    """Net billings, earned by passes, recognised, deferred, unattributed."""
    return (
        found.net_micros,
        found.passes_micros,
        found.recognised_micros,
        found.deferred_micros,
        found.unattributed_micros,
    )


def test_three_days_that_touch_four_as_the_page_tells(
    device: Device, now: datetime, terms: None
) -> None:
    """9.99 for three days, bought at noon; the store keeps 15 %, so 8.4915 are earned: 1.41525 in half a day."""
    bought = buy_pass(device.viewer_id, now=now, days=3, price_micros=9_990_000)
    assert bought.net_micros == 8_491_500

    days = [of_day(now + n * DAY) for n in range(4)]

    assert (days[0].gross_micros, days[0].fee_micros) == (9_990_000, 1_498_500)
    assert [rungs(each) for each in days] == [
        (8_491_500, 1_415_250, 1_415_250, 7_076_250, 0),
        (0, 2_830_500, 2_830_500, 4_245_750, 0),
        (0, 2_830_500, 2_830_500, 1_415_250, 0),
        # Titles have a period when it ended: until watching is counted, nobody's.
        (0, 1_415_250, 1_415_250, 0, 8_491_500),
    ]
    assert [list(ladder.violations(each)) for each in days] == [[]] * 4


def test_a_pass_that_is_ahead_is_deferred_until_it_begins(device: Device, now: datetime) -> None:
    first = buy_pass(device.viewer_id, now=now, days=1, price_micros=1_000_000)
    buy_pass(device.viewer_id, now=now, days=1, price_micros=5_000_000)

    until = between(now - HOUR, first.ends_at)
    assert (until.passes_micros, until.deferred_micros) == (1_000_000, 5_000_000)
    rest = between(first.ends_at, first.ends_at + 2 * DAY)
    assert (rest.passes_micros, rest.deferred_micros, rest.unattributed_micros) == (
        5_000_000,
        0,
        6_000_000,
    )


def test_every_micro_is_earned_once_where_it_does_not_divide(device: Device, now: datetime) -> None:
    bought = buy_pass(device.viewer_id, now=now, days=7, price_micros=1_000_001)
    edges = [now + n * bought.length / 97 for n in range(98)]

    parts = [between(start, end).passes_micros for start, end in pairwise(edges)]

    assert sum(parts) == 1_000_001
    assert set(parts) <= {10_309, 10_310}


def test_the_sandbox_earns_apart(device: Device, now: datetime) -> None:
    buy_pass(device.viewer_id, now=now, environment="sandbox")

    assert rungs(of_day(now)) == (0, 0, 0, 0, 0)


def test_the_journal_books_a_pass_sold_earned_and_refunded(
    device: Device, now: datetime, terms: None
) -> None:
    bought = buy_pass(device.viewer_id, now=now, days=2, price_micros=1_000_000)
    money_back(bought, now + DAY)

    def lines(day: datetime) -> list[tuple[str, int, int]]:
        return [
            (line.account, line.debit_micros, line.credit_micros)
            for line in journal.of_day(closing.local_date(day))
        ]

    assert lines(now) == [
        ("accounts_receivable", 850_000, 0),
        ("deferred_revenue", 0, 850_000),
        ("deferred_revenue", 212_500, 0),
        ("revenue_passes", 0, 212_500),
    ]
    assert lines(now + DAY) == [
        ("revenue_passes", 212_500, 0),
        ("deferred_revenue", 0, 212_500),
        ("deferred_revenue", 850_000, 0),
        ("accounts_receivable", 0, 850_000),
    ]
    assert lines(now + 2 * DAY) == []


def test_days_are_closed_while_a_pass_runs_through_them(
    device: Device, now: datetime, later: datetime
) -> None:
    buy_pass(device.viewer_id, now=now, days=2, price_micros=4_000_000)
    fund(device.viewer_id, now=now, price_micros=1_000_000)

    close_all(later)

    rows = MoneyDay.objects.filter(environment=PRODUCTION).order_by("day")
    assert not any(row.violations for row in rows)
    first = [(row.passes_micros, row.deferred_micros) for row in rows][:3]
    assert first == [(1_000_000, 4_000_000), (2_000_000, 2_000_000), (1_000_000, 1_000_000)]


def test_a_pass_that_is_booked_late_has_its_days_computed_anew(
    device: Device, now: datetime, later: datetime
) -> None:
    fund(device.viewer_id, now=now, price_micros=1_000_000)
    close_all(clock.read())
    buy_pass(device.viewer_id, now=now, days=1, price_micros=2_000_000)

    close_all(later)

    row = MoneyDay.objects.get(environment=PRODUCTION, day=closing.local_date(now))
    assert (row.passes_micros, row.violations) == (1_000_000, [])


@contextmanager
def nothing_kept() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


SECONDS = st.integers(0, 40 * 24 * 3600)
LENGTHS = st.one_of(
    st.integers(1, 40).map(lambda days: {"days": days}),
    st.integers(1, 3).map(lambda months: {"months": months}),
)
BUYS = st.lists(
    st.tuples(SECONDS, st.integers(0, 1), LENGTHS, st.integers(0, 99_999_999)),
    min_size=1,
    max_size=6,
)
BACK = st.lists(
    st.tuples(SECONDS, st.integers(0, 5), st.sampled_from([None, 0.1, 1 / 3, 0.9]), st.booleans()),
    max_size=4,
)
MOMENTS = st.lists(st.tuples(SECONDS, st.integers(0, 999_999)), min_size=1, max_size=6, unique=True)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(buys=BUYS, back=BACK, moments=MOMENTS)
def test_at_every_moment_what_was_paid_is_recognised_or_deferred(
    now: datetime, terms: None, buys: list[Any], back: list[Any], moments: list[Any]
) -> None:
    """Random passes, refunds and reversals at random moments, cut by random windows."""
    with nothing_kept():
        viewers = [DeviceFactory().viewer_id for _ in range(2)]
        bought = [
            buy_pass(viewers[who], now=now + timedelta(seconds=at), price_micros=price, **length)
            for at, who, length, price in sorted(buys, key=lambda buy: buy[0])
        ]
        for number, (at, which, part, is_reversed) in enumerate(back):
            purchase, moment = bought[which % len(bought)], now + timedelta(seconds=at)
            amount = max(int(purchase.gross_micros * part), 1) if part else None
            money_back(purchase, moment, refund_id=str(number), amount_micros=amount)
            if is_reversed:
                reversal = {"refunded_at": None, "reversed_at": moment + HOUR}
                money_back(purchase, moment + HOUR, refund_id=str(number), **reversal)
        end = max(purchase.ends_at for purchase in bought) + DAY
        cuts = {now + timedelta(seconds=at, microseconds=more) for at, more in moments}
        edges = sorted({now - HOUR, *cuts, end})

        total = {"net": 0, "passes": 0, "unattributed": 0}
        for start, stop in pairwise(edges):
            found = between(start, stop)
            assert list(ladder.violations(found)) == []
            total["net"] += found.net_micros
            total["passes"] += found.passes_micros
            total["unattributed"] += found.unattributed_micros
            assert total["net"] == total["passes"] + found.deferred_micros
            ever = between(now - HOUR, stop)
            assert (ever.net_micros, ever.passes_micros, ever.deferred_micros) == (
                total["net"],
                total["passes"],
                found.deferred_micros,
            )
            assert total["passes"] == sum(_earned(each, stop) for each in bought)
        # All of it in the end: what was not given back.
        assert found.deferred_micros == 0
        assert total["passes"] == total["unattributed"] == total["net"]


def _earned(purchase: PassPurchase, at: datetime) -> int:
    """By the rule, in Python's whole numbers: what was worth anything at the moment, times its time."""
    if purchase.created_at >= at:
        return 0
    back = purchase.refund_bookings.filter(created_at__lt=at).values_list("net_micros", flat=True)
    return refunds.earned_micros(purchase.net_micros - sum(back), purchase, at=at)


DAMAGES = {
    "the end of a pass": "UPDATE payments_passpurchase SET ends_at = ends_at + interval '1 day'",
    "the beginning of a cover": "UPDATE payments_cover SET starts_at = starts_at - interval '1 hour'",
    "the end of a cover": "UPDATE payments_cover SET ends_at = ends_at - interval '1 day'",
}


@pytest.mark.parametrize("statement", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_told_by_some_day(
    device: Device, now: datetime, later: datetime, statement: str
) -> None:
    """What covers defer is not what purchases have not earned."""
    bought = buy_pass(device.viewer_id, now=now, days=2, price_micros=10_000_003)
    money_back(bought, now + HOUR, amount_micros=1_000_000)
    close_all(later)
    with transaction.atomic():
        with as_owner() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(statement)
            assert cursor.rowcount
        first = closing.local_date(now)
        told = [
            sentence
            for number in range(4)
            for row in closing.close(first + number * DAY, now=later)
            for sentence in row.violations
        ]
        transaction.set_rollback(True)
    assert told


class TestPeriodsOfSubscriptions:
    def test_are_earned_day_by_day_as_passes_are(
        self, device: Device, now: datetime, terms: None
    ) -> None:
        """The same three days as a pass: coins that come along are worth nothing."""
        story = Story(device.viewer_id, now, plan(coins=50))
        period = story.period(0, ends_at=now + 3 * DAY, price_micros=9_990_000)
        tell(story.paid(0, period=period), now=now)

        days = [of_day(now + n * DAY) for n in range(4)]

        assert [rungs(each) for each in days] == [
            (8_491_500, 1_415_250, 1_415_250, 7_076_250, 0),
            (0, 2_830_500, 2_830_500, 4_245_750, 0),
            (0, 2_830_500, 2_830_500, 1_415_250, 0),
            (0, 1_415_250, 1_415_250, 0, 8_491_500),
        ]
        assert [list(ladder.violations(each)) for each in days] == [[]] * 4

    def test_that_are_told_late_are_earned_from_then_on(
        self, device: Device, now: datetime
    ) -> None:
        story = Story(device.viewer_id, now, plan())
        tell(story.paid(0), now=now + 5 * DAY)

        assert rungs(of_day(now + 4 * DAY)) == (0, 0, 0, 0, 0)
        assert between(now, story.begins(1)).passes_micros == 10_000_000
        tell(story.paid(1), now=story.begins(5))
        assert between(story.begins(5), story.begins(5) + HOUR).passes_micros == 10_000_000

    def test_that_are_paid_ahead_are_deferred_until_they_begin(
        self, device: Device, now: datetime
    ) -> None:
        story = Story(device.viewer_id, now, plan())
        early = story.begins(1) - DAY
        tell(story.paid(0), now=now)
        tell(story.paid(1, at=early), now=early)

        until = between(now - HOUR, story.begins(1))
        assert (until.passes_micros, until.deferred_micros) == (10_000_000, 10_000_000)

    def test_whose_money_goes_back_and_comes_again_hold_on_every_day(
        self, device: Device, now: datetime, terms: None
    ) -> None:
        story = Story(device.viewer_id, now, plan(coins=50))
        tell(story.paid(0), now=now)
        tell(story.refund(0, at=now + DAY, amount_micros=3_000_001), now=now + DAY)
        tell(story.refund(0, at=now + DAY, refund_id="rest"), now=now + 2 * DAY)
        tell(story.reversal(0, at=now + 3 * DAY, refund_id="rest"), now=now + 3 * DAY)
        tell(story.paid(1), now=story.begins(1))

        days = [of_day(now + n * DAY) for n in range(16)]

        assert [list(ladder.violations(each)) for each in days] == [[]] * 16
        assert sum(each.passes_micros for each in days) == 8_500_000 * 2 - 2_550_000
        assert days[2].deferred_micros == 0
        assert days[-1].deferred_micros == 0
        assert sum(each.unattributed_micros for each in days) == 8_500_000 * 2 - 2_550_000

    def test_balance_in_the_journal_on_every_day(
        self, device: Device, now: datetime, terms: None
    ) -> None:
        story = Story(device.viewer_id, now, plan())
        tell(story.paid(0), now=now)
        tell(story.refund(0, at=now + DAY), now=now + DAY)

        for n in range(8):
            lines = journal.of_day(closing.local_date(now + n * DAY))
            assert sum(line.debit_micros for line in lines) == sum(
                line.credit_micros for line in lines
            )
        accounts = {line.account for line in journal.of_day(closing.local_date(now))}
        assert accounts == {"accounts_receivable", "deferred_revenue", "revenue_passes"}
