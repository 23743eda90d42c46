"""Merging the many small files of a day into few, so that reading does not end up opening files.

A merged file takes the place of others in one transaction, without the copies that do not count. The
files it replaces are retired: readers who have them open finish, and an hour later they are deleted.
"""

import hashlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import accumulate
from uuid import UUID

import pyarrow as pa
from django.db import transaction

from analytics.lake import engine, file_store, scans, writing
from analytics.lake.datasets import Dataset
from analytics.lake.facts import DATASETS
from analytics.models import LakeFile, RepeatedEvent

#: An advisory lock, so that one worker merges at a time: two would do the same work.
LOCK = 7_326_411_906

#: A file of at least half as many rows is left as it is.
ROWS_PER_FILE = 500_000
#: So many small files of a day are worth a merge; fewer are once one of them has waited so long.
MANY = 16
LONGEST_WAIT = timedelta(hours=1)
#: A file so many times as large as all that is merged with it would be rewritten for little.
TIMES_THE_REST = 4
#: Longer than any query takes.
KEPT_RETIRED = timedelta(hours=1)
DELETED_AT_ONCE = 100

#: Files of one dataset and day.
_Place = tuple[date, str]


def merge_next(*, now: datetime) -> int:
    """Makes one file of some of a dataset's and a day's, if that is worth it; returns how many were
    retired.

    Days take turns: the next is the one after the day that was merged last.
    """
    groups = _groups(now=now)
    if not groups:
        return 0
    last = LakeFile.objects.filter(retired_at__isnull=False).order_by("-retired_at", "-id").first()
    place = min(
        groups,
        key=lambda place: (last is not None and place <= (last.day, last.dataset), place),
    )
    return _merge(place, groups[place], now=now)


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


def _groups(*, now: datetime) -> dict[_Place, Sequence[LakeFile]]:
    """Of each dataset and day that is worth it, the files that are to become one."""
    small = LakeFile.objects.filter(
        retired_at=None, compared_at__isnull=False, row_count__lt=ROWS_PER_FILE // 2
    )
    by_place = defaultdict[_Place, list[LakeFile]](list)
    for file in small.order_by("row_count", "id"):
        by_place[file.day, file.dataset].append(file)
    groups = {place: _group(files) for place, files in by_place.items()}
    return {
        (day, dataset): files
        for (day, dataset), files in groups.items()
        if _is_worth_it(files, now=now)
    }


def _group(files: Sequence[LakeFile]) -> Sequence[LakeFile]:
    """The smallest, as many as fit into one file, without those that outweigh the rest."""
    totals = list(accumulate(file.row_count for file in files))
    count = bisect_right(totals, ROWS_PER_FILE)
    while count > 1 and files[count - 1].row_count > TIMES_THE_REST * totals[count - 2]:
        count -= 1
    return files[:count]


def _is_worth_it(files: Sequence[LakeFile], *, now: datetime) -> bool:
    if len(files) >= MANY:
        return True
    return len(files) > 1 and min(each.created_at for each in files) <= now - LONGEST_WAIT


def _merge(place: _Place, files: Sequence[LakeFile], *, now: datetime) -> int:
    day, dataset = place[0], DATASETS[place[1]]
    repeated = _repeated(files)
    rows = _rows(dataset, files, repeated)
    path = f"{dataset.folder}/day={day}/merged-{_digest(files, repeated)}.parquet"
    written = writing.write(path, day, rows, dataset=dataset) if rows.num_rows else None
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


def _digest(files: Sequence[LakeFile], repeated: set[tuple[str, UUID]]) -> str:
    """Of all that the rows come from: who merges the same otherwise writes under another name."""
    copies = (f"{path} {event_id}" for path, event_id in sorted(repeated))
    sources = "\n".join([*(file.path for file in files), "", *copies])
    return hashlib.sha256(sources.encode()).hexdigest()[:32]


def _repeated(files: Sequence[LakeFile]) -> set[tuple[str, UUID]]:
    """Path in the lake and id of the events in these files that do not count."""
    repeats = RepeatedEvent.objects.filter(file__in=[file.id for file in files])
    return set(repeats.values_list("file__path", "event_id"))


def _rows(dataset: Dataset, files: Sequence[LakeFile], repeated: set[tuple[str, UUID]]) -> pa.Table:
    """All rows that count, in the lake's order."""
    paths = {file.path: file_store.local_path(file.path) for file in files}
    hidden = ((str(paths[path]), str(event_id)) for path, event_id in repeated)
    repeating = {file.id for file in files} if repeated else set()
    statement = (
        f"{scans.of(dataset, files, repeating=repeating)} ORDER BY {', '.join(dataset.order)}"
    )
    with engine.opened([*paths.values()]) as connection:
        connection.register("repeats", engine.repeats_table(hidden))
        return connection.sql(statement).to_arrow_table().cast(dataset.schema)
