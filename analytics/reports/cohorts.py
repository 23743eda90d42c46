"""Cohorts: viewers whose first open shares a local day or week, a stratum, or both."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

import msgspec
import pyarrow as pa

from analytics.reports import local_days
from analytics.reports.local_days import Period
from analytics.reports.refusals import ReportImpossible
from analytics.reports.sources import Source

_NO_TITLE = pa.schema([("viewer_id", pa.string()), ("series_id", pa.string())])
_NO_ARM = pa.schema([("viewer_id", pa.string()), ("arm", pa.string())])


class Split(StrEnum):
    """What divides viewers of one period into cohorts."""

    CHANNEL = "channel"
    COUNTRY = "country"
    PLATFORM = "platform"
    FIRST_SERIES = "first_series"
    ARM = "arm"


class CohortFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Keeps some viewers; None keeps all.

    Channel, country and platform are those of the first open, `first_series` is the id of the series
    that was started first, and `arm` the arm of `experiment` that the viewer has met.
    """

    channel: str | None = None
    country: str | None = None
    platform: str | None = None
    first_series: str | None = None
    experiment: str | None = None
    arm: str | None = None

    def named(self) -> dict[str, str | None]:
        """As a report's heading prints it."""
        return msgspec.structs.asdict(self)


@dataclass(frozen=True)
class Size:
    """A cohort: which period, which stratum, how many viewers, and when the last of them came."""

    number: int
    stratum: str
    viewers: int
    last_opened_at: datetime


def prepare(
    *,
    source: Source,
    by: Period,
    only: CohortFilter = CohortFilter(),  # noqa: B008  frozen
    split: Split | None = None,
) -> Mapping[int, Size]:
    """Makes the table `member`, and returns its cohorts by the number of their cell, oldest first.

    Raises ReportImpossible for arms without an experiment.
    """
    if only.experiment is None and (only.arm is not None or split is Split.ARM):
        raise ReportImpossible("`experiment` says of which experiment the arms are.")
    _titles(source, is_needed=only.first_series is not None or split is Split.FIRST_SERIES)
    _arms(source, only.experiment)
    source.rows(
        "cohort_members",
        watermark=source.watermark,
        period_days=by.days,
        lead_days=by.lead_days,
        split=split and str(split),
        channel=only.channel,
        country=only.country,
        platform=only.platform,
        first_series=only.first_series,
        arm=only.arm,
    )
    return {
        cell: Size(number, stratum, viewers, last_opened_at.replace(tzinfo=UTC))
        for cell, number, stratum, viewers, last_opened_at in source.rows("cohort_sizes")
    }


def starts_on(size: Size, by: Period) -> date:
    """The first local day of the cohort's period."""
    return local_days.starts_on(size.number, by)


def last_day_number(size: Size, by: Period) -> int:
    """The last local day on which somebody can join the cohort."""
    return local_days.day_number(starts_on(size, by) + timedelta(days=by.days - 1))


def population(source: Source) -> list[str]:
    """Whom the figures are of."""
    ((left_out,),) = source.rows("left_out", watermark=source.watermark)
    return ["environment production", f"{left_out} sandbox viewers left out"]


def _titles(source: Source, *, is_needed: bool) -> None:
    if is_needed:
        source.rows("starts", watermark=source.watermark)
        source.rows("first_titles")
    else:
        source.create("first_title", _NO_TITLE.empty_table())


def _arms(source: Source, experiment: str | None) -> None:
    if experiment is not None:
        source.load("exposures")
        source.rows("met_arms", experiment=experiment, watermark=source.watermark)
    else:
        source.create("met_arm", _NO_ARM.empty_table())
