"""The texts that fill rollups: DuckDB's in `sql/lake`, PostgreSQL's in `sql/ledger`, run over a stretch of time."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.db import connection, transaction

from analytics.lake.schema import MOMENT
from analytics.models import HistoryImport, HistoryKind
from analytics.reports import queries
from analytics.reports.sources import Source
from analytics.rollups import slices
from analytics.rollups.metrics import Query

FOLDER = Path(__file__).parent / "sql"
STATEMENT_SECONDS = 40

#: A row by the names of its columns, `slice` being the moment that its slice begins.
Row = dict[str, Any]


@cache
def of_lake(name: str) -> queries.Query:
    """A text for the lake, by the name of its file. Raises ValueError for one without its head."""
    return queries.parsed(name, (FOLDER / "lake" / f"{name}.sql").read_text(encoding="utf-8"))


@cache
def of_ledger(name: str) -> str:
    """A text for the ledger, by the name of its file."""
    return (FOLDER / "ledger" / f"{name}.sql").read_text(encoding="utf-8")


def read_lake(query: Query, *, source: Source, since: datetime, until: datetime) -> Sequence[Row]:
    """What the lake has of the slices from `since` to `until`."""
    source.load(*query.facts)
    source.register("imports", _imports())
    source.connection.execute(of_lake("timely").text)
    text = of_lake(query.name)
    found = source.connection.execute(text.text, text.bind({"since": since, "until": until}))
    columns = [column[0] for column in found.description or ()]
    rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
    return [row | {"slice": slices.slice_start(row["slice"])} for row in rows]


def _imports() -> pa.Table:
    """When another system's past was received: every event of an import at the same moment."""
    done = HistoryImport.objects.filter(finished_at__isnull=False, kind=HistoryKind.EVENTS)
    moments = done.values_list("started_at", flat=True).distinct()
    return pa.table({"received_at": pa.array(map(queries.naive, moments), MOMENT)})


def read_ledger(query: Query, *, since: datetime, until: datetime) -> Sequence[Row]:
    """What the ledger has of the slices from `since` to `until`; not to be called in a transaction."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        cursor.execute(of_ledger(query.name), {"since": since, "until": until})
        columns = [column[0] for column in cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
