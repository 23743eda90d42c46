"""The stories in docs/money.md happen as they are told there, to the coin and to the micro."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import QuerySet, Sum

from catalog.models import Episode, Series
from payments.access import entitlements, paywall
from payments.chart import CHART, REVENUE_ORIGINS
from payments.models import (
    Entitlement,
    Lot,
    LotMovement,
    PassPurchase,
    Purchase,
    RefundBooking,
    RefundOrigin,
    StoreTerms,
    Unlock,
    UnlockCorrection,
    Wallet,
)
from payments.prices.terms import Adjustment
from payments.store import refunds
from payments.store.refunds import RefundFact
from payments.unlocking import bundles, unlocks
from tests.factories.operators import operator
from tests.factories.payments import fund, give_bonus
from tests.payments import ways
from tests.payments.subscribing import Story, plan, tell
from viewers.models import Device

PAGE = Path(settings.BASE_DIR) / "docs" / "money.md"
_STORY = re.compile(r"^```story\n(.+?)^```$", re.MULTILINE | re.DOTALL)
_STEPS = {
    "fee": r"fee (?P<percent>\d+) %",
    "buy": r"buy (?P<paid>\d+)(?: \+ (?P<bonus>\d+))? for (?P<price>[\d.]+)(?: as (?P<name>\w+))?",
    "earn": r"earn (?P<coins>\d+)(?:, lapsing in (?P<days>\d+) days)?",
    "unlock": r"unlock (?P<number>\d+)",
    "sell": r"sell bundles at (?P<percent>\d+) %",
    "rest": r"unlock the rest",
    "play": r"play (?P<number>\d+)",
    "subscribe": r"subscribe for (?P<price>[\d.]+) with (?P<coins>\d+) coins",
    "period": r"(?P<verb>refund|reverse) period",
    "refund": r"refund (?P<name>\w+)(?: by (?P<amount>[\d.]+))?",
    "reverse": r"reverse (?P<name>\w+)",
    "undo": r"undo (?P<number>\d+)",
    "days": r"(?P<days>\d+) days? pass(?:es)?",
}
"""The verbs of a story, and what may follow them."""


def stories() -> list[str]:
    return _STORY.findall(PAGE.read_text(encoding="utf-8"))


@dataclass
class Teller:
    """Does what a story's lines say, a second apart, and reads what they expect."""

    viewer_id: UUID
    series: Series
    now: datetime
    operator_id: int
    purchases: dict[str, Purchase] = field(default_factory=dict)
    subscription: Story | None = None
    refused: bool = False

    def tell(self, line: str) -> None:
        step, _, expected = (part.strip() for part in line.partition("|"))
        verb, told = _understood(step)
        self.now += timedelta(seconds=1)
        self.refused = False
        getattr(self, f"_{verb}")(**told)
        figures = [each.strip() for each in expected.split(",")] if expected else []
        assert [self._reading(figure) for figure in figures] == figures, step

    def _reading(self, figure: str) -> str:
        """What is so, in the words of the expectation."""
        name, _, value = figure.partition(" ")
        if name == "refused":
            return "refused" if self.refused else "charged"
        if name in {"open", "closed"}:
            is_open = self._episode(value).id in self._live()
            return f"{'open' if is_open else 'closed'} {value}"
        if name in {"paid", "bonus", "debt"}:
            coins = getattr(Wallet.objects.get(viewer_id=self.viewer_id), f"{name}_coins")
            return f"{name} {abs(coins)}"
        assert name in {"recognised", "deferred"}, figure
        micros = self._recognised() if name == "recognised" else self._deferred()
        return f"{name} {Decimal(micros) / 1_000_000:.6f}"

    def _fee(self, percent: str) -> None:
        StoreTerms.objects.create(
            provider="fake",
            effective_from=self.now - timedelta(days=1),
            fee_parts_per_million=int(percent) * 10_000,
        )

    def _buy(self, paid: str, bonus: str | None, price: str, name: str | None) -> None:
        self.purchases[name or "it"] = fund(
            self.viewer_id,
            now=self.now,
            paid=int(paid),
            bonus=int(bonus or 0),
            price_micros=int(Decimal(price) * 1_000_000),
        )

    def _earn(self, coins: str, days: str | None) -> None:
        ends = self.now + timedelta(days=int(days)) if days else None
        give_bonus(self.viewer_id, coins=int(coins), now=self.now, expires_at=ends)

    def _subscribe(self, price: str, coins: str) -> None:
        """The week begins as the next line does, so that whole days of it are whole in the figures."""
        self.now += timedelta(seconds=1)
        self.subscription = Story(self.viewer_id, self.now, plan(coins=int(coins)))
        self.now -= timedelta(seconds=1)
        micros = int(Decimal(price) * 1_000_000)
        period = self.subscription.period(0, price_micros=micros)
        tell(self.subscription.paid(0, period=period), now=self.now)

    def _period(self, verb: str) -> None:
        assert self.subscription is not None
        fact = getattr(self.subscription, "refund" if verb == "refund" else "reversal")
        tell(fact(0, at=self.now), now=self.now)

    def _unlock(self, number: str) -> None:
        shown = paywall.show(
            viewer_id=self.viewer_id,
            environment="production",
            series_id=self.series.id,
            now=self.now,
        )
        decision = unlocks.unlock(
            viewer_id=self.viewer_id,
            environment="production",
            episode_id=self._episode(number).id,
            quote=shown.quote.token(),
            now=self.now,
        )
        self.refused = decision.outcome.outcome == "insufficient_coins"

    def _sell(self, percent: str) -> None:
        ways.sell(self.now, bundle=Adjustment(scale_parts_per_million=int(percent) * 10_000))

    def _rest(self) -> None:
        shown = paywall.show(
            viewer_id=self.viewer_id,
            environment="production",
            series_id=self.series.id,
            now=self.now,
        )
        quote = bundles.quote_for(shown)
        assert quote is not None
        bundles.unlock(
            viewer_id=self.viewer_id,
            environment="production",
            series_id=self.series.id,
            quote=quote.token(),
            now=self.now,
        )

    def _play(self, number: str) -> None:
        entitlements.mark_played([self._live()[self._episode(number).id]], now=self.now)

    def _refund(self, name: str, amount: str | None) -> None:
        micros = int(Decimal(amount) * 1_000_000) if amount else None
        self._record(name, amount_micros=micros, refunded_at=self.now)

    def _reverse(self, name: str) -> None:
        self._record(name, amount_micros=None, reversed_at=self.now)

    def _record(self, name: str, **facts: object) -> None:
        bought = self.purchases[name]
        fact = RefundFact(
            provider=bought.provider,
            environment=bought.environment,
            transaction_id=bought.transaction_id,
            refund_id=refunds.ALL,
            origin=RefundOrigin.STORE,
            **facts,
        )
        refunds.record(fact, now=self.now)

    def _undo(self, number: str) -> None:
        unlock = Unlock.objects.filter(episode=self._episode(number)).latest("id")
        refunds.undo_unlock(unlock, operator_id=self.operator_id, reason="By mistake", now=self.now)

    def _days(self, days: str) -> None:
        self.now += timedelta(days=int(days))
        with connection.cursor() as cursor:
            cursor.execute("SELECT payments_expire_lots(100, %s)", [self.now])

    def _episode(self, number: str) -> Episode:
        return self.series.episodes.get(number=int(number))

    def _live(self) -> dict[UUID, Entitlement]:
        return entitlements.live(
            viewer_id=self.viewer_id,
            environment="production",
            series_id=self.series.id,
            at=self.now,
        )

    def _recognised(self) -> int:
        """Revenue so far: coins spent, less what was taken back, coins that lapsed, and what time has earned."""
        unlocked = Unlock.objects.filter(viewer_id=self.viewer_id)
        corrected = UnlockCorrection.objects.filter(unlock__viewer_id=self.viewer_id)
        lapsed = LotMovement.objects.filter(
            lot__wallet__viewer_id=self.viewer_id,
            lot__origin__in=REVENUE_ORIGINS,
            transfer__code="expiry",
        )
        left_over = RefundBooking.objects.filter(purchase__viewer_id=self.viewer_id)
        return (
            _total(unlocked, "value_micros")
            + _total(corrected, "value_micros")
            - _total(lapsed, "value_micros")
            - _total(left_over, "difference_micros")
            + sum(earned for earned, _ in self._periods())
        )

    def _deferred(self) -> int:
        lots = Lot.objects.filter(wallet__viewer_id=self.viewer_id, origin__in=REVENUE_ORIGINS)
        ahead = sum(worth - earned for earned, worth in self._periods())
        return _total(lots, "remaining_value_micros") + ahead

    def _periods(self) -> Iterator[tuple[int, int]]:
        """What each period has earned, and what it is worth."""
        for period in PassPurchase.objects.filter(viewer_id=self.viewer_id):
            worth = period.net_micros - refunds.refunded_net_micros(period)
            yield refunds.earned_micros(worth, period, at=self.now), worth


