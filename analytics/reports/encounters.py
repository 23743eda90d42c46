"""The paywall, encounter by encounter: what viewers do at the first they meet, the second, the third."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from analytics.reports import definitions
from analytics.reports.report import Report, heading, share
from analytics.reports.sources import Source

WINDOW = timedelta(hours=24)
#: Encounters from this one on are one row.
LAST_ORDINAL = 10

_COUNTS = (
    "encounters",
    "immature",
    "opened_by_coins",
    "opened_by_ad",
    "opened_by_subscription",
    "topped_up",
    "abandoned",
)


class EncounterRow(msgspec.Struct, frozen=True, kw_only=True):
    """Encounters of one number, of viewer × episode; the last row is of ten and more.

    `ordinal` is None in the total. `immature` encounters are in no other count.
    """

    ordinal: int | None
    encounters: int
    immature: int
    opened: int
    opened_by_coins: int
    opened_by_ad: int
    opened_by_subscription: int
    topped_up: int
    abandoned: int
    conversion: float | None
    abandonment: float | None


class EncounterReport(Report, frozen=True, kw_only=True):
    """Encounters by their number, and all of them."""

    rows: Sequence[EncounterRow]
    total: EncounterRow


def table(*, source: Source, series_id: UUID | None = None) -> EncounterReport:
    """Encounters with the paywalls of all series, or of one."""
    asked = None if series_id is None else str(series_id)
    source.load("unlocks", "covered", "purchases")
    counted = source.rows(
        "paywall_encounters",
        series_id=asked,
        watermark=source.watermark,
        mature_until=source.watermark - WINDOW,
        last_ordinal=LAST_ORDINAL,
    )
    return EncounterReport(
        **heading(
            source=source,
            definition=[definitions.ENCOUNTER_CONVERSION, definitions.ENCOUNTER_ABANDONMENT],
            filters={"series_id": asked},
            population=[
                "environment production",
                "encounters whose 24 hours are over; the others are counted as immature",
            ],
        ),
        rows=[_row(row[0], row[1:]) for row in counted],
        total=_row(None, _sums(row[1:] for row in counted)),
    )


def _sums(rows: Iterable[Sequence[int]]) -> Sequence[int]:
    return [sum(column) for column in zip([0] * len(_COUNTS), *rows, strict=True)]


def _row(ordinal: int | None, counts: Sequence[int]) -> EncounterRow:
    named = dict(zip(_COUNTS, counts, strict=True))
    opened = sum(
        named[means] for means in ("opened_by_coins", "opened_by_ad", "opened_by_subscription")
    )
    return EncounterRow(
        ordinal=ordinal,
        **named,
        opened=opened,
        conversion=share(opened, named["encounters"]),
        abandonment=share(named["abandoned"], named["encounters"]),
    )
