"""However a viewer changes plans at Stripe, coins come for money that was charged, and for periods that began."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.models import Lot, PassPurchase
from tests import ledger_rules
from tests.factories.payments import StorePassFactory
from tests.factories.viewers import ViewerFactory
from tests.payments.providers.stripe.shop import PASS, VIEWER, Shop
from tests.payments.subscribing import tell

#: Coins, cents, and how often: the dearest is the best value, by the money and by the period.
PLANS = ((100, 1000, "month"), (500, 2500, "month"), (40, 500, "week"))
MOST_COINS = 500
CHANGES, DAYS = st.integers(0, len(PLANS) - 1), st.integers(0, 40).map(lambda days: -1 - days)


class Market:
    """A shop whose every event is told here, and one viewer who subscribes in it."""

    def __init__(self, folder: str) -> None:
        self.shop = Shop(Path(folder))
        ViewerFactory(id=VIEWER, environment="sandbox")
        self.prices = [self._sold(*plan) for plan in PLANS]
        sale = replace(PASS, price_id=self.prices[0], store_product_id=self.prices[0])
        self._mark = self.shop.mark()
        self.subscription_id = self.shop.subscribed(sale)
        self.hear()

    def _sold(self, coins: int, cents: int, interval: str) -> str:
        price: str = self.shop.order(
            "set_price", name=f"{coins} coins", unit_amount=cents, currency="usd", interval=interval
        )["id"]
        StorePassFactory(
            provider="stripe",
            store_product_id=price,
            pass_product__is_renewing=True,
            pass_product__period_coins=coins,
            pass_product__price_micros=cents * 10_000,
        )
        return price

    def change(self, number: int) -> None:
        self.shop.order("change", subscription=self.subscription_id, price=self.prices[number])
        self.hear()

    def wait(self, days: int) -> None:
        self.shop.advance(days=days)
        self.hear()

    def hear(self) -> None:
        for message in self.shop.messages(self._mark):
            facts = self.shop.adapter.facts_of(message, now=self.shop.now)
            tell(*facts, now=self.shop.now, provider="stripe")
        self._mark = self.shop.mark()

    def invoices(self, *reasons: str) -> Sequence[Any]:
        """Those of Stripe that are paid, of these reasons."""
        with self.shop.stripe.kept.reading() as state:
            return [
                one
                for one in state.objects.values()
                if one["object"] == "invoice"
                and one["status"] == "paid"
                and one["billing_reason"] in reasons
            ]

    def close(self) -> None:
        self.shop.http.close()
        self.shop.stripe.peer._log.close()


@pytest.fixture
def market(db: None, tmp_path: Path) -> Iterator[Market]:
    made = Market(str(tmp_path))
    yield made
    made.close()


def coins() -> int:
    lots = Lot.objects.filter(wallet__viewer_id=VIEWER)
    total: int = lots.aggregate(total=Sum("granted_coins", default=0))["total"]
    return total


def assert_money_brought_its_coins(*, cents: int) -> None:
    """The first month's, and the dearest plan's for what was charged beside it: seconds of Stripe's time cost a few
    cents more or less."""
    charged = sum(PassPurchase.objects.values_list("gross_micros", flat=True)) // 10_000 - 1000
    assert abs(charged - cents) <= 10
    assert 0 <= MOST_COINS * charged // 2500 - (coins() - 100) <= 5


def test_changing_there_and_back_all_day_brings_what_its_money_would_at_once(
    market: Market,
) -> None:
    assert coins() == 100
    for _ in range(5):
        market.change(1)
        market.change(0)

    # Fifteen dollars once; from then on a credit pays, of money that is counted already.
    assert_money_brought_its_coins(cents=1500)


def test_a_renewal_that_the_credit_pays_brings_its_coins(market: Market) -> None:
    market.change(1)
    market.change(0)
    before = coins()
    market.wait(32)

    assert coins() == before + 100
    renewal = PassPurchase.objects.order_by("store_starts_at").last()
    assert renewal is not None
    assert (renewal.gross_micros, renewal.is_prorated) == (0, False)


def test_a_whole_period_is_not_had_for_what_is_left_of_another(market: Market) -> None:
    for _ in range(4):
        market.change(2)
        market.change(1)

    # Fifteen dollars for what the credit of the first month left of the other's price.
    assert_money_brought_its_coins(cents=1500)


@pytest.mark.django_db
@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(CHANGES | DAYS, max_size=10))
def test_coins_are_bound_by_money_and_by_periods_whatever_is_changed_and_when(
    steps: list[int],
) -> None:
    """No more than the dearest plan's for each period that began, and for what was charged beside as many as it
    is of that plan's price. What is charged is booked, to the micro."""
    with TemporaryDirectory() as folder, transaction.atomic(), closing(Market(folder)) as market:
        for step in steps:
            market.change(step) if step >= 0 else market.wait(-step)
        begun = market.invoices("subscription_create", "subscription_cycle")
        changed = market.invoices("subscription_update")
        charged = sum(one["amount_paid"] for one in changed)

        assert coins() <= MOST_COINS * len(begun) + MOST_COINS * charged // 2500
        assert coins() >= 40 * len(begun)
        booked = sum(PassPurchase.objects.values_list("gross_micros", flat=True))
        assert booked == 10_000 * sum(one["amount_paid"] for one in (*begun, *changed))
        assert ledger_rules.broken() == []
        transaction.set_rollback(True)
