"""Rows as they are, of events and of money: what can be had, and where to continue."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
from django.db import connection, transaction
from msgspec import UNSET, UnsetType

from analytics.lake import horizon, reading
from analytics.lake.schema import EVENT_SCHEMA, MOMENT
from analytics.reports import sources
from config import pages
from config.bodies import RequestShape
from config.ids import first_at
from viewers.models import Scope

SQL = Path(__file__).parent / "sql"
CHUNK_ROWS = 20_000
STATEMENT_SECONDS = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = Sequence[Any]


class DatasetQuery(RequestShape):
    """Rows of some UTC days, both included, or of all; and only those that were not there at `cursor`."""

    since: date | UnsetType = UNSET
    until: date | UnsetType = UNSET
    cursor: str = ""


@dataclass(frozen=True)
class Span:
    """Rows that came from `start` to before `end`, and happened from `since` to before `until`.

    Without a start, also those that came before arrivals were noted.
    """

    start: datetime | None
    end: datetime
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True)
class Opened:
    """Rows that wait to be read, in parts, and how many there are."""

    count: int
    parts: Iterator[Sequence[Row]]


@dataclass(frozen=True)
class Dataset:
    """Rows of one kind: their columns, who may have them, and how they are read."""

    title: str
    columns: Mapping[str, type]
    ends_at: Callable[[], datetime]
    opened: Callable[[Span], AbstractContextManager[Opened]]
    engine: str = "PostgreSQL"
    scope: Scope = Scope.ANALYTICS_READ
    operator_permission: str = ""


def span(name: str, query: DatasetQuery) -> Span:
    """What a query asks for now. Raises pages.CursorInvalid for a cursor of something else."""
    return Span(
        start=read_cursor(name, query.cursor) if query.cursor else None,
        end=DATASETS[name].ends_at(),
        since=_midnight(query.since),
        until=_midnight(query.until, days=1),
    )


def cursor_after(name: str, span: Span) -> str:
    """What continues after it: never before where it began."""
    end = span.end if span.start is None else max(span.start, span.end)
    return pages.encode([name, (end - _EPOCH) // timedelta(microseconds=1)])


def read_cursor(name: str, cursor: str) -> datetime:
    """The moment in a cursor of this data set. Raises pages.CursorInvalid."""
    of, microseconds = pages.decode(cursor, tuple[str, int])
    if of != name:
        raise pages.CursorInvalid
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError as error:
        raise pages.CursorInvalid from error


def _midnight(day: date | UnsetType, *, days: int = 0) -> datetime | None:
    if isinstance(day, UnsetType) or (days and day == date.max):
        return None
    return datetime.combine(day + timedelta(days=days), time.min, UTC)


@contextmanager
def _events(span: Span) -> Iterator[Opened]:
    """Of the lake, each event once, in whatever order it is read."""
    conditions, parameters = _conditions(span)
    where = " AND ".join(["true", *conditions])
    with reading.on_this_machine() as lake:
        counted = lake.execute(f"SELECT count(*) FROM events WHERE {where}", parameters)  # noqa: S608
        ((count,),) = counted.fetchall()
        columns = ", ".join(EVENT_SCHEMA.names)
        statement = f"SELECT {columns} FROM events WHERE {where}"  # noqa: S608
        parts: Any = lake.sql(statement, params=parameters).to_arrow_reader(CHUNK_ROWS)
        yield Opened(count, map(_rows, parts))


def _conditions(span: Span) -> tuple[list[str], dict[str, datetime]]:
    bounds: dict[str, tuple[str, datetime | None]] = {
        "since": ("occurred_at >= $since", span.since),
        "until": ("occurred_at < $until", span.until),
        "start": ("arrived_at >= $start", span.start),
        "finish": (
            "(arrived_at IS NULL OR arrived_at < $finish)"
            if span.start is None
            else "arrived_at < $finish",
            span.end,
        ),
    }
    given = {name: bound for name, bound in bounds.items() if bound[1] is not None}
    return [text for text, _ in given.values()], {
        name: moment.astimezone(UTC).replace(tzinfo=None)
        for name, (_, moment) in given.items()
        if moment is not None
    }


def _rows(batch: pa.RecordBatch) -> Sequence[Row]:
    """Moments of the lake are of UTC, without saying so."""
    columns = [
        column.cast(pa.timestamp("us", tz="UTC")).to_pylist()
        if field.type == MOMENT
        else column.to_pylist()
        for field, column in zip(EVENT_SCHEMA, batch.columns, strict=True)
    ]
    return list(zip(*columns, strict=True))


@contextmanager
def _money(name: str, happened: str, span: Span) -> Iterator[Opened]:
    """Of the tables of money, by id. Rows stay as they are, so parts need not be of one moment."""
    bounds = {
        "after": first_at(span.start) if span.start else UUID(int=0),
        "before": first_at(span.end),
        "since": span.since,
        "until": span.until,
    }
    within = _within(name, happened)
    ((count,),) = _asked(f"SELECT count(*) FROM ({within}) AS counted", bounds)  # noqa: S608
    yield Opened(count, _by_id(within, bounds))


def _within(name: str, happened: str) -> str:
    key = next(iter(DATASETS[name].columns))
    return (
        f"SELECT * FROM ({_text(name)}) AS told"  # noqa: S608
        f" WHERE {key} >= %(after)s AND {key} < %(before)s"
        f" AND (%(since)s::timestamptz IS NULL OR {happened} >= %(since)s)"
        f" AND (%(until)s::timestamptz IS NULL OR {happened} < %(until)s)"
    )


def _by_id(statement: str, bounds: Mapping[str, Any]) -> Iterator[Sequence[Row]]:
    after = bounds["after"]
    while rows := _asked(f"{statement} ORDER BY 1 LIMIT {CHUNK_ROWS}", {**bounds, "after": after}):
        yield rows
        after = UUID(int=rows[-1][0].int + 1)


def _asked(statement: str, parameters: Mapping[str, Any]) -> Sequence[Row]:
    """In a transaction of its own, which has more time than others."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        cursor.execute(statement, parameters)
        rows: Sequence[Row] = cursor.fetchall()
    return rows


