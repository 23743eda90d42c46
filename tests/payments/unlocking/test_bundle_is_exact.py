"""A bundle takes the very coins, out of the very lots, that its episodes would take one by one."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from catalog.models import Series
from payments.access import paywall
from payments.desk import price_versions
from payments.models import Lot, Unlock, Wallet
from payments.prices import quotes
from payments.prices.terms import Adjustment
from payments.unlocking import bundles, unlocks
from tests.factories.payments import default_plan, fund, give_bonus
from tests.factories.viewers import DeviceFactory
from tests.proof import Proof

_MONEY = (
    *("number", "price_coins", "paid_coins", "bonus_coins", "value_micros", "attribution_micros"),
    *("adjustments", "price_version_id"),
)
_bought = st.tuples(st.just("bought"), st.integers(1, 300), st.integers(0, 90), st.just(0))
_earned = st.tuples(st.just("earned"), st.integers(1, 120), st.just(0), st.integers(0, 3))
_lots = st.lists(_bought | _earned, max_size=6)


def _give(viewer_id: UUID, lots: list[tuple[str, int, int, int]], now: datetime) -> None:
    for place, (kind, coins, bonus, days) in enumerate(lots):
        at = now + timedelta(seconds=place)
        if kind == "bought":
            fund(viewer_id, now=at, paid=coins, bonus=bonus, price_micros=coins * 9_973 + place)
        else:
            ends = at + timedelta(days=days) if days else None
            give_bonus(viewer_id, coins=coins, now=at, expires_at=ends, value_micros=coins * 7)


def _left(viewer_id: UUID) -> list[tuple[Any, ...]]:
    lots = Lot.objects.filter(wallet__viewer_id=viewer_id).order_by("granted_at", "kind", "id")
    return list(lots.values_list("kind", "remaining_coins", "remaining_value_micros"))


def _unlocked(viewer_id: UUID) -> list[tuple[Any, ...]]:
    return list(Unlock.objects.filter(viewer_id=viewer_id).order_by("number").values_list(*_MONEY))


def test_together_or_one_by_one_the_same_coins_leave_the_same_lots(
    series: Series, now: datetime, proof: Proof
) -> None:
    def judge(base: int, dearer: int, scale: int, lots: list[tuple[str, int, int, int]]) -> None:
        price_versions.add(
            plan=default_plan(),
            effective_from=now - timedelta(hours=1),
            free_count=8,
            base_price_coins=base,
            steps={11: base + dearer},
            bundle=Adjustment(scale_parts_per_million=scale),
            now=now,
        )
        together, apart = (DeviceFactory().viewer_id for _ in range(2))
        for viewer_id in (together, apart):
            _give(viewer_id, lots, now - timedelta(days=2))
        whose: dict[str, Any] = {"environment": "production", "now": now}
        shown = paywall.show(viewer_id=together, series_id=series.id, **whose)
        quote, held_coins = bundles.quote_for(shown), shown.balance.coins
        assert quote is not None
        outcome = bundles.unlock(
            viewer_id=together, series_id=series.id, quote=quote.token(), **whose
        ).outcome
        if outcome.outcome == "insufficient_coins":
            assert outcome.shortfall_coins == quote.total_coins - held_coins > 0
            assert _unlocked(together) == []
            return
        assert quote.total_coins <= held_coins
        single = quotes.make(
            viewer_id=apart,
            series_id=series.id,
            numbering=1,
            price=quote.price,
            **whose,
        ).token()
        for episode in shown.episodes[8:]:
            unlocks.unlock(viewer_id=apart, episode_id=episode.id, quote=single, **whose)

        assert _unlocked(together) == _unlocked(apart)
        assert _left(together) == _left(apart)
        assert outcome.price_coins == sum(row[1] for row in _unlocked(together))
        assert outcome.price_coins == outcome.paid_coins + outcome.bonus_coins
        spent = Wallet.objects.filter(viewer_id__in=[together, apart])
        assert set(spent.values_list("spent_coins", flat=True)) == {outcome.price_coins}

    @settings(
        max_examples=proof.rounds(full=400),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        base=st.integers(1, 150),
        dearer=st.integers(1, 50),
        scale=st.integers(1, 1_000_000),
        lots=_lots,
    )
    def explore(**case: Any) -> None:
        with transaction.atomic():
            judge(**case)
            transaction.set_rollback(True)

    explore()
    proof.record("P10", "a bundle's coins are those of its episodes one by one", violations=0)
