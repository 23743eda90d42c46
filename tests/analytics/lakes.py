"""Small lakes in memory: events as rows, read through a source as reports read the real one."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from analytics.lake import left_out
from analytics.lake.schema import EVENT_SCHEMA
from analytics.reports import fact_tables, queries, sources
from analytics.reports.sources import Source
from viewers.flags import Flagged

UTC_ZONE = ZoneInfo("UTC")
Row = dict[str, Any]


def event(kind: str, viewer: str, at: datetime, **members: Any) -> Row:
    """One production event; `members` are columns of the lake."""
    row: Row = dict.fromkeys(EVENT_SCHEMA.names)
    moments = dict.fromkeys(("occurred_at", "created_at", "sent_at", "received_at"), at)
    return (
        row
        | moments
        | {
            "event_id": str(uuid4()),
            "type": kind,
            "viewer_id": viewer,
            "environment": "production",
            "platform": "ios",
            "country": "US",
        }
        | members
    )


def opened_app(viewer: str, at: datetime, **members: Any) -> Row:
    """The app came to the foreground."""
    return event("app_open", viewer, at, **({"channel": "organic"} | members))


def played(
    viewer: str,
    at: datetime,
    *,
    series: str = "s",
    episode: str = "e1",
    version: str = "v1",
    session: str = "",
    from_ms: int = 0,
    to_ms: int = 10_000,
    **members: Any,
) -> Row:
    """A stretch of story played at normal speed that ended at `at`."""
    return event(
        "playback_progress",
        viewer,
        at,
        **{
            "series_id": series,
            "episode_id": episode,
            "version_id": version,
            "playback_session_id": session or f"{viewer}/{version}",
            "from_ms": from_ms,
            "to_ms": to_ms,
            "actual_ms": to_ms - from_ms,
        }
        | members,
    )


@contextmanager
def lake(
    rows: Sequence[Row],
    *,
    watermark: datetime,
    zone: ZoneInfo = UTC_ZONE,
    tables: Mapping[str, Sequence[Row]] | None = None,
    flagged: Flagged = Flagged(),  # noqa: B008  frozen
) -> Iterator[Source]:
    """A source of these events; `tables` are rows of the facts by table, of which others are empty.

    Events of the flagged are left out as they are of the real lake, rows of the facts are not. A row of unlocks, left out or not, is an unlock, booked when it happened, if it says nothing else.
    """

    def read(name: str, *, series_id: UUID | None = None) -> list[pa.Table]:
        found = [
            {"unlocks": 1, "unlocked_at": row["created_at"]} | row
            if name in ("unlocks", "unlocks_left_out")
            else row
            for row in (tables or {}).get(name, [])
            if series_id is None or row["series_id"] == str(series_id)
        ]
        return [_table(found, fact_tables.SCHEMAS[name])]

    with _database() as connection:
        connection.register("told", _table(rows, EVENT_SCHEMA))
        source = sources.prepared(connection, watermark=watermark, zone=zone, flagged=flagged)
        events = left_out.without("SELECT * FROM told", flagged)
        connection.execute(f"CREATE VIEW events AS {events}")
        yield replace(source, read_facts=read)


@contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database of one's own in an engine that all share: starting one takes longer than most reports."""
    name = f"lake_{uuid4().hex}"
    with _engine().cursor() as connection:
        connection.execute(f"ATTACH ':memory:' AS {name}; USE {name}")
        yield connection
        connection.execute(f"USE memory; DETACH {name}")


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


def _table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    plain = [
        {
            name: queries.naive(value) if isinstance(value, datetime) else value
            for name, value in row.items()
        }
        for row in rows
    ]
    return pa.Table.from_pylist(plain, schema=schema)


def utc(text: str) -> datetime:
    """`2026-03-14 12:00` as a moment."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str, zone: ZoneInfo) -> datetime:
    """The moment when a zone's clocks show that."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
