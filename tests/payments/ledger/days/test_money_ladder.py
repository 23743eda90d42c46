"""Every micro that viewers pay is on one rung of one day, and the rungs add up whatever happens."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from ads.models import AdSession, Placement
from catalog.models import Series
from config.problems import Problem
from payments.access import entitlements
from payments.chart import REVENUE_ORIGINS
from payments.ledger.days import closing, journal, ladder
from payments.models import (
    Lot,
    LotMovement,
    MoneyDay,
    PassPurchase,
    PassRefundBooking,
    Purchase,
    Refund,
    StoreTerms,
    Unlock,
)
from payments.store import operator_refunds, refunds
from tests.factories.ads import PlacementFactory, ad_session, watch
from tests.factories.operators import operator
from tests.factories.payments import as_owner, buy_pass, fund, give_bonus
from tests.factories.viewers import DeviceFactory
from tests.payments.ledger.days.story import (
    DAY,
    HOUR,
    PRODUCTION,
    SANDBOX,
    close_all,
    lapse,
    money_back,
    of_day,
    spend,
)
from tests.proof import Proof
from viewers.models import Device


def test_the_worked_example_stands_on_three_days(
    example: None, now: datetime, later: datetime, series: Series
) -> None:
    close_all(later)
    rungs = (
        "gross", "tax", "fee", "refunds", "net", "coins", "breakage", "difference", "ads",
        "recognised", "deferred", "titles", "unattributed",
    )  # fmt: skip
    rows = {
        row.day: [getattr(row, f"{rung}_micros") for rung in rungs]
        for row in MoneyDay.objects.filter(environment=PRODUCTION)
    }
    first = closing.local_date(now)
    assert [rows[first + n * DAY] for n in range(4)] == [
        [9_990_000, 0, 1_498_500, 0, 8_491_500, 485_229, 0, 0, 0, 485_229, 8_006_271, 485_229, 0],
        [0, 0, 0, 0, 0, 485_228, 0, 0, 12_000, 497_228, 7_521_043, 497_228, 0],
        [0, 0, 0, 8_491_500, -8_491_500, -970_457, 0, 0, 0, -970_457, 0, -970_457, 0],
        [0] * 13,
    ]
    assert of_day(now + DAY).by_title == {series.id: 497_228}
    assert not any(MoneyDay.objects.values_list("violations", flat=True))


def test_tax_and_fee_are_on_rungs_of_their_own(device: Device, now: datetime) -> None:
    StoreTerms.objects.create(
        provider="fake",
        effective_from=now - DAY,
        fee_parts_per_million=300_000,
        tax_parts_per_million=190_000,
    )
    bought = fund(device.viewer_id, now=now, price_micros=9_990_000)

    found = of_day(now)
    assert found.gross_micros == 9_990_000
    assert (found.tax_micros, found.fee_micros) == (bought.tax_micros, bought.fee_micros)
    assert found.net_micros == bought.net_micros == found.deferred_micros
    assert bought.tax_micros > 0


def test_bought_coins_that_lapse_are_breakage(device: Device, now: datetime) -> None:
    fund(device.viewer_id, now=now, paid=100, bonus=100, price_micros=2_000_000)
    lapse(now + DAY)

    found = of_day(now + DAY)
    assert (found.breakage_micros, found.recognised_micros) == (1_000_000, 1_000_000)
    assert found.deferred_micros == 1_000_000
    assert (found.titles_micros, list(ladder.violations(found))) == (0, [])


def test_coins_that_an_ad_earned_are_no_revenue_when_spent_but_their_titles(
    device: Device, series: Series, now: datetime
) -> None:
    give_bonus(device.viewer_id, coins=60, value_micros=5_000, now=now)
    spend(device.viewer_id, series, 9, now)

    found = of_day(now)
    assert (found.recognised_micros, found.deferred_micros) == (0, 0)
    assert found.by_title == {series.id: 5_000}
    assert (found.unattributed_micros, found.spent_micros) == (-5_000, 0)


def test_a_day_ends_where_the_reporting_zones_does(
    device: Device, now: datetime, settings: Settings
) -> None:
    settings.REPORTING_ZONE = ZoneInfo("Asia/Shanghai")
    midnight = closing.day_starts_at(closing.local_date(now))
    assert midnight.utcoffset() == 8 * HOUR
    fund(device.viewer_id, now=midnight - timedelta(microseconds=1), price_micros=1)
    fund(device.viewer_id, now=midnight, price_micros=2)

    assert of_day(midnight - HOUR).gross_micros == 1
    assert of_day(midnight).gross_micros == 2
    assert of_day(midnight).deferred_before_micros == 1


@dataclass
class Chaos:
    """Viewers in both environments do whatever comes to mind, at any hour of four days."""

    dice: Random
    series: Series
    start: datetime
    operator_id: int
    placement: Placement
    viewers: list[tuple[UUID, str]]
    purchases: list[Purchase | PassPurchase] = field(default_factory=list)
    deeds: ClassVar[tuple[str, ...]] = (
        *("buy", "spend", "spend", "earn", "ad"),
        *("refund", "reverse", "undo", "lapse", "pass"),
    )

    def act(self, deed: str | None = None) -> None:
        at = self.start + timedelta(seconds=self.dice.randrange(4 * 24 * 3600))
        viewer_id, environment = self.dice.choice(self.viewers)
        getattr(self, f"_{deed or self.dice.choice(self.deeds)}")(viewer_id, environment, at)

    def _buy(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        bought = fund(
            viewer_id,
            now=at,
            paid=self.dice.randint(1, 300),
            bonus=self.dice.randint(0, 100),
            price_micros=self.dice.randint(0, 20_000_000),
            environment=environment,
        )
        self.purchases.append(bought)

    def _pass(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        bought = buy_pass(
            viewer_id,
            now=at,
            days=self.dice.randint(1, 2),
            price_micros=self.dice.randint(0, 20_000_000),
            environment=environment,
        )
        self.purchases.append(bought)

    def _spend(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        unlock = spend(viewer_id, self.series, self.dice.randint(9, 12), at, environment)
        if unlock and self.dice.random() < 0.5:
            entitlements.mark_played([unlock.entitlement], now=at)

    def _earn(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        give_bonus(
            viewer_id, coins=self.dice.randint(1, 90), value_micros=self.dice.randint(0, 9_999),
            now=at, environment=environment,
        )  # fmt: skip

    def _ad(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        episode = self.series.episodes.get(number=self.dice.randint(9, 12))
        self.see(self.placement, episode.id, viewer_id, environment, at)

    def see(
        self,
        placement: Placement,
        episode_id: UUID | None,
        viewer_id: UUID,
        environment: str,
        at: datetime,
    ) -> AdSession | None:
        """The session, watched to its end; None where none is given."""
        try:
            seen = ad_session(
                placement,
                viewer_id=viewer_id,
                episode_id=episode_id,
                now=at,
                environment=environment,
            )
        except Problem:  # the episode is open, or an ad was watched that is after this one
            return None
        watch(seen, now=at)
        return seen

    def _refund(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        if self.purchases:
            bought = self.dice.choice(self.purchases)
            part = self.dice.choice([None, max(bought.gross_micros // 3, 1)])
            money_back(bought, at, refund_id=str(self.dice.randrange(3)), amount_micros=part)

    def _reverse(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        refund = Refund.objects.filter(reversed_at=None).order_by("id").last()
        if refund:
            operator_refunds.reverse(refund, operator_id=self.operator_id, now=at)

    def _undo(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        unlock = Unlock.objects.filter(viewer_id=viewer_id, reversal=None).order_by("id").last()
        if unlock:
            try:
                refunds.undo_unlock(unlock, operator_id=self.operator_id, reason="", now=at)
            except refunds.UnlockRefunded:
                return

    def _lapse(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        lapse(at)


def test_the_rungs_add_up_whatever_happens(
    series: Series, now: datetime, later: datetime, terms: None, proof: Proof
) -> None:
    broken = 0
    chaos = Chaos(
        dice=Random(proof.seed),  # noqa: S311  nothing secret
        series=series,
        start=closing.day_starts_at(closing.local_date(now)),
        operator_id=operator().id,
        placement=PlacementFactory(daily_cap=100, cooldown_seconds=0),
        viewers=[(DeviceFactory().viewer_id, at) for at in (PRODUCTION, SANDBOX) for _ in "12"],
    )
    for _ in range(proof.rounds(full=2_000)):
        chaos.act()
    close_all(later)

    rows = list(MoneyDay.objects.order_by("day", "environment"))
    assert {row.environment for row in rows} == {PRODUCTION, SANDBOX}
    for row in rows:
        broken += len(row.violations)
        assert row.violations == []
        assert row.deferred_micros == deferred_from_scratch(row)
        assert booked(row) == {
            "accounts_receivable": row.net_micros,
            "receivable_ads": row.ads_micros,
            "revenue_coins": -row.coins_micros,
            "revenue_breakage": -row.breakage_micros,
            "revenue_differences": -row.difference_micros,
            "revenue_passes": -row.passes_micros,
            "revenue_ads": -row.ads_micros,
            "deferred_revenue": row.coins_micros
            + row.breakage_micros
            + row.difference_micros
            + row.passes_micros
            - row.net_micros,
        }
    proof.record("P18", "operations whose days' ladders and journals add up", violations=broken)


def deferred_from_scratch(row: MoneyDay) -> int:
    """What bought lots held at a day's end, from what each was granted and every movement since, and what
    passes had not earned."""
    end = closing.day_starts_at(row.day + DAY)
    mine = {"environment": row.environment, "origin__in": REVENUE_ORIGINS}
    granted = Lot.objects.filter(**mine, granted_at__lt=end).values_list("value_micros", flat=True)
    moved = LotMovement.objects.filter(
        lot__environment=row.environment, lot__origin__in=REVENUE_ORIGINS, created_at__lt=end
    ).values_list("value_micros", flat=True)
    return sum(granted) + sum(moved) + passes_ahead(row.environment, end)


def passes_ahead(environment: str, at: datetime) -> int:
    """What is left of each pass's net at a moment, in whole numbers of its microseconds."""
    tick, left = timedelta(microseconds=1), 0
    for each in PassPurchase.objects.filter(environment=environment):
        back = PassRefundBooking.objects.filter(purchase=each, created_at__lt=at)
        worth = each.net_micros * (each.created_at < at)
        worth -= sum(back.values_list("net_micros", flat=True))
        elapsed = max(min(at, each.ends_at) - each.starts_at, timedelta())
        left += worth - worth * (elapsed // tick) // (each.length // tick)
    return left


def booked(row: MoneyDay) -> dict[str, int]:
    """By account what the day's journal debits, less what it credits."""
    sums = {str(account): 0 for account in journal.Account}
    for line in journal.of_day(row.day):
        if line.environment == row.environment:
            sums[line.account] += line.debit_micros - line.credit_micros
    return sums


@contextmanager
def damaged(statement: str) -> Iterator[None]:
    """A ledger that somebody has changed behind its functions' backs, until the block ends."""
    with transaction.atomic():
        with as_owner() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(statement)
            assert cursor.rowcount
        yield
        transaction.set_rollback(True)


DAMAGES = {
    "an unlock's value": "UPDATE payments_unlock SET value_micros = value_micros + 1",
    "a movement's value": "UPDATE payments_lotmovement SET value_micros = value_micros - 1"
    " WHERE value_micros < -1",
    "what is left in a lot": "UPDATE payments_lot SET remaining_value_micros ="
    " remaining_value_micros - 1 WHERE kind = 'paid'",
    "a purchase's net price": "UPDATE payments_purchase SET net_micros = net_micros - 1",
    "the environment of a lot": "UPDATE payments_lot SET environment = 'sandbox'"
    " WHERE kind = 'paid'",
    "the environment of an unlock": "UPDATE payments_unlock SET environment = 'sandbox'",
}


@pytest.mark.parametrize("statement", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_told_by_the_day_and_logged(
    device: Device,
    series: Series,
    now: datetime,
    later: datetime,
    statement: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fund(device.viewer_id, now=now, paid=1000, bonus=50, price_micros=9_990_000)
    spend(device.viewer_id, series, 9, now + HOUR)
    day = closing.local_date(now)
    with damaged(statement), caplog.at_level(logging.ERROR, logger="payments.ledger.days.closing"):
        rows = closing.close(day, now=later)
        kept = MoneyDay.objects.get(day=day, environment=rows[0].environment)

    told = [sentence for row in rows for sentence in row.violations]
    assert told
    assert len(caplog.records) == len(told)
    assert kept.violations == rows[0].violations


def test_a_day_that_does_not_follow_from_the_one_before_says_so(
    example: None, now: datetime, later: datetime
) -> None:
    close_all(later)
    first = closing.local_date(now)
    MoneyDay.objects.filter(day=first).update(deferred_micros=1, net_micros=2)

    production, sandbox = closing.close(first + DAY, now=later)
    assert len(production.violations) == 2
    assert "the day before ended with 1" in production.violations[0]
    assert production.violations[1].startswith("Net billings were 2 micros so far")
    assert sandbox.environment == SANDBOX
