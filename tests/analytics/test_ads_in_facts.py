"""Ads among what opened episodes: their revenue once, their openings once, and coins that carry it."""

from datetime import datetime
from typing import Any

import pytest

from ads.models import Placement
from analytics.exports.datasets import DATASETS, Span
from analytics.reports import facts
from catalog.models import Series
from payments.access import paywall
from payments.unlocking import unlocks
from tests import ledger_rules
from tests.factories.ads import PlacementFactory, ad_session, watch
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.payments import default_plan
from tests.factories.viewers import ViewerFactory
from tests.payments.calls import episode

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_ad_is_counted_once_whatever_it_was_watched_for(now: datetime) -> None:
    default_plan()
    series: Series = SeriesFactory()
    episodes_of(series, range(1, 16))
    viewer_id = ViewerFactory().id

    def see(placement: Placement, number: int | None) -> None:
        episode_id = None if number is None else episode(series, number)
        seen = ad_session(placement, viewer_id=viewer_id, episode_id=episode_id, now=now)
        assert watch(seen, now=now).verdict == "paid"

    two_ads = PlacementFactory(reward_amount=2, ads_needed=2, estimated_net_micros=100)
    see(two_ads, 9)
    see(two_ads, 9)
    see(PlacementFactory(reward="coins", reward_amount=60, estimated_net_micros=7_000), None)
    unlocked = unlocks.unlock(
        viewer_id=viewer_id,
        environment="production",
        episode_id=episode(series, 12),
        quote=paywall.show(
            viewer_id=viewer_id, environment="production", series_id=series.id, now=now
        ).quote.token(),
        now=now,
    )
    assert unlocked.outcome.bonus_coins == 60
    see(PlacementFactory(reward="minutes", reward_amount=30, estimated_net_micros=30), 13)

    rows = [row for table in facts.read("unlocks") for row in table.to_pylist()]
    numbers = {str(one.id): one.number for one in series.episodes.all()}

    def told(row: dict[str, Any]) -> tuple[Any, ...]:
        number = numbers.get(row["episode_id"])
        return row["means"], number, row["unlocks"], row["value_micros"]

    assert sorted(map(told, rows), key=str) == sorted(
        [
            ("ad", 9, 0, 100),  # the first of two
            ("ad", 9, 1, 100),
            ("ad", 10, 1, 0),  # opened by the same ad
            ("ad", None, 0, 7_000),  # for coins: of no title
            ("coins", 12, 1, 7_000),  # where they were spent
            ("carried", None, 0, -7_000),  # and no longer of none
            ("ad", 13, 1, 30),  # the whole title for a time is one opening
        ],
        key=str,
    )
    of_series = [
        row for table in facts.read("unlocks", series_id=series.id) for row in table.to_pylist()
    ]
    assert sorted(map(told, of_series), key=str) == sorted(
        (told(row) for row in rows if row["series_id"]), key=str
    )
    assert ledger_rules.broken() == []

    exported = _exported()
    assert sorted(map(told, exported), key=str) == sorted(
        (told(row) for row in rows if row["means"] != "carried"), key=str
    )
    # All of it, once: what carries an ad's revenue says how much of it.
    assert sum(row["value_micros"] - row["carried_micros"] for row in exported) == sum(
        row["value_micros"] for row in rows
    )


def _exported() -> list[dict[str, Any]]:
    """The same as an export has it."""
    dataset = DATASETS["unlocks"]
    with dataset.opened(Span(None, dataset.ends_at(), None, None)) as opened:
        told = [
            dict(zip(dataset.columns, row, strict=True)) for part in opened.parts for row in part
        ]
    assert len(told) == opened.count
    return [
        row | {name: row[name] and str(row[name]) for name in ("series_id", "episode_id")}
        for row in told
    ]
