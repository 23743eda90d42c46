"""What a report reads: an open connection to the lake, and how far and in which zone to read it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from django.conf import settings

from analytics.lake import reading
from analytics.lake.schema import MOMENT
from analytics.reports import facts, local_days, queries

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ENGINE = "DuckDB"

#: Money is read whole, also what was committed after the watermark was.
SHIFTS_KNOWN_AHEAD = timedelta(days=400)


@dataclass(frozen=True)
class Source:
    """Events and facts up to the watermark, days by the zone.

    The connection has a view `events` and the tables of `analytics.reports.facts`.
    """

    connection: "DuckDBPyConnection"
    watermark: datetime
    zone: ZoneInfo

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """What a named query answers."""
        return queries.run(self.connection, query, **parameters)

    def register(self, name: str, table: pa.Table) -> None:
        """Lets queries read `table` under a name."""
        self.connection.register(name, table)


@contextmanager
def opened(*, now: datetime) -> Iterator[Source]:
    """Lake and ledger as they are at `now`, up to the moment until which the lake is complete."""
    with _with_facts(watermark=reading.watermark(now=now)) as source:
        yield source


@contextmanager
def ledger(*, now: datetime) -> Iterator[Source]:
    """The same for what is read of the ledger alone, which is complete at every moment."""
    with _with_facts(watermark=now) as source:
        yield source


@contextmanager
def _with_facts(*, watermark: datetime) -> Iterator[Source]:
    with reading.connection() as connection:
        source = prepared(connection, watermark=watermark, zone=settings.REPORTING_ZONE)
        for name, table in facts.tables().items():
            source.register(name, table)
        yield source


def prepared(connection: "DuckDBPyConnection", *, watermark: datetime, zone: ZoneInfo) -> Source:
    """A source on a connection that has the view `events`, with the zone's shifts made known to it."""
    shifts = local_days.shifts(zone=zone, until=watermark + SHIFTS_KNOWN_AHEAD)
    began, ended, shift = zip(*shifts, strict=True)
    source = Source(connection=connection, watermark=watermark, zone=zone)
    source.register(
        "zone_shifts",
        pa.table(
            {
                "starts_at": pa.array([queries.naive(moment) for moment in began], MOMENT),
                "ends_at": pa.array([queries.naive(moment) for moment in ended], MOMENT),
                "shift_us": pa.array(shift, pa.int64()),
            }
        ),
    )
    return source
