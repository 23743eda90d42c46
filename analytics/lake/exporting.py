"""Facts of money out of the database into the lake, each once, however late its transaction commits.

A row is exported by the transaction that added it, never by its moment or its id, which were drawn
before it committed: all of those between the horizon of the last time and that of now, which is the
first transaction that is still at work. What is below it has committed or never will.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pyarrow as pa
from django.db import connection, transaction

from analytics.lake import writing
from analytics.lake.datasets import Dataset
from analytics.lake.facts import FACTS, Fact
from analytics.lake.writing import WrittenFile
from analytics.models import FactExport, LakeFile

#: An advisory lock: one worker exports at a time.
LOCK = 7_326_411_907
EVERY = timedelta(hours=1)
#: So many rows in a file, at most.
CHUNK_ROWS = 200_000
STATEMENT_SECONDS = 300

#: Ids are in the order of time but for how long a transaction may take, and a day is longer.
_STANDING = """
    SELECT control.system_identifier, pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
           uuidv7(interval '-1 day')
    FROM pg_control_system() AS control
"""
#: A row says its transaction in 32 bits; counted back from the next one, they are whole.
_ADDED_BY = """
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint
    - mod(pg_snapshot_xmax(pg_current_snapshot())::text::bigint - fact.xmin::text::bigint, 4294967296)
"""
_NO_ID = UUID(int=0)
_DAY = np.int64(24 * 3600 * 1_000_000)


@dataclass(frozen=True)
class _Standing:
    """Where a cluster is: all transactions below `horizon` have ended."""

    cluster: int
    horizon: int
    first_id: UUID


def export_next(*, now: datetime) -> str | None:
    """Exports what is new of one dataset that is due; its name, or None when none is.

    Not to be called in a transaction. One worker at a time, under LOCK.
    """
    fresh = FactExport.objects.filter(exported_at__gt=now - EVERY).values_list("dataset", flat=True)
    due = [fact for name, fact in FACTS.items() if name not in set(fresh)]
    if not due:
        return None
    _export(due[0], now=now)
    return due[0].dataset.name


def _export(fact: Fact, *, now: datetime) -> None:
    dataset = fact.dataset
    standing = _standing()
    last = FactExport.objects.filter(dataset=dataset.name).first()
    goes_on = (
        last is not None and last.cluster == standing.cluster and last.horizon <= standing.horizon
    )
    since = (last.horizon, last.first_id) if last is not None and goes_on else (0, _NO_ID)
    files = list(_written(fact, since=since, until=standing.horizon))
    with transaction.atomic(durable=True):
        if not goes_on:
            # Of another cluster's transactions nothing is known: all of it is exported anew.
            LakeFile.objects.filter(dataset=dataset.name, retired_at=None).update(retired_at=now)
        rows = [file.as_row(now=now) for file in files]
        for row in rows:
            row.compared_at = now  # what is exported once has no repeats
        LakeFile.objects.bulk_create(rows)
        FactExport.objects.update_or_create(
            dataset=dataset.name,
            defaults={
                "cluster": standing.cluster,
                "horizon": standing.horizon,
                "first_id": standing.first_id,
                "row_count": sum(file.row_count for file in files),
                "exported_at": now,
            },
        )


def _standing() -> _Standing:
    with connection.cursor() as cursor:
        cursor.execute(_STANDING)
        return _Standing(*cursor.fetchone())


def _written(fact: Fact, *, since: tuple[int, UUID], until: int) -> Iterator[WrittenFile]:
    """Files of all rows that transactions of a range have added."""
    dataset = fact.dataset
    for rows in _rows(fact, since=since, until=until):
        for day, table in _by_day(dataset, rows):
            # A name of its own: whoever dies here leaves a file that nothing names.
            path = f"{dataset.folder}/day={day}/{uuid4().hex}.parquet"
            yield writing.write(path, day, table, dataset=dataset)


def _rows(fact: Fact, *, since: tuple[int, UUID], until: int) -> Iterator[Sequence[Any]]:
    horizon, first_id = since
    statement = f"{fact.select} WHERE fact.id >= %s AND {_ADDED_BY} >= %s AND {_ADDED_BY} < %s"
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '5min'")
        with connection.chunked_cursor() as cursor:
            cursor.execute(statement, [first_id, horizon, until])
            while rows := cursor.fetchmany(CHUNK_ROWS):
                yield rows


def _by_day(dataset: Dataset, rows: Sequence[Any]) -> Iterator[tuple[date, pa.Table]]:
    """The rows of each UTC day, in the dataset's order."""
    columns = zip(*rows, strict=True)
    arrays = [
        pa.array(column, each.type) for column, each in zip(columns, dataset.schema, strict=True)
    ]
    order = [(name, "ascending") for name in dataset.order]
    table = pa.table(arrays, schema=dataset.schema).sort_by(order)
    days = table[dataset.moment].to_numpy().astype(np.int64) // _DAY
    for day in np.unique(days):
        yield date.fromordinal(date(1970, 1, 1).toordinal() + int(day)), table.filter(days == day)
