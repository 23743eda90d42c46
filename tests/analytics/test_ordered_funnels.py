"""An analyst builds a funnel of steps, in order, each within its window of the one before."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import steps
from analytics.reports.refusals import ReportImpossible
from analytics.reports.steps import StepKind, StepReport, Unit
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, event, lake, opened_app, played, utc
from tests.proof import Proof

SERIES, OTHER = str(UUID(int=1)), str(UUID(int=2))
START = utc("2026-03-01 10:00")
LATER = START + 60 * DAY
THREE = [StepKind.APP_OPEN, StepKind.PAYWALL_SHOWN, StepKind.PURCHASE]


def _shown(viewer: str, at: datetime, series: str = SERIES) -> Row:
    return event("paywall_shown", viewer, at, series_id=series)


def _purchase(viewer: str, at: datetime) -> Row:
    return {"purchase_id": "p", "viewer_id": viewer, "net_micros": 1, "coins": 1, "created_at": at}


def _unlock(viewer: str, at: datetime, series: str = SERIES, means: str = "coins") -> Row:
    return {
        "unlock_id": "u",
        "means": means,
        "viewer_id": viewer,
        "series_id": series,
        "created_at": at,
    }


def _read(
    rows: Sequence[Row],
    purchases: Sequence[Row] = (),
    unlocks: Sequence[Row] = (),
    *,
    kinds: Sequence[StepKind] = THREE,
    within: Sequence[timedelta] = (DAY, DAY),
    unit: Unit = Unit.VIEWER,
    watermark: datetime = LATER,
    series_id: UUID | None = None,
) -> StepReport:
    tables = {"purchases": purchases, "unlocks": unlocks}
    with lake(rows, watermark=watermark, tables=tables) as source:
        return steps.funnel(
            source=source, kinds=kinds, within=within, unit=unit, series_id=series_id
        )


def _reached(report: StepReport) -> list[int]:
    return [step.reached for step in report.steps]


def test_counts_who_comes_from_each_step_to_the_next() -> None:
    rows = [opened_app(viewer, START) for viewer in "abc"]
    rows += [_shown("a", START + HOUR), _shown("b", START + HOUR)]

    report = _read(rows, [_purchase("a", START + 2 * HOUR), _purchase("c", START + HOUR)])

    assert _reached(report) == [3, 2, 1]
    assert [step.of_first for step in report.steps] == pytest.approx([1, 2 / 3, 1 / 3])
    assert [step.of_previous for step in report.steps] == pytest.approx([None, 2 / 3, 1 / 2])


def test_steps_out_of_order_do_not_count() -> None:
    rows = [opened_app("a", START), _shown("a", START - SECOND)]

    assert _reached(_read(rows, [_purchase("a", START + HOUR)])) == [1, 0, 0]


@pytest.mark.parametrize(("after", "reached"), [(DAY - SECOND, 1), (DAY, 0)])
def test_a_step_counts_within_its_window_of_the_one_before(after: timedelta, reached: int) -> None:
    rows = [opened_app("a", START), _shown("a", START + after)]

    assert _reached(_read(rows))[1] == reached


def test_a_window_begins_with_the_first_occurrence_of_the_step_before() -> None:
    rows = [opened_app("a", START), _shown("a", START), _shown("a", START + 23 * HOUR)]

    assert _reached(_read(rows, [_purchase("a", START + 30 * HOUR)])) == [1, 1, 0]


def test_units_whose_windows_are_not_over_are_counted_apart_and_nowhere_else() -> None:
    rows = [opened_app("a", START), _shown("a", START)]

    short = _read(rows, watermark=START + 2 * DAY - SECOND)
    filled = _read(rows, watermark=START + 2 * DAY)

    assert (short.immature, _reached(short)) == (1, [0, 0, 0])
    assert short.steps[1].of_previous is None
    assert (filled.immature, _reached(filled)) == (0, [1, 1, 0])


def test_by_title_each_series_goes_its_own_way_and_purchases_belong_to_all() -> None:
    rows = [
        played("a", START + SECOND, series=SERIES, to_ms=1000),
        played("a", START + SECOND, series=OTHER, version="v2", to_ms=1000),
        _shown("a", START + HOUR, SERIES),
    ]
    kinds = [StepKind.START, StepKind.PAYWALL_SHOWN, StepKind.PURCHASE, StepKind.UNLOCK_BY_COINS]
    unlocks = [_unlock("a", START + 3 * HOUR, OTHER), _unlock("a", START + 3 * HOUR, means="ad")]
    asked = {"kinds": kinds, "within": [DAY] * 3, "unit": Unit.TITLE}

    both = _read(rows, [_purchase("a", START + 2 * HOUR)], unlocks, **asked)
    one = _read(rows, [_purchase("a", START + 2 * HOUR)], unlocks, series_id=UUID(OTHER), **asked)
    unlocks.append(_unlock("a", START + 4 * HOUR))
    bought = _read(rows, [_purchase("a", START + 2 * HOUR)], unlocks, **asked)

    assert _reached(both) == [2, 1, 1, 0]
    assert _reached(one) == [1, 0, 0, 0]
    assert _reached(bought) == [2, 1, 1, 1]


def test_the_sandbox_is_left_out() -> None:
    assert _reached(_read([opened_app("a", START, environment="sandbox")]))[0] == 0


@pytest.mark.parametrize(
    ("kinds", "within", "unit", "reason"),
    [
        (THREE[:1], [], Unit.VIEWER, "2 to 6 steps"),
        ([*StepKind][:7], [DAY] * 6, Unit.VIEWER, "2 to 6 steps"),
        ([THREE[0], THREE[0]], [DAY], Unit.VIEWER, "twice"),
        (THREE, [DAY], Unit.VIEWER, "window"),
        (THREE, [DAY, timedelta()], Unit.VIEWER, "at least a second"),
        (THREE, [DAY, 91 * DAY], Unit.VIEWER, "at most 90 days"),
        (THREE, [DAY, DAY], Unit.TITLE, "no series"),
    ],
)
def test_what_makes_no_funnel_is_refused(
    kinds: Sequence[StepKind], within: Sequence[timedelta], unit: Unit, reason: str
) -> None:
    with pytest.raises(ReportImpossible, match=reason):
        _read([], kinds=kinds, within=within, unit=unit)


Happened = tuple[StepKind, str, str, datetime]
_KINDS = [
    StepKind.APP_OPEN,
    StepKind.START,
    StepKind.PAYWALL_SHOWN,
    StepKind.COMPLETED,
    StepKind.PURCHASE,
    StepKind.UNLOCK,
]
_WITHOUT_SERIES = {StepKind.APP_OPEN, StepKind.PURCHASE}


def _by_hand(
    happened: Sequence[Happened],
    kinds: Sequence[StepKind],
    within: Sequence[timedelta],
    unit: Unit,
    watermark: datetime,
) -> tuple[int, list[int]]:
    """How many are immature, and how many came to each step, in plain Python from the definition."""
    known = [fact for fact in happened if fact[3] < watermark]
    immature, reached = 0, [0] * len(kinds)
    for viewer in "ab":
        for title in (SERIES, OTHER) if unit is Unit.TITLE else [""]:

            def moments(kind: StepKind, viewer: str = viewer, title: str = title) -> list[datetime]:
                return [
                    at
                    for what, who, series, at in known
                    if (what, who) == (kind, viewer)
                    and (title == "" or kind in _WITHOUT_SERIES or series == title)
                ]

            starts = moments(kinds[0])
            if not starts:
                continue
            if min(starts) + sum(within, timedelta()) > watermark:
                immature += 1
                continue
            at = min(starts)
            reached[0] += 1
            for number, (kind, window) in enumerate(zip(kinds[1:], within, strict=True), 1):
                later = [moment for moment in moments(kind) if at <= moment < at + window]
                if not later:
                    break
                at = min(later)
                reached[number] += 1
    return immature, reached


def _facts(happened: Sequence[Happened]) -> tuple[list[Row], list[Row], list[Row]]:
    """The same as events, purchases and unlocks."""
    rows, purchases, unlocks = [], [], []
    for kind, viewer, series, at in happened:
        match kind:
            case StepKind.START:
                rows.append(
                    played(
                        viewer, at + SECOND, series=series, session=f"{viewer}/{series}", to_ms=1000
                    )
                )
            case StepKind.COMPLETED:
                rows.append(event("playback_end", viewer, at, series_id=series, reason="completed"))
            case StepKind.PAYWALL_SHOWN:
                rows.append(_shown(viewer, at, series))
            case StepKind.APP_OPEN:
                rows.append(opened_app(viewer, at))
            case StepKind.PURCHASE:
                purchases.append(_purchase(viewer, at))
            case _:
                unlocks.append(_unlock(viewer, at, series))
    return rows, purchases, unlocks


def test_equals_the_definition_worked_out_by_hand(proof: Proof) -> None:
    @settings(
        max_examples=proof.rounds(full=1200),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        facts=st.lists(
            st.tuples(
                st.sampled_from(_KINDS),
                st.sampled_from("ab"),
                st.sampled_from([SERIES, OTHER]),
                st.integers(0, 20),
            ),
            max_size=16,
        ),
        kinds=st.permutations(_KINDS).flatmap(
            lambda order: st.integers(2, len(order)).map(lambda n: order[:n])
        ),
        hours=st.lists(st.integers(1, 12), min_size=5, max_size=5),
        unit=st.sampled_from(Unit),
        wait=st.integers(0, 90),
    )
    def explore(
        facts: list[tuple[StepKind, str, str, int]],
        kinds: list[StepKind],
        hours: list[int],
        unit: Unit,
        wait: int,
    ) -> None:
        if unit is Unit.TITLE and kinds[0] in _WITHOUT_SERIES:
            unit = Unit.VIEWER
        happened: list[Happened] = []
        begun = set()
        for kind, viewer, series, hour in sorted(facts, key=lambda fact: fact[3]):
            # A series is started once.
            if kind is not StepKind.START or (viewer, series) not in begun:
                happened.append((kind, viewer, series, START + hour * HOUR))
            if kind is StepKind.START:
                begun.add((viewer, series))
        within = [hour * HOUR for hour in hours[: len(kinds) - 1]]
        watermark = START + wait * HOUR

        report = _read(
            *_facts(happened), kinds=kinds, within=within, unit=unit, watermark=watermark
        )

        expected = _by_hand(happened, kinds, within, unit, watermark)
        assert (report.immature, _reached(report)) == expected

    explore()
    proof.record("A1", "ordered funnels equal their definition in plain Python", violations=0)
