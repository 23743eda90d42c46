"""What every network's report comes down to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


class ReportUnreadable(Exception):
    """It is no report of this network; the message tells an operator why."""


@dataclass(frozen=True)
class Refusal:
    """A line that cannot be read, counted from 1; 0 is all of it."""

    line_number: int
    reason: str


@dataclass(frozen=True)
class ReportRow:
    """What an ad unit earned in a country on a day, in micros of a currency, exactly. "" is what the report
    does not tell apart."""

    line_number: int
    day: date
    ad_unit_id: str
    country: str
    impressions: int
    revenue_micros: Decimal
    currency: str


@dataclass(frozen=True)
class Found:
    """Everything of a report, in its order."""

    rows: Sequence[ReportRow]
    refusals: Sequence[Refusal]
