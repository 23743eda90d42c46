"""Watching is counted by the wall clock: each second once, and none that has not passed."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from ads.growth import watching
from ads.growth.watching import Stretches
from ads.models import WatchDay
from tests.factories.growth import caller, watch


def seconds_of(viewer_id: object) -> dict[str, int]:
    rows = WatchDay.objects.filter(viewer_id=viewer_id).order_by("day")
    return {str(row.day): row.seconds for row in rows}


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 300), st.integers(-5, 60)), max_size=40
    )
)
def test_overlapping_stretches_are_one(parts: Sequence[tuple[str, int, int]]) -> None:
    """Against a set of seconds."""
    expected = {
        (who, second) for who, start, length in parts for second in range(start, start + length)
    }

    united = watching._united(
        Stretches(
            viewers=[who for who, _, _ in parts],
            environments=["production"] * len(parts),
            starts=np.array([start for _, start, _ in parts], np.int64),
            ends=np.array([start + length for _, start, length in parts], np.int64),
        )
    )

    told = [(who, second) for who, _, start, end in united for second in range(start, end)]
    assert len(told) == len(set(told))
    assert set(told) == expected


@pytest.mark.django_db
def test_days_are_cut_at_the_reporting_zones_midnights(settings: Settings) -> None:
    settings.REPORTING_ZONE = ZoneInfo("America/New_York")
    viewer_id = caller().viewer.id
    # Clocks went forward on the 8th: that day had 23 hours.
    watch(viewer_id, until=datetime(2026, 3, 9, 4, 0, 10, tzinfo=UTC), seconds=23 * 3600 + 20)

    assert seconds_of(viewer_id) == {"2026-03-07": 10, "2026-03-08": 23 * 3600, "2026-03-09": 10}


@pytest.mark.django_db
def test_the_same_again_in_any_order_adds_nothing(now: datetime) -> None:
    viewer_id, source = caller().viewer.id, random.Random(7)  # noqa: S311
    parts = [
        (now + timedelta(seconds=source.randrange(900)), source.randrange(1, 90)) for _ in range(30)
    ]
    covered = {
        int(until.timestamp()) - second
        for until, length in parts
        for second in range(1, length + 1)
    }
    for until, length in parts * 2:
        watch(viewer_id, until=until, seconds=length)
    tested = caller(environment="sandbox")
    watch(tested.viewer.id, until=now, seconds=9, environment="sandbox")

    assert seconds_of(viewer_id) == {"2026-03-14": len(covered)}
    assert WatchDay.objects.get(viewer_id=tested.viewer.id).environment == "sandbox"
