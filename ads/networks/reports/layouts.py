"""How each network names what its reports tell, and in which unit of money.

Names are compared without case, spaces and underscores. Where a network's own page names a column, that comes
first; what was only seen in exports of its console follows. docs/ads/revenue.md says what is confirmed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

MICROS_IN_UNIT = Decimal(1_000_000)

#: Our fields. Without a day and an amount there is no line.
FIELDS = ("day", "ad_unit_id", "country", "impressions", "revenue", "currency")
REQUIRED = ("day", "revenue")


@dataclass(frozen=True)
class Layout:
    """A report's columns: of each field the names that it may have. `currency` is that of a report which
    names none, "" if it has to be told."""

    names: Mapping[str, Sequence[str]]
    currency: str = ""
    #: What one of what `revenue` counts is, in micros.
    unit: Decimal = MICROS_IN_UNIT
    #: Whether a line without a count is one impression.
    counts_lines: bool = False


#: With a mapping it reads any CSV file.
GENERIC = Layout(
    {
        "day": ("day", "date"),
        "ad_unit_id": ("ad_unit_id", "ad unit", "ad unit id"),
        "country": ("country", "country code"),
        "impressions": ("impressions",),
        "revenue": ("revenue",),
        "currency": ("currency",),
    }
)
ADMOB = Layout(
    {
        "day": ("date", "day"),
        # The console exports the unit's name beside its id.
        "ad_unit_id": ("ad_unit", "ad unit id", "ad unit"),
        "country": ("country", "country code"),
        "impressions": ("impressions",),
        # The currency stands in the header: `Est. earnings (USD)`.
        "revenue": ("estimated_earnings", "est. earnings", "estimated earnings"),
        "currency": ("currency",),
    }
)
#: The answer of networkReport:generate counts in micros.
ADMOB_API = Layout(ADMOB.names, unit=Decimal(1))
#: `max_ad_unit_id` and `estimated_revenue` are the ad revenue report's, `Ad Unit ID` and `Revenue` the
#: user-level report's, which has a line for each impression and no count.
APPLOVIN = Layout(
    {
        "day": ("day", "date"),
        "ad_unit_id": ("max_ad_unit_id", "ad unit id", "max ad unit id"),
        "country": ("country",),
        "impressions": ("impressions",),
        "revenue": ("estimated_revenue", "revenue", "est. revenue"),
        "currency": (),
    },
    currency="USD",
    counts_lines=True,
)
LEVELPLAY = Layout(
    {
        "day": ("date",),
        "ad_unit_id": ("mediationAdUnitId", "ad unit id", "mediation ad unit id"),
        "country": ("countryCode", "country code", "country"),
        "impressions": ("impressions",),
        "revenue": ("revenue",),
        "currency": (),
    },
    currency="USD",
)
UNITY = Layout(
    {
        "day": ("timestamp", "date"),
        "ad_unit_id": ("placement", "placement id"),
        "country": ("country",),
        "impressions": ("start_count", "view_count", "impressions"),
        "revenue": ("revenue_sum", "revenue"),
        "currency": (),
    },
    currency="USD",
)
PANGLE = Layout(
    {
        "day": ("date",),
        "ad_unit_id": ("ad_slot_id", "code_id", "ad slot id", "placement id"),
        "country": ("region", "country"),
        "impressions": ("show", "impressions"),
        "revenue": ("revenue", "est. revenue"),
        "currency": ("currency",),
    },
)

BY_NETWORK: Mapping[str, Layout] = {
    "admob": ADMOB,
    "applovin": APPLOVIN,
    "levelplay": LEVELPLAY,
    "unity": UNITY,
    "pangle": PANGLE,
}