def _understood(step: str) -> tuple[str, dict[str, str | None]]:
    """The verb of a step, and what was said with it."""
    for verb, pattern in _STEPS.items():
        if found := re.fullmatch(pattern, step):
            return verb, found.groupdict()
    raise AssertionError(f"nobody knows how to {step!r}")


def _total(rows: QuerySet[Any], name: str) -> int:
    return rows.aggregate(total=Sum(name))["total"] or 0


@pytest.fixture
def teller(device: Device, series: Series, now: datetime) -> Teller:
    return Teller(viewer_id=device.viewer_id, series=series, now=now, operator_id=operator().id)


@pytest.mark.parametrize("story", stories(), ids=lambda story: story.splitlines()[0].strip("# "))
def test_a_story_happens_as_it_is_told(teller: Teller, story: str) -> None:
    for line in story.splitlines():
        if line and not line.startswith("#"):
            teller.tell(line)


def test_the_page_tells_stories() -> None:
    assert len(stories()) >= 6


def test_the_pages_chart_is_the_codes() -> None:
    row = re.compile(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
    told = {
        code: (set(re.findall(r"\w+", out_of)), set(re.findall(r"\w+", into)))
        for code, out_of, into in row.findall(PAGE.read_text(encoding="utf-8"))
        if "`" in out_of
    }
    assert told == {
        str(code): ({str(a) for a in way.out_of}, {str(a) for a in way.into})
        for code, way in CHART.items()
    }
