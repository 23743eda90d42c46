"""An analyst reads what viewers do at the first paywall they meet, at the second, and later."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import encounters
from analytics.reports.encounters import EncounterReport, EncounterRow
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, event, lake, played, utc
from tests.proof import Proof

SERIES, OTHER = str(UUID(int=1)), str(UUID(int=2))
START = utc("2026-03-01 10:00")
LATER = START + 30 * DAY


def _shown(viewer: str, at: datetime, episode: str = "e9", *, series: str = SERIES) -> Row:
    return event("paywall_shown", viewer, at, series_id=series, episode_id=episode)


def _unlock(viewer: str, at: datetime, episode: str = "e9", *, means: str = "coins") -> Row:
    return {
        "unlock_id": f"{viewer}{at}{episode}",
        "means": means,
        "viewer_id": viewer,
        "series_id": SERIES,
        "episode_id": episode,
        "created_at": at,
    }


def _covered(viewer: str, at: datetime, episode: str = "e9") -> Row:
    return {
        "entitlement_id": f"{viewer}{at}{episode}",
        "viewer_id": viewer,
        "series_id": SERIES,
        "episode_id": episode,
        "created_at": at,
    }


def _purchase(viewer: str, at: datetime) -> Row:
    return {"purchase_id": "p", "viewer_id": viewer, "net_micros": 1, "coins": 1, "created_at": at}


def _read(
    rows: Sequence[Row],
    *,
    watermark: datetime = LATER,
    series_id: UUID | None = None,
    **tables: Sequence[Row],
) -> EncounterReport:
    with lake(rows, watermark=watermark, tables=tables) as source:
        return encounters.table(source=source, series_id=series_id)


def _total(
    rows: Sequence[Row], *, watermark: datetime = LATER, **tables: Sequence[Row]
) -> EncounterRow:
    return _read(rows, watermark=watermark, **tables).total


def test_encounters_are_numbered_as_the_viewer_meets_them() -> None:
    rows = [
        _shown("a", START, "e9"),
        _shown("a", START + HOUR, "e9"),
        _shown("a", START + 2 * HOUR, "e10"),
        _shown("a", START + HOUR, "o1", series=OTHER),
        _shown("b", START, "e12"),
    ]

    report = _read(rows, unlocks=[_unlock("a", START + 3 * HOUR, "e10")])

    assert [(row.ordinal, row.encounters, row.opened) for row in report.rows] == [
        (1, 3, 0),
        (2, 1, 1),
    ]
    assert (report.total.encounters, report.total.conversion) == (4, 0.25)


def test_the_tenth_and_all_later_ones_are_one_row() -> None:
    rows = [_shown("a", START + n * HOUR, f"e{n}") for n in range(12)]

    last = _read(rows).rows[-1]

    assert (last.ordinal, last.encounters) == (10, 3)


@pytest.mark.parametrize(("after", "opened"), [(DAY - SECOND, 1), (DAY, 0), (-SECOND, 0)])
def test_what_is_opened_within_a_day_counts(after: timedelta, opened: int) -> None:
    assert _total([_shown("a", START)], unlocks=[_unlock("a", START + after)]).opened == opened


def test_the_first_means_of_opening_counts() -> None:
    rows = [_shown("a", START), _shown("b", START), _shown("c", START)]

    total = _total(
        rows,
        unlocks=[_unlock("a", START + HOUR), _unlock("b", START + HOUR, means="ad")],
        covered=[_covered("a", START + 2 * HOUR), _covered("c", START)],
    )

    assert (total.opened_by_coins, total.opened_by_ad, total.opened_by_subscription) == (1, 1, 1)


def test_another_episode_opened_is_no_conversion_of_this_encounter() -> None:
    assert _total([_shown("a", START)], unlocks=[_unlock("a", START, "e10")]).opened == 0


@pytest.mark.parametrize(("ms", "abandoned"), [(999, 1), (1000, 0)])
def test_who_neither_opens_nor_plays_on_has_abandoned_the_series(ms: int, abandoned: int) -> None:
    rows = [_shown("a", START), played("a", START + HOUR, series=SERIES, to_ms=ms)]

    assert _total(rows).abandoned == abandoned
    assert _total(rows, unlocks=[_unlock("a", START)]).abandoned == 0


def test_a_top_up_counts_between_encounter_and_opening() -> None:
    found = [
        _total(
            [_shown("a", START)],
            unlocks=[_unlock("a", START + HOUR)],
            purchases=[_purchase("a", at)],
        ).topped_up
        for at in (START - SECOND, START, START + HOUR)
    ]

    assert found == [0, 1, 0]


def test_a_day_that_is_not_over_is_counted_apart_and_nowhere_else() -> None:
    unlocks = [_unlock("a", START)]

    short = _total([_shown("a", START)], watermark=START + DAY - SECOND, unlocks=unlocks)
    filled = _total([_shown("a", START)], watermark=START + DAY, unlocks=unlocks)

    assert (short.encounters, short.immature, short.opened, short.conversion) == (0, 1, 0, None)
    assert (filled.encounters, filled.immature, filled.opened) == (1, 0, 1)


def test_one_series_can_be_asked_for() -> None:
    rows = [_shown("a", START), _shown("a", START, "o1", series=OTHER)]

    assert _read(rows, series_id=UUID(OTHER)).total.encounters == 1


_Where = tuple[str, str, int]


def _by_hand(
    walls: Sequence[_Where],
    opens: Sequence[tuple[_Where, str]],
    plays: Sequence[_Where],
    tops: Sequence[tuple[str, int]],
    hours: int,
) -> dict[int, list[int]]:
    """Of each number: encounters, immature, by coins, ad and subscription, topped up, abandoned."""
    found: dict[int, list[int]] = {}
    for viewer in "ab":
        met: dict[str, int] = {}
        for who, episode, hour in sorted(walls, key=lambda wall: wall[2]):
            if who == viewer and hour < hours:
                met.setdefault(episode, hour)
        for number, (episode, hour) in enumerate(
            sorted(met.items(), key=lambda m: (m[1], m[0])), 1
        ):
            row = found.setdefault(number, [0] * 7)
            if hour + 24 > hours:
                row[1] += 1
                continue
            row[0] += 1
            opened = sorted(
                (when, means)
                for (who, what, when), means in opens
                if (who, what) == (viewer, episode) and hour <= when < hour + 24
            )
            if opened:
                row[{"coins": 2, "ad": 3, "subscription": 4}[opened[0][1]]] += 1
            until = opened[0][0] if opened else hour + 24
            row[5] += any(who == viewer and hour <= when < until for who, when in tops)
            plays_on = any(who == viewer and hour < when < hour + 24 for who, _, when in plays)
            row[6] += not opened and not plays_on
    return found


def test_equals_the_definition_worked_out_by_hand(proof: Proof) -> None:
    where = st.tuples(
        st.sampled_from("ab"), st.sampled_from(["e1", "e2", "e3"]), st.integers(0, 60)
    )

    @settings(
        max_examples=proof.rounds(full=1200),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        walls=st.lists(where, max_size=6),
        opens=st.lists(
            st.tuples(where, st.sampled_from(["coins", "ad", "subscription"])),
            max_size=6,
            # Of two at one moment nobody can say which was first.
            unique_by=lambda one: one[0],
        ),
        plays=st.lists(where, max_size=3),
        tops=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60)), max_size=3),
        hours=st.integers(0, 90),
    )
    def explore(
        walls: list[_Where],
        opens: list[tuple[_Where, str]],
        plays: list[_Where],
        tops: list[tuple[str, int]],
        hours: int,
    ) -> None:
        rows = [_shown(who, START + hour * HOUR, episode) for who, episode, hour in walls]
        rows += [
            played(who, START + hour * HOUR, series=SERIES, to_ms=1000) for who, _, hour in plays
        ]
        tables: dict[str, list[Row]] = {"unlocks": [], "covered": []}
        for (who, episode, hour), means in opens:
            at = START + hour * HOUR
            if means == "subscription":
                tables["covered"].append(_covered(who, at, episode))
            else:
                tables["unlocks"].append(_unlock(who, at, episode, means=means))
        purchases = [_purchase(who, START + hour * HOUR) for who, hour in tops]

        report = _read(rows, watermark=START + hours * HOUR, purchases=purchases, **tables)

        names = (
            "encounters",
            "immature",
            "opened_by_coins",
            "opened_by_ad",
            "opened_by_subscription",
            "topped_up",
            "abandoned",
        )
        found = {row.ordinal: [getattr(row, name) for name in names] for row in report.rows}
        assert found == _by_hand(walls, opens, plays, tops, hours)

    explore()
    proof.record(
        "A1", "conversion by paywall encounter equals its definition in plain Python", violations=0
    )
