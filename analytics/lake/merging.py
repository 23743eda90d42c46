"""Merging the many small files of a day into few, so that reading does not end up opening files.

A merged file takes the place of others in one transaction, without the copies that do not count. The
files it replaces are retired: readers who have them open finish, and an hour later they are deleted.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

import pyarrow as pa
from django.db import transaction

from analytics.lake import engine, file_store, writing
from analytics.lake.schema import EVENT_SCHEMA
from analytics.models import LakeFile, RepeatedEvent

#: A file of at least half as many rows is left as it is.
ROWS_PER_FILE = 500_000
#: So many small files of a day are worth a merge; fewer are once the day is long past.
MANY = 16
LONG_PAST = timedelta(days=2)
#: Longer than any query takes.
KEPT_RETIRED = timedelta(hours=1)
DELETED_AT_ONCE = 100

_ROWS = """
    SELECT {columns} FROM read_parquet({paths}, filename = true)
        ANTI JOIN repeats USING (filename, event_id)
    ORDER BY series_id, type, occurred_at, event_id
"""


def merge_next(*, now: datetime) -> int:
    """Makes one file of some of a day's, if that is worth it; returns how many were retired."""
    for day, files in _groups(now=now):
        return _merge(day, files, now=now)
    return 0


def delete_retired(*, now: datetime) -> int:
    """Deletes some of the files that were retired long enough ago; returns how many."""
    gone = LakeFile.objects.filter(retired_at__lte=now - KEPT_RETIRED).order_by("retired_at")
    files = list(gone[:DELETED_AT_ONCE])
    for file in files:
        file_store.delete(file.path)
    ids = [file.id for file in files]
    with transaction.atomic(durable=True):
        RepeatedEvent.objects.filter(file__in=ids).delete()
        LakeFile.objects.filter(id__in=ids).delete()
    return len(files)


def _groups(*, now: datetime) -> Iterator[tuple[date, Sequence[LakeFile]]]:
    """Files of one day that are to become one, oldest first."""
    small = LakeFile.objects.filter(
        retired_at=None, compared_at__isnull=False, row_count__lt=ROWS_PER_FILE // 2
    )
    by_day = defaultdict[date, list[LakeFile]](list)
    for file in small.order_by("day", "id"):
        by_day[file.day].append(file)
    for day, files in by_day.items():
        is_past = day < (now - LONG_PAST).date()
        if len(files) >= (2 if is_past else MANY):
            yield day, _as_many_as_fit(files)


def _as_many_as_fit(files: Sequence[LakeFile]) -> Sequence[LakeFile]:
    rows, chosen = 0, []
    for file in files:
        rows += file.row_count
        if rows > ROWS_PER_FILE:
            break
        chosen.append(file)
    return chosen


def _merge(day: date, files: Sequence[LakeFile], *, now: datetime) -> int:
    repeated = _repeated(files)
    rows = _rows(files, repeated)
    name = hashlib.sha256("\n".join(file.path for file in files).encode()).hexdigest()[:32]
    path = f"events/day={day}/merged-{name}.parquet"
    written = writing.write(path, day, rows) if rows.num_rows else None
    ids = [file.id for file in files]
    with transaction.atomic(durable=True):
        held = LakeFile.objects.filter(id__in=ids, retired_at=None).order_by("id")
        # What was found to be repeated since, or merged by another, is for the next time.
        if len(held.select_for_update()) < len(ids) or _repeated(files) != repeated:
            return 0
        if written is not None:
            merged = written.as_row(now=now)
            merged.compared_at = now
            merged.save()
        LakeFile.objects.filter(id__in=ids).update(retired_at=now)
    return len(ids)


def _repeated(files: Sequence[LakeFile]) -> set[tuple[str, str]]:
    """Path and id of the events in these files that do not count."""
    paths = {file.id: str(file_store.local_path(file.path)) for file in files}
    rows = RepeatedEvent.objects.filter(file__in=paths).values_list("file_id", "event_id")
    return {(paths[file_id], str(event_id)) for file_id, event_id in rows}


def _rows(files: Sequence[LakeFile], repeated: set[tuple[str, str]]) -> pa.Table:
    """All rows that count, in the lake's order."""
    paths = [file_store.local_path(file.path) for file in files]
    statement = _ROWS.format(columns=", ".join(EVENT_SCHEMA.names), paths=engine.path_list(paths))
    with engine.opened(paths) as connection:
        connection.register("repeats", engine.repeats_table(repeated))
        return connection.sql(statement).to_arrow_table().cast(EVENT_SCHEMA)
