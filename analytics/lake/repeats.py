"""Events that two files of the lake have, of which one counts: the first that came into the lake.

So what a report has counted, and an export has told, stays what counts.

A client that loses an answer and reports the same events in another batch makes them. A flush drops
those within itself; those of two files are found here, by comparing each new file once with all
those there that can have its events. Of any two files the later recorded one is compared when the other can be seen, so no pair
is missed, however many compare at once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction

from analytics.intake.verdicts import LONGEST_DELAY
from analytics.lake import changed_hours, engine, file_store, scans
from analytics.lake.datasets import EVENTS
from analytics.models import LakeFile, RepeatedEvent

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILES_AT_ONCE = 20

#: Two copies of an event are of days no further apart; the one more is for how long sending takes.
DAYS_APART = LONGEST_DELAY + timedelta(days=1)

_COLUMNS = ("event_id", "arrived_at", "received_at", "batch_id")
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
) -> list[tuple[LakeFile, UUID]]:
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
    involved = {file.id for file in new} | {file.id for file, _ in found}
    with transaction.atomic(durable=True):
        # Locked, so that none is merged into another file before its repeats are on record.
        held = LakeFile.objects.filter(id__in=involved, retired_at=None).order_by("id")
        if len(held.select_for_update()) < len(involved):
            return 0  # one was merged meanwhile: rung for again, they are compared with that
        RepeatedEvent.objects.bulk_create(
            (RepeatedEvent(file=file, event_id=event_id) for file, event_id in found),
            ignore_conflicts=True,
        )
        LakeFile.objects.filter(id__in=[file.id for file in new]).update(compared_at=now)
        is_new = {file.id for file in new}
        # Another file has some of their events from earlier on.
        changed_hours.changed({file for file, _ in found if file.id not in is_new})
    return len(new)
