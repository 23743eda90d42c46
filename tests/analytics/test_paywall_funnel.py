"""An analyst reads how many starters reach the paywall, unlock, and watch what they unlocked."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import funnels
from analytics.reports.funnels import FunnelRow
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, event, lake, played, utc
from tests.proof import Proof

SERIES, OTHER = str(UUID(int=1)), str(UUID(int=2))
START = utc("2026-03-01 10:00")
MATURE = START + 9 * DAY


def _shown(viewer: str, at: datetime, *, series: str = SERIES, **members: object) -> Row:
    return event("paywall_shown", viewer, at, series_id=series, episode_id="e9", **members)


def _unlock(viewer: str, at: datetime, *, means: str = "coins", series: str = SERIES) -> Row:
    return {
        "unlock_id": str(uuid4()),
        "means": means,
        "viewer_id": viewer,
        "series_id": series,
        "episode_id": f"{series}/e9",
        "coins": 60,
        "value_micros": 1,
        "playback_session_id": None,
        "position_ms": None,
        "created_at": at,
    }


def _covered(viewer: str, at: datetime, *, series: str = SERIES) -> Row:
    return {
        "entitlement_id": str(uuid4()),
        "viewer_id": viewer,
        "series_id": series,
        "episode_id": f"{series}/e9",
        "created_at": at,
    }


def _purchase(viewer: str, at: datetime) -> Row:
    return {
        "purchase_id": str(uuid4()),
        "viewer_id": viewer,
        "net_micros": 1,
        "coins": 1,
        "created_at": at,
    }


def _watch(viewer: str, at: datetime, ms: int, *, series: str = SERIES) -> Row:
    return played(viewer, at, series=series, episode=f"{series}/e9", version="v9", to_ms=ms)


def _total(
    rows: Sequence[Row],
    unlocks: Sequence[Row] = (),
    purchases: Sequence[Row] = (),
    *,
    watermark: datetime = MATURE,
    covered: Sequence[Row] = (),
) -> FunnelRow:
    tables = {"unlocks": unlocks, "purchases": purchases, "covered": covered}
    with lake(rows, watermark=watermark, tables=tables) as source:
        return funnels.paywall(source=source).total


def _start(viewer: str, *, series: str = SERIES, at: datetime = START) -> Row:
    """Played for a second, which ended a second after `at`."""
    return played(viewer, at + SECOND, series=series, to_ms=1000)


def test_follows_a_viewer_through_every_step() -> None:
    met = START + DAY
    rows = [_start("a"), _shown("a", met), _watch("a", met + HOUR, 3000)]

    total = _total(rows, [_unlock("a", met + 60 * SECOND)], [_purchase("a", met + SECOND)])

    assert (total.starters, total.immature, total.reached) == (1, 0, 1)
    assert (total.unlocked, total.unlocked_by_coins, total.unlocked_by_ad) == (1, 1, 0)
    assert (total.watched, total.topped_up) == (1, 1)
    assert (total.reach, total.conversion, total.watched_share) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(("played_ms", "starters"), [(999, 0), (1000, 1)])
def test_a_start_takes_a_second(played_ms: int, starters: int) -> None:
    assert _total([_watch("a", START, played_ms)]).starters == starters


@pytest.mark.parametrize(("after", "reached"), [(7 * DAY, 0), (7 * DAY - SECOND, 1)])
def test_the_paywall_is_reached_within_seven_days(after: timedelta, reached: int) -> None:
    assert _total([_start("a"), _shown("a", START + after)]).reached == reached


@pytest.mark.parametrize(("after", "unlocked"), [(DAY, 0), (DAY - SECOND, 1)])
def test_an_unlock_counts_within_a_day_of_the_first_encounter(
    after: timedelta, unlocked: int
) -> None:
    rows = [_start("a"), _shown("a", START + HOUR), _shown("a", START + 5 * HOUR)]

    total = _total(rows, [_unlock("a", START + HOUR + after)])

    assert (total.reached, total.unlocked) == (1, unlocked)


@pytest.mark.parametrize(("ms", "watched"), [(2999, 0), (3000, 1)])
def test_watching_takes_three_seconds_of_what_was_unlocked(ms: int, watched: int) -> None:
    met = START + HOUR
    rows = [_start("a"), _shown("a", met), _watch("a", met + HOUR, ms)]

    assert _total(rows, [_unlock("a", met)]).watched == watched


def test_the_first_unlock_says_by_which_means() -> None:
    met = START + HOUR
    unlocks = [_unlock("a", met + SECOND, means="ad"), _unlock("a", met + HOUR)]

    total = _total([_start("a"), _shown("a", met)], unlocks)

    assert (total.unlocked_by_coins, total.unlocked_by_ad) == (0, 1)


def test_what_a_subscription_opens_is_unlocked_as_well() -> None:
    met = START + HOUR

    total = _total([_start("a"), _shown("a", met)], covered=[_covered("a", met + SECOND)])

    assert (total.unlocked, total.unlocked_by_subscription, total.conversion) == (1, 1, 1.0)


def test_a_top_up_counts_between_encounter_and_unlock() -> None:
    met = START + HOUR
    rows = [_start("a"), _shown("a", met)]

    before, after = (
        _total(rows, [_unlock("a", met + HOUR)], [_purchase("a", moment)]).topped_up
        for moment in (met - SECOND, met + HOUR)
    )

    assert (before, after) == (0, 0)


def test_immature_starters_are_counted_apart_and_nowhere_else() -> None:
    rows = [_start("a"), _shown("a", START + HOUR)]

    total = _total(rows, [_unlock("a", START + HOUR)], watermark=MATURE - SECOND)

    assert (total.starters, total.immature, total.reached, total.unlocked) == (0, 1, 0, 0)
    assert total.reach is None


def test_the_sandbox_is_left_out() -> None:
    rows = [{**row, "environment": "sandbox"} for row in (_start("a"), _shown("a", START + HOUR))]

    assert _total(rows).starters == 0


def test_series_stand_apart_and_add_up() -> None:
    rows = [_start("a"), _start("a", series=OTHER), _shown("a", START + HOUR, series=OTHER)]

    with lake(rows, watermark=MATURE) as source:
        everything = funnels.paywall(source=source)
        one = funnels.paywall(source=source, series_id=UUID(OTHER))

    assert [(str(row.series_id), row.reached) for row in everything.series] == [
        (SERIES, 0),
        (OTHER, 1),
    ]
    assert everything.total.starters == 2
    assert one.series == everything.series[1:]
    assert one.filters == {"series_id": OTHER}


def _by_hand(
    rows: Sequence[Row],
    unlocks: Sequence[Row],
    purchases: Sequence[Row],
    covered: Sequence[Row],
    watermark: datetime,
) -> list[int]:
    """The total in plain Python, from the definition."""
    counts = dict.fromkeys(
        ["starters", "immature", "reached", "coins", "ad", "subscription", "watched", "topped_up"],
        0,
    )

    opened = [row | {"opened_by": row["unlock_id"]} for row in unlocks]
    opened += [
        row | {"opened_by": row["entitlement_id"], "means": "subscription"} for row in covered
    ]

    def of(kind: str, viewer: str, series: str) -> list[Row]:
        return [
            row
            for row in rows
            if (row["type"], row["viewer_id"], row["series_id"]) == (kind, viewer, series)
            and row["occurred_at"] < watermark
        ]

    for viewer in "ab":
        for series in (SERIES, OTHER):
            sessions: dict[str, list[Row]] = {}
            for row in of("playback_progress", viewer, series):
                sessions.setdefault(row["playback_session_id"], []).append(row)
            begun = [
                min(
                    row["occurred_at"] - timedelta(milliseconds=row["actual_ms"]) for row in stretch
                )
                for stretch in sessions.values()
                if sum(row["actual_ms"] for row in stretch) >= 1000
            ]
            if not begun:
                continue
            start = min(begun)
            if start + 9 * DAY > watermark:
                counts["immature"] += 1
                continue
            counts["starters"] += 1
            met = [
                row["occurred_at"]
                for row in of("paywall_shown", viewer, series)
                if start <= row["occurred_at"] < start + 7 * DAY
            ]
            if not met:
                continue
            counts["reached"] += 1
            spent = sorted(
                (
                    row
                    for row in opened
                    if (row["viewer_id"], row["series_id"]) == (viewer, series)
                    and min(met) <= row["created_at"] < min(met) + DAY
                ),
                key=lambda row: (row["created_at"], row["opened_by"]),
            )
            until = spent[0]["created_at"] if spent else min(met) + DAY
            counts["topped_up"] += any(
                row["viewer_id"] == viewer and min(met) <= row["created_at"] < until
                for row in purchases
            )
            if spent:
                counts[spent[0]["means"]] += 1
                watched_ms = sum(
                    row["actual_ms"]
                    for row in of("playback_progress", viewer, series)
                    if row["episode_id"] == spent[0]["episode_id"]
                    and until <= row["occurred_at"] < until + DAY
                )
                counts["watched"] += watched_ms >= 3000
    return list(counts.values())


_moments = st.integers(0, 11 * 24).map(lambda hours: START + hours * HOUR)
_who = st.tuples(st.sampled_from("ab"), _moments)
_where = st.sampled_from([SERIES, OTHER])


def test_equals_the_definition_worked_out_by_hand(proof: Proof) -> None:
    @settings(
        max_examples=proof.rounds(full=1200),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        plays=st.lists(st.tuples(_who, _where, st.sampled_from([500, 1000, 3000])), max_size=8),
        walls=st.lists(st.tuples(_who, _where), max_size=6),
        spends=st.lists(
            st.tuples(_who, _where, st.sampled_from(["coins", "ad", "subscription"])), max_size=6
        ),
        tops=st.lists(_who, max_size=3),
        hours=st.integers(0, 20 * 24),
    )
    def explore(
        plays: list[tuple[tuple[str, datetime], str, int]],
        walls: list[tuple[tuple[str, datetime], str]],
        spends: list[tuple[tuple[str, datetime], str, str]],
        tops: list[tuple[str, datetime]],
        hours: int,
    ) -> None:
        rows = [_watch(*who, ms, series=series) for who, series, ms in plays]
        rows += [_shown(*who, series=series) for who, series in walls]
        unlocks = [
            _unlock(*who, means=means, series=series)
            for who, series, means in spends
            if means != "subscription"
        ]
        covered = [
            _covered(*who, series=series)
            for who, series, means in spends
            if means == "subscription"
        ]
        purchases = [_purchase(*who) for who in tops]
        watermark = START + hours * HOUR

        total = _total(rows, unlocks, purchases, watermark=watermark, covered=covered)

        assert [
            total.starters,
            total.immature,
            total.reached,
            total.unlocked_by_coins,
            total.unlocked_by_ad,
            total.unlocked_by_subscription,
            total.watched,
            total.topped_up,
        ] == _by_hand(rows, unlocks, purchases, covered, watermark)

    explore()
    proof.record("A1", "the paywall funnel equals its definition in plain Python", violations=0)
