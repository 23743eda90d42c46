"""What a report reads: an open connection to the lake, and how far and in which zone to read it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pyarrow as pa
from django.conf import settings
from django.db.models import Sum

from analytics.lake import engine, left_out, reading, spark
from analytics.lake.engine import Connection
from analytics.lake.schema import MOMENT
from analytics.lake.spark import SparkConnection
from analytics.models import HistoryImport
from analytics.reports import facts, local_days, queries
from viewers import flags
from viewers.flags import Flagged

DUCKDB, SPARK = "DuckDB", "Spark"

#: Money is read whole, also what was committed after the watermark was.
SHIFTS_KNOWN_AHEAD = timedelta(days=400)


#: Hears the name of each step, and can ask until the next one how many percent of it are done.
Announce = Callable[[str, Callable[[], float]], None]


def unknown() -> float:
    """How far a step is that cannot be asked."""
    return -1


def quiet(step: str, percent: Callable[[], float]) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Source:
    """Events and facts up to the watermark, days by the zone.

    The connection has a view `events`, and of the tables of `analytics.reports.fact_tables` those that a
    report has named; none of them has what is `flagged`.
    """

    connection: Connection
    watermark: datetime
    zone: ZoneInfo
    flagged: Flagged = Flagged()  # noqa: RUF009  frozen
    read_facts: Callable[..., Iterable[pa.Table]] = facts.read
    loaded: dict[str, UUID | None] = field(default_factory=dict)
    announce: Announce = quiet
    #: What another system told of that is counted here, in the words of a report's heading.
    history: Sequence[str] = ()

    @property
    def engine(self) -> str:
        """What counts."""
        return SPARK if isinstance(self.connection, SparkConnection) else DUCKDB

    def load(self, *tables: str, series_id: UUID | None = None) -> None:
        """Lets queries read these tables of facts; of the unlocks only a series', if it is given."""
        for name in tables:
            if (name, series_id) in self.loaded.items():
                continue
            self._tell(f"reading {name.replace('_', ' ')}")
            self.fill(name, self.read_facts(name, series_id=series_id))
            self.loaded[name] = series_id

    def fill(self, name: str, pieces: Iterable[pa.Table]) -> None:
        """Makes a table of what comes in pieces, at least one."""
        # Into the engine piece by piece: it spills what is more than its memory.
        for number, piece in enumerate(pieces):
            self.register("piece", piece)
            into = f"INSERT INTO {name}" if number else f"CREATE OR REPLACE TABLE {name} AS"
            self.connection.execute(f"{into} FROM piece")
        self.connection.unregister("piece")

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """What a named query answers."""
        self._tell(f"counting {query.replace('_', ' ')}")
        return queries.run(self.connection, query, **parameters)

    def named_rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """The same, each row by the names of its columns."""
        self._tell(f"counting {query.replace('_', ' ')}")
        return queries.run_named(self.connection, query, **parameters)

    def _tell(self, step: str) -> None:
        self.announce(step, self.connection.query_progress)

    def register(self, name: str, table: pa.Table) -> None:
        """Lets queries read `table` under a name."""
        self.connection.register(name, table)

    def create(self, name: str, table: pa.Table) -> None:
        """Makes a table of it, in the place of one that a query may have made under that name."""
        self.register("piece", table)
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM piece")
        self.connection.unregister("piece")


def imported() -> Sequence[str]:
    """What was imported of each source, as a heading tells it."""
    done = HistoryImport.objects.filter(finished_at__isnull=False, kept_count__gt=0)
    rows = done.values_list("source", "kind").annotate(count=Sum("kept_count"))
    return [f"imported from {source}: {count} {kind}" for source, kind, count in sorted(rows)]


@contextmanager
def opened(*, now: datetime, announce: Announce = quiet, of_all: bool = False) -> Iterator[Source]:
    """Lake and ledger as they are at `now`, up to the moment until which the lake is complete.

    `announce` hears of each step on the way. With what the flagged did if it is to be `of_all`: whoever looks
    for what is to be flagged has to see them beside the others.
    """
    announce("opening the lake", unknown)
    # Before the files: what is received in between is after it.
    watermark = reading.watermark(now=now)
    flagged = Flagged() if of_all else flags.live()
    with reading.connection(flagged) as connection:
        source = prepared(
            connection, watermark=watermark, zone=settings.REPORTING_ZONE, flagged=flagged
        )
        with _told(announce):
            yield replace(
                source,
                announce=announce,
                history=imported(),
                read_facts=partial(facts.read, of_all=of_all),
            )


@contextmanager
def ledger(*, now: datetime, announce: Announce = quiet) -> Iterator[Source]:
    """What is read of the ledger alone, which is complete at every moment; it has no `events`."""
    with spark.opened() if spark.is_configured() else engine.opened([]) as connection:
        source = prepared(
            connection, watermark=now, zone=settings.REPORTING_ZONE, flagged=flags.live()
        )
        with _told(announce):
            yield replace(source, announce=announce)


@contextmanager
def _told(announce: Announce) -> Iterator[None]:
    """Whatever happens, nobody asks a connection that is closed how far it is."""
    try:
        yield
    finally:
        announce("done", unknown)


def prepared(
    connection: Connection,
    *,
    watermark: datetime,
    zone: ZoneInfo,
    flagged: Flagged = Flagged(),  # noqa: B008  frozen
) -> Source:
    """A source on a connection, with the zone's shifts and the flagged made known to it."""
    shifts = local_days.shifts(zone=zone, until=watermark + SHIFTS_KNOWN_AHEAD)
    began, ended, shift = zip(*shifts, strict=True)
    source = Source(connection=connection, watermark=watermark, zone=zone, flagged=flagged)
    left_out.register(connection, flagged)
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