@cache
def _text(name: str) -> str:
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


def _event_columns() -> Mapping[str, type]:
    kinds = {MOMENT: datetime, pa.int32(): int, pa.int64(): int}
    return {field.name: kinds.get(field.type, str) for field in EVENT_SCHEMA}


_each = dict.fromkeys
DATASETS: Mapping[str, Dataset] = {
    "events": Dataset(
        "what apps reported, each event once",
        _event_columns(),
        horizon.of_events,
        _events,
        engine=sources.DUCKDB,
    ),
    "entries": Dataset(
        "every entry of the ledger with its transfer",
        {
            **_each(("entry_id", "transfer_id", "viewer_id", "environment", "code"), str),
            **_each(("reference", "reverses_transfer_id"), str),
            **_each(("event_at", "posted_at"), datetime),
            "account": str,
            **_each(("amount_coins", "balance_after_coins", "sequence"), int),
        },
        horizon.of_money,
        partial(_money, "entries", "posted_at"),
        scope=Scope.FINANCE_READ,
        operator_permission="payments.view_entry",
    ),
    "unlocks": Dataset(
        "what opened episodes, by coins or an ad, and what was taken back of it",
        {
            **_each(("row_id", "unlock_id", "means", "way"), str),
            "unlocks": int,
            **_each(("viewer_id", "environment", "series_id", "episode_id"), str),
            **_each(("coins", "value_micros", "carried_micros"), int),
            "playback_session_id": str,
            "position_ms": int,
            "booked_at": datetime,
        },
        horizon.of_money,
        partial(_money, "unlocks", "booked_at"),
    ),
    "purchases": Dataset(
        "coins and passes that viewers bought, as they were booked",
        {
            **_each(("purchase_id", "what", "viewer_id", "environment", "provider"), str),
            **_each(("transaction_id", "currency"), str),
            **_each(("gross_micros", "tax_micros"), int),
            "exchange_rate": float,
            **_each(("net_micros", "coins"), int),
            **_each(("starts_at", "ends_at", "purchased_at", "booked_at"), datetime),
        },
        horizon.of_money,
        partial(_money, "purchases", "booked_at"),
    ),
}
