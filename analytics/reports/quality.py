"""Quality of playback: how long viewers wait, how often it stands still, how often it never begins."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum

import msgspec

from analytics.reports import definitions, local_days
from analytics.reports.local_days import Period
from analytics.reports.report import Report, heading, share
from analytics.reports.sources import Source


class QualitySplit(StrEnum):
    """What divides the playbacks of a day."""

    PLATFORM = "platform"
    APP_VERSION = "app_version"
    COUNTRY = "country"


class QualityRow(msgspec.Struct, frozen=True, kw_only=True):
    """One local day, and one stratum of it if one was asked for. The counts are those so far; ratios and
    percentiles are None until the day is over, and without a whole.

    `timed_starts` are the starts that say how long the first frame took.
    """

    day: date
    is_complete: bool
    stratum: str | None
    starts: int
    failed: int
    abandoned: int
    timed_starts: int
    first_frame_p50_ms: int | None
    first_frame_p95_ms: int | None
    stalls: int
    stalled_ms: int
    played_ms: int
    rebuffer_ratio: float | None
    start_failure: float | None
    exit_before_start: float | None


class QualityReport(Report, frozen=True, kw_only=True):
    """Days, oldest first."""

    split: QualitySplit | None
    rows: Sequence[QualityRow]


_FIGURES = (
    "starts",
    "failed",
    "abandoned",
    "timed_starts",
    "first_frame_p50_ms",
    "first_frame_p95_ms",
    "stalls",
    "stalled_ms",
    "played_ms",
)
_WHEN_OVER = (
    "first_frame_p50_ms",
    "first_frame_p95_ms",
    "rebuffer_ratio",
    "start_failure",
    "exit_before_start",
)


def table(
    *,
    source: Source,
    split: QualitySplit | None = None,
    since: date | None = None,
    until: date | None = None,
) -> QualityReport:
    """The local days from `since` to `until`, both included; all that there are if not given."""
    rows = source.rows(
        "playback_quality",
        watermark=source.watermark,
        split=split and str(split),
        first_day=local_days.day_number(since) if since else None,
        last_day=local_days.day_number(until) if until else None,
    )
    return QualityReport(
        **heading(
            source=source,
            definition=[
                definitions.TTFF,
                definitions.REBUFFER_RATIO,
                definitions.START_FAILURE,
                definitions.EXIT_BEFORE_START,
            ],
            filters=local_days.range_filter(since, until),
            population=["environment production"],
        ),
        split=split,
        rows=[_row(source, split, *row) for row in rows],
    )


def _row(
    source: Source, split: QualitySplit | None, number: int, stratum: str, *figures: int
) -> QualityRow:
    named = dict(zip(_FIGURES, figures, strict=True))
    attempts = named["starts"] + named["failed"] + named["abandoned"]
    row = QualityRow(
        day=local_days.starts_on(number, Period.DAY),
        is_complete=local_days.ends_at(number, Period.DAY, zone=source.zone) <= source.watermark,
        stratum=None if split is None else stratum,
        **named,
        rebuffer_ratio=share(named["stalled_ms"], named["played_ms"]),
        start_failure=share(named["failed"], attempts),
        exit_before_start=share(named["abandoned"], attempts),
    )
    return row if row.is_complete else msgspec.structs.replace(row, **dict.fromkeys(_WHEN_OVER))
