"""Ordered funnels of any steps: how many come from each to the next within its window."""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

import msgspec
import pyarrow as pa

from analytics.reports import definitions
from analytics.reports.refusals import ReportImpossible
from analytics.reports.report import Report, heading, share
from analytics.reports.sources import Source

MOST_STEPS = 6
LONGEST_WINDOW = timedelta(days=90)
_SECOND = timedelta(seconds=1)
_SCHEMA = pa.schema([("number", pa.int32()), ("kind", pa.string()), ("within_seconds", pa.int32())])


class StepKind(StrEnum):
    """What a step may be. Of impressions, those of a second and more; a start is a title's first."""

    APP_OPEN = "app_open"
    FEED_IMPRESSION = "feed_impression"
    START = "start"
    COMPLETED = "completed"
    PAYWALL_SHOWN = "paywall_shown"
    OFFER_SHOWN = "offer_shown"
    AD_SHOWN = "ad_shown"
    PURCHASE = "purchase"
    UNLOCK = "unlock"
    UNLOCK_BY_COINS = "unlock_by_coins"
    UNLOCK_BY_AD = "unlock_by_ad"


class Unit(StrEnum):
    """What goes through a funnel: a viewer, or each viewer and series apart."""

    VIEWER = "viewer"
    TITLE = "title"


#: Which have a series, so that a funnel by title can begin with them.
_OF_A_TITLE = frozenset(StepKind) - {StepKind.APP_OPEN, StepKind.AD_SHOWN, StepKind.PURCHASE}


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """A step, its window from the one before, and how many came to it."""

    number: int
    kind: StepKind
    within_seconds: int | None
    reached: int
    of_first: float | None
    of_previous: float | None


class StepReport(Report, frozen=True, kw_only=True):
    """Steps in order; `immature` units are in none."""

    unit: Unit
    immature: int
    steps: Sequence[StepRow]


def funnel(
    *,
    source: Source,
    kinds: Sequence[StepKind],
    within: Sequence[timedelta],
    unit: Unit,
    series_id: UUID | None = None,
) -> StepReport:
    """How many units come through `kinds` in order; `within` has a window for each but the first.

    Raises ReportImpossible for steps that make no funnel.
    """
    _check(kinds, within, unit)
    asked = None if series_id is None else str(series_id)
    source.load("unlocks", "purchases")
    source.rows("starts", watermark=source.watermark)
    source.register("funnel_steps", _table(kinds, within))
    counted = dict(
        source.rows(
            "funnel",
            watermark=source.watermark,
            mature_until=source.watermark - sum(within, timedelta()),
            is_by_title=unit is Unit.TITLE,
            series_id=asked,
        )
    )
    return StepReport(
        **heading(
            source=source,
            definition=[definitions.FUNNEL],
            filters={"series_id": asked},
            population=[
                "environment production",
                "units whose windows are over; the others are counted as immature",
            ],
        ),
        unit=unit,
        immature=counted[0],
        steps=[
            StepRow(
                number=number,
                kind=kind,
                within_seconds=None if number == 1 else within[number - 2] // _SECOND,
                reached=counted[number],
                of_first=share(counted[number], counted[1]),
                of_previous=None if number == 1 else share(counted[number], counted[number - 1]),
            )
            for number, kind in enumerate(kinds, 1)
        ],
    )


def _check(kinds: Sequence[StepKind], within: Sequence[timedelta], unit: Unit) -> None:
    if not 2 <= len(kinds) <= MOST_STEPS:
        raise ReportImpossible(f"A funnel has 2 to {MOST_STEPS} steps.")
    if len(set(kinds)) < len(kinds):
        raise ReportImpossible("A step is given twice.")
    if len(within) != len(kinds) - 1:
        raise ReportImpossible("Every step but the first has a window.")
    if any(not _SECOND <= window <= LONGEST_WINDOW for window in within):
        raise ReportImpossible(
            f"A window is of at least a second and at most {LONGEST_WINDOW.days} days."
        )
    if unit is Unit.TITLE and kinds[0] not in _OF_A_TITLE:
        raise ReportImpossible(
            f"A funnel by title cannot begin with {kinds[0]}, which has no series."
        )


def _table(kinds: Sequence[StepKind], within: Sequence[timedelta]) -> pa.Table:
    windows = [timedelta(), *within]
    rows = [
        {"number": number, "kind": str(kind), "within_seconds": window // _SECOND}
        for number, (kind, window) in enumerate(zip(kinds, windows, strict=True), 1)
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)
