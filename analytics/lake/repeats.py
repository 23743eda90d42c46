"""Events that two files of the lake have, of which one counts: the first that came into the lake.

So what a report has counted, and an export has told, stays what counts.

A client that loses an answer and reports the same events in another batch makes them. A flush drops
those within itself; those of two files are found here, by comparing each new file once with all
those there that can have its events. Of any two files the later recorded one is compared when the other can be seen, so no pair
is missed, however many compare at once.

What is kept of them is how many there were each day, and how many of those told something else: there an
app makes its ids badly, and loses what it tells.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import F

from analytics.intake.verdicts import LONGEST_DELAY
from analytics.lake import changed_hours, engine, file_store, scans
from analytics.lake.datasets import EVENTS
from analytics.models import LakeFile, RepeatCount, RepeatedEvent

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILES_AT_ONCE = 20

#: Two copies of an event are of days no further apart; the one more is for how long sending takes.
DAYS_APART = LONGEST_DELAY + timedelta(days=1)

_COLUMNS = ("event_id", "arrived_at", "received_at", "batch_id")
_TOLD = ("viewer_id", "environment", "type", "created_at")
#: Every copy but the first that came, of one flush the first received. The join tells the scan of all
#: files which ids to look for, so that it skips files of other times as far as ids are made in the
#: order of time.
_REPEATS = """
    SELECT filename, event_id
    FROM (
        SELECT kept.event_id, kept.arrived_at, kept.received_at, kept.batch_id, kept.filename
        FROM ({every_event}) AS kept
            SEMI JOIN read_parquet({new_paths}) AS new ON kept.event_id = new.event_id
    )
    QUALIFY row_number() OVER (
        PARTITION BY event_id ORDER BY arrived_at NULLS FIRST, received_at, batch_id, filename
    ) > 1
"""
#: Those of a table `repeats` that tell something else than the copy that counts.
_CONFLICTS = """
    WITH copy AS (
        SELECT filename, event_id, row({told}) AS told,
               first_value(row({told})) OVER (
                   PARTITION BY event_id
                   ORDER BY arrived_at NULLS FIRST, received_at, batch_id, filename) AS counted
        FROM ({every_event}) SEMI JOIN repeats USING (event_id)
    )
    SELECT filename, event_id
    FROM copy SEMI JOIN repeats USING (filename, event_id)
    WHERE told IS DISTINCT FROM counted
"""

_Copy = tuple[LakeFile, UUID]


def rivals(new: Sequence[LakeFile], files: Sequence[LakeFile]) -> Sequence[LakeFile]:
    """Those of `files` that can have an event of `new`: by their ids, and by their days.

    An event is sent no later than LONGEST_DELAY after it was created, so two copies from a clock that
    runs steadily are as close. Further apart are those of a device whose clock was set in between, and
    they count as two.
    """
    return [file for file in files if any(_can_share(file, each) for each in new)]


def _can_share(one: LakeFile, other: LakeFile) -> bool:
    return (
        abs(one.day - other.day) <= DAYS_APART
        and one.first_event_id <= other.last_event_id
        and other.first_event_id <= one.last_event_id
    )


def find(
    connection: "DuckDBPyConnection", *, new: Sequence[LakeFile], files: Sequence[LakeFile]
) -> list[_Copy]:
    """The events of `files`, with the file they are in, that do not count since `new` are there.

    `files` has the new ones too, and the connection may read all of them.
    """
    if not new:
        return []
    among = rivals(new, files)
    paths = [file_store.local_path(file.path) for file in among]
    statement = _REPEATS.format(
        every_event=scans.with_paths(EVENTS, among, _COLUMNS),
        new_paths=engine.path_list([file_store.local_path(file.path) for file in new]),
    )
    by_path = dict(zip(map(str, paths), among, strict=True))
    found = connection.execute(statement).fetchall()
    return [(by_path[path], UUID(event_id)) for path, event_id in found]


def count(repeats: int, *, conflicts: int, now: datetime) -> None:
    """Adds events that were reported again to those of the day. To be called in the transaction that leaves
    them out.
    """
    if repeats:
        day = now.astimezone(UTC).date()
        RepeatCount.objects.bulk_create([RepeatCount(day=day)], ignore_conflicts=True)
        RepeatCount.objects.filter(day=day).update(
            repeat_count=F("repeat_count") + repeats, conflict_count=F("conflict_count") + conflicts
        )


def settle(*, now: datetime) -> int:
    """Compares files that never were, some at a time, until all are; returns how many."""
    total = 0
    while compared := _settle_some(now=now):
        total += compared
    return total


def _settle_some(*, now: datetime) -> int:
    files = list(LakeFile.objects.filter(dataset=EVENTS.name, retired_at=None).order_by("id"))
    new = [file for file in files if file.compared_at is None][:FILES_AT_ONCE]
    if not new:
        return 0
    among = rivals(new, files)
    with engine.opened([file_store.local_path(file.path) for file in among]) as connection:
        found = find(connection, new=new, files=among)
        conflicts = _conflicts(connection, found, files=among) if found else set[_Copy]()
    involved = {file.id for file in new} | {file.id for file, _ in found}
    with transaction.atomic(durable=True):
        # Locked, so that none is merged into another file before its repeats are on record.
        held = LakeFile.objects.filter(id__in=involved, retired_at=None).order_by("id")
        if len(held.select_for_update()) < len(involved):
            return 0  # one was merged meanwhile: rung for again, they are compared with that
        known = RepeatedEvent.objects.filter(file__in=involved)
        on_record = set(known.values_list("file_id", "event_id"))
        fresh = [copy for copy in found if (copy[0].id, copy[1]) not in on_record]
        RepeatedEvent.objects.bulk_create(
            RepeatedEvent(file=file, event_id=event_id) for file, event_id in fresh
        )
        count(len(fresh), conflicts=len(conflicts.intersection(fresh)), now=now)
        LakeFile.objects.filter(id__in=[file.id for file in new]).update(compared_at=now)
        is_new = {file.id for file in new}
        # Another file has some of their events from earlier on.
        changed_hours.changed({file for file, _ in found if file.id not in is_new})
    return len(new)


def _conflicts(
    connection: "DuckDBPyConnection", found: Sequence[_Copy], *, files: Sequence[LakeFile]
) -> set[_Copy]:
    """Those that are not the same event as the one that counts, by who, what and when."""
    by_path = {str(file_store.local_path(file.path)): file for file in files}
    paths = {file.id: path for path, file in by_path.items()}
    connection.register(
        "repeats", engine.repeats_table((paths[file.id], str(event_id)) for file, event_id in found)
    )
    statement = _CONFLICTS.format(
        told=", ".join(_TOLD),
        every_event=scans.with_paths(EVENTS, files, (*_COLUMNS, *_TOLD)),
    )
    rows = connection.execute(statement).fetchall()
    return {(by_path[path], UUID(event_id)) for path, event_id in rows}
