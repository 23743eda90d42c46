"""Random top-ups and unlocks against a ledger of twenty lines of Python."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.models import Series
from payments import quotes, unlocks, verification
from payments.models import PricePlan, PriceVersion, Unlock
from payments.pricing import add_version
from payments.wallets import balance
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.payments import fund
from tests.factories.viewers import DeviceFactory

START = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@dataclass
class ModelLot:
    kind: str
    granted: int
    value: int
    spent: int = 0

    def take(self, coins: int) -> int:
        """Spends coins; returns the value they carry."""
        before = floor(Fraction(self.value * self.spent, self.granted))
        self.spent += coins
        return floor(Fraction(self.value * self.spent, self.granted)) - before


@dataclass
class ModelWallet:
    lots: list[ModelLot] = field(default_factory=list)

    def buy(self, paid: int, bonus: int, net: int) -> None:
        of_paid = net * paid // (paid + bonus)
        self.lots.append(ModelLot("paid", paid, of_paid))
        if bonus:
            self.lots.append(ModelLot("bonus", bonus, net - of_paid))

    def coins(self, kind: str) -> int:
        return sum(lot.granted - lot.spent for lot in self.lots if lot.kind == kind)

    def spend(self, price: int) -> tuple[int, int, int] | None:
        """(paid, bonus, value), or None with nothing spent."""
        if self.coins("paid") + self.coins("bonus") < price:
            return None
        used, value = {"paid": 0, "bonus": 0}, 0
        for lot in sorted(self.lots, key=lambda lot: lot.kind == "paid"):
            coins = min(lot.granted - lot.spent, price - sum(used.values()))
            used[lot.kind] += coins
            value += lot.take(coins) if coins else 0
        return used["paid"], used["bonus"], value


purchases = st.tuples(
    st.just("buy"), st.integers(1, 300), st.integers(0, 100), st.integers(1, 20_000_001)
)
spends = st.tuples(st.just("spend"), st.integers(1, 150))


@pytest.fixture
def priced_series(db: None) -> tuple[Series, PriceVersion]:
    """A series whose episode n costs n coins, so that every price is there to be charged."""
    series = SeriesFactory(state="published")
    for number in range(1, 151):
        EpisodeFactory(series=series, number=number)
    version = add_version(
        plan=PricePlan.objects.get(is_default=True),
        effective_from=START,
        free_count=0,
        base_price_coins=1,
        overrides={number: number for number in range(1, 151)},
        now=START,
    )
    return series, version


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(st.one_of(purchases, spends), min_size=1, max_size=25))
def test_every_split_and_value_is_the_models(
    priced_series: tuple[Series, PriceVersion], steps: list[tuple[str, int, int, int]]
) -> None:
    series, version = priced_series
    episodes = dict(series.episodes.values_list("number", "id"))
    viewer_id, model, now = DeviceFactory().viewer_id, ModelWallet(), START
    charged: set[int] = set()
    quote = quotes.make(
        viewer_id=viewer_id,
        environment="production",
        series_id=series.id,
        numbering=series.numbering,
        price_version_id=version.id,
        now=START,
    ).token()

    for name, *amounts in steps:
        now += timedelta(seconds=1)
        if name == "buy":
            paid, bonus, price = amounts
            fund(viewer_id, now=now, paid=paid, bonus=bonus, price_micros=price)
            model.buy(paid, bonus, price)
            continue
        (price,) = amounts
        expected = None if price in charged else model.spend(price)
        outcome = unlocks.unlock(
            viewer_id=viewer_id,
            environment="production",
            episode_id=episodes[price],
            quote=quote,
            now=now,
        ).outcome
        if price in charged:
            assert outcome.outcome == "already_unlocked"
        elif expected is None:
            assert outcome.outcome == "insufficient_coins"
        else:
            charged.add(price)
            kept = Unlock.objects.get(id=outcome.unlock_id)
            assert (kept.paid_coins, kept.bonus_coins, kept.value_micros) == expected

    left = balance(viewer_id=viewer_id, environment="production", at=now)
    assert (left.paid_coins, left.bonus_coins) == (model.coins("paid"), model.coins("bonus"))
    assert list(verification.violations()) == []
