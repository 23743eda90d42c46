"""What every report says about itself, whatever it counts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

import msgspec

from analytics.reports.definitions import Definition
from analytics.reports.sources import Source


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Figures with their definitions, zone, filters and watermark."""

    definition: Sequence[Definition]
    reporting_zone: str
    watermark: datetime
    filters: dict[str, str]
    population: Sequence[str]
    engine: str


def heading(
    *,
    source: Source,
    definition: Sequence[Definition],
    filters: Mapping[str, str | None],
    population: Sequence[str],
) -> dict[str, Any]:
    """The members that every report has, by name. Filters that were not given are left out; who is flagged
    is in no report, and each says how many that is."""
    return {
        "definition": tuple(definition),
        "reporting_zone": source.zone.key,
        "watermark": source.watermark,
        "filters": {name: value for name, value in filters.items() if value},
        "population": (*population, source.flagged.sentence(), *source.history),
        "engine": source.engine,
    }


def share(part: int | None, whole: int) -> float | None:
    """Σ numerator ÷ Σ denominator; None where there is nothing to divide."""
    return None if part is None or not whole else part / whole


def micros_per(micros: int, count: int) -> int | None:
    """Money for each of so many, in whole micros, half a micro to the even one; None for nobody."""
    return round(Fraction(micros, count)) if count else None
