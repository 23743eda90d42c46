"""What analysts may ask of the reports."""

from datetime import date
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from analytics.intake.events import OptionalName
from analytics.reports.local_days import Period
from analytics.reports.retention import Mode
from config.bodies import RequestShape
from config.csv_files import Format
from viewers.models import Platform


class ReportQuery(RequestShape):
    """What every report takes."""

    format: Format = Format.JSON


class RetentionQuery(ReportQuery):
    """Offsets 0 to `horizon` count days or weeks. The filters look at the first open."""

    by: Period = Period.DAY
    mode: Mode = Mode.CALENDAR
    horizon: Annotated[int, Meta(ge=0, le=400)] = 30
    channel: OptionalName = ""
    country: Annotated[str, Meta(max_length=2, pattern=r"^([A-Z]{2})?$(?!\n)")] = ""
    platform: Platform | UnsetType = UNSET


class FunnelQuery(ReportQuery):
    """All series, or one."""

    series_id: UUID | UnsetType = UNSET


class BeatsQuery(ReportQuery, kw_only=True):
    """The current versions of a series, or one of its versions, current or not."""

    series_id: UUID
    version_id: UUID | UnsetType = UNSET


class RevenueQuery(ReportQuery):
    """Local days, both included; all that there are if not given."""

    since: date | UnsetType = UNSET
    until: date | UnsetType = UNSET
    series_id: UUID | UnsetType = UNSET
