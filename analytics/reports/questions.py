"""What analysts may ask of the reports."""

from datetime import date
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from analytics.intake.events import OptionalName
from analytics.reports import charts, steps
from analytics.reports.arpu import Bucket
from analytics.reports.cohorts import CohortFilter, Split
from analytics.reports.local_days import Period
from analytics.reports.offer_choice import OffersBy
from analytics.reports.quality import QualitySplit
from analytics.reports.retention import Mode
from analytics.reports.revenue import By
from analytics.reports.steps import Unit
from config.bodies import RequestShape
from config.table_files import TableFormat
from viewers.models import Platform

_STEP = "|".join(steps.StepKind)


class ReportQuery(RequestShape):
    """What every report takes."""

    format: TableFormat = TableFormat.JSON


class RangeQuery(ReportQuery):
    """Local days, both included; all that there are if not given."""

    since: date | UnsetType = UNSET
    until: date | UnsetType = UNSET


class CohortQuery(ReportQuery):
    """Viewers by the local day or week of their first open, and by `split` within it.

    Channel, country and platform are those of the first open. `first_series` is the id of the series that
    was started first; `arm` is one of `experiment`, which a split by arm needs as well.
    """

    by: Period = Period.DAY
    split: Split | UnsetType = UNSET
    channel: OptionalName = ""
    country: Annotated[str, Meta(max_length=2, pattern=r"^([A-Z]{2})?$(?!\n)")] = ""
    platform: Platform | UnsetType = UNSET
    first_series: UUID | UnsetType = UNSET
    experiment: OptionalName = ""
    arm: OptionalName = ""

    def only(self) -> CohortFilter:
        """Whom it asks about."""
        return CohortFilter(
            channel=self.channel or None,
            country=self.country or None,
            platform=self.platform or None,
            first_series=str(self.first_series) if self.first_series else None,
            experiment=self.experiment or None,
            arm=self.arm or None,
        )


class RetentionQuery(CohortQuery):
    """Offsets 0 to `horizon` count days or weeks."""

    mode: Mode = Mode.CALENDAR
    horizon: Annotated[int, Meta(ge=0, le=400)] = 30


class LtvQuery(CohortQuery):
    """At fixed horizons, the longest of which is 90 days."""


class ArpuQuery(RangeQuery):
    """Periods with a local day from `since` to `until`; of one that is cut, only those days."""

    by: Bucket = Bucket.DAY


class FunnelQuery(ReportQuery):
    """All series, or one."""

    series_id: UUID | UnsetType = UNSET


class OfferChoiceQuery(ReportQuery):
    """All policies of offers, or one. `by` says what a table has a row for; JSON has both."""

    by: OffersBy = OffersBy.ARM
    policy_id: UUID | UnsetType = UNSET


class RepurchaseQuery(ReportQuery):
    """Cohorts by the period of the first purchase; offsets 0 to `horizon` count periods."""

    by: Bucket = Bucket.MONTH
    horizon: Annotated[int, Meta(ge=0, le=120)] = 12


class RhythmQuery(RangeQuery):
    """Payers who bought first on `since` or later, as they are at the end of `until`, a day that is over."""


class StepsQuery(ReportQuery, kw_only=True):
    """`steps` are two to six names with commas between them, and `within_hours` the windows of all but
    the first, or one for each of them: `app_open,start,purchase` and `24,168`.
    """

    steps: Annotated[str, Meta(max_length=200, pattern=rf"^({_STEP})(,({_STEP}))*$(?!\n)")]
    within_hours: Annotated[
        str, Meta(max_length=40, pattern=r"^[1-9][0-9]{0,3}(,[1-9][0-9]{0,3})*$(?!\n)")
    ] = "24"
    unit: Unit = Unit.VIEWER
    series_id: UUID | UnsetType = UNSET


class SurvivalQuery(ReportQuery, kw_only=True):
    """The released episodes of a series."""

    series_id: UUID


class BeatsQuery(ReportQuery, kw_only=True):
    """The current versions of a series, or one of its versions, current or not.

    With `grid_seconds`, beats of that length in the place of the story's.
    """

    series_id: UUID
    version_id: UUID | UnsetType = UNSET
    grid_seconds: Annotated[int, Meta(ge=1, le=600)] | UnsetType = UNSET


class HeatQuery(ReportQuery, kw_only=True):
    """The same versions, in stretches of so many milliseconds."""

    series_id: UUID
    version_id: UUID | UnsetType = UNSET
    stretch_ms: Annotated[int, Meta(ge=100, le=60_000)] = 1000


class RevenueQuery(RangeQuery):
    """Of all titles or one. `by` says what a table has a row for; JSON has both."""

    by: By = By.TITLE
    series_id: UUID | UnsetType = UNSET


class MoneyQuery(ReportQuery):
    """Local days, both included; the last 30 if not given, today among them."""

    since: date | UnsetType = UNSET
    until: date | UnsetType = UNSET


class ChartQuery(ReportQuery):
    """Local days that are over, both included; the last seven if not given."""

    by: charts.Measure = charts.Measure.REVENUE
    since: date | UnsetType = UNSET
    until: date | UnsetType = UNSET
    length: Annotated[int, Meta(ge=1, le=500)] = 50


class QualityQuery(RangeQuery):
    """Playbacks of each day, divided by `split` if it is given."""

    split: QualitySplit | UnsetType = UNSET


class AdsQuery(RangeQuery):
    """Ads of each day by network and placement."""
