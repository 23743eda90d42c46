"""Reading the lake: the manifest's files, in which each event counts exactly once.

The manifest says what is in the lake, never the folder.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
from django.db.models import Min

from analytics.lake import engine, file_store, left_out, repeats, spark
from analytics.lake.engine import Connection
from analytics.lake.schema import EVENT_SCHEMA, MOMENT
from analytics.models import EventBatch, Flush, LakeFile, RepeatedEvent
from viewers.flags import Flagged

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    MOMENT: "TIMESTAMP",
}
_COLUMNS = ", ".join(EVENT_SCHEMA.names)
_NOTHING = ", ".join(f"NULL::{_SQL_TYPES[field.type]} AS {field.name}" for field in EVENT_SCHEMA)


def live_files() -> Sequence[LakeFile]:
    """The files that the lake is made of now."""
    return list(LakeFile.objects.filter(retired_at=None).order_by("id"))


def watermark(*, now: datetime) -> datetime:
    """The moment up to which everything that was acknowledged is in the lake, by received time."""
    # In the order in which batches go: what leaves the one before it is read is in the next.
    waiting = EventBatch.objects.filter(flush=None)
    in_hand = EventBatch.objects.filter(flush__in=Flush.objects.filter(finished_at=None))
    earliest: list[datetime | None] = [
        batches.aggregate(at=Min("received_at"))["at"] for batches in (waiting, in_hand)
    ]
    return min([now, *(moment for moment in earliest if moment is not None)])


@contextmanager
def connection(flagged: Flagged = Flagged()) -> Iterator[Connection]:  # noqa: B008  frozen
    """A connection with a view `events`, in which each event is exactly once; moments are UTC's.

    Those of the flagged are not in it. It is DuckDB's, which reads nothing but the lake and whose settings are
    locked, or where one is configured a session of a Spark cluster.
    """
    with _on_spark(flagged) if spark.is_configured() else on_this_machine(flagged) as opened:
        yield opened


@contextmanager
def _on_spark(flagged: Flagged) -> Iterator[Connection]:
    present = live_files()
    paths = {file.id: file.path for file in present}
    # Read after the files: those of one that was merged since are on record until it is deleted.
    on_record = RepeatedEvent.objects.values_list("file_id", "event_id")
    with spark.opened() as opened:
        opened.show_events(
            present,
            new=[file for file in present if file.compared_at is None],
            hidden={(paths[file], event_id) for file, event_id in on_record if file in paths},
            flagged=flagged,
        )
        yield opened


@contextmanager
def on_this_machine(
    flagged: Flagged = Flagged(),  # noqa: B008  frozen
) -> Iterator["DuckDBPyConnection"]:
    """The same in DuckDB, whatever counts the reports: it hands on rows as they are read."""
    present = live_files()
    with engine.opened([file_store.local_path(file.path) for file in present]) as opened:
        repeating = _hide_repeats(opened, present)
        left_out.register(opened, flagged)
        events = left_out.without(_events(present, repeating), flagged)
        opened.execute(f"CREATE VIEW events AS {events}")
        yield opened


def _hide_repeats(opened: "DuckDBPyConnection", present: Sequence[LakeFile]) -> set[int]:
    """A table of the copies that do not count: those on record, and those of files never compared."""
    # Read after the files: those of one that was merged since are on record until it is deleted.
    on_record = RepeatedEvent.objects.values_list("file_id", "event_id")
    new = [file for file in present if file.compared_at is None]
    found = [(file.id, event_id) for file, event_id in repeats.find(opened, new=new, files=present)]
    paths = {file.id: str(file_store.local_path(file.path)) for file in present}
    hidden = [(file_id, event_id) for file_id, event_id in {*on_record, *found} if file_id in paths]
    named = [(paths[file_id], str(event_id)) for file_id, event_id in hidden]
    opened.register("repeats", engine.repeats_table(named))
    return {file_id for file_id, _ in hidden}


def _events(wanted: Sequence[LakeFile], repeating: set[int]) -> str:
    """The view: files without repeats as they are, the others without what does not count."""
    plain = [file_store.local_path(file.path) for file in wanted if file.id not in repeating]
    mixed = [file_store.local_path(file.path) for file in wanted if file.id in repeating]
    parts = []
    if plain:
        parts.append(f"SELECT {_COLUMNS} FROM read_parquet({engine.path_list(plain)})")  # noqa: S608
    if mixed:
        parts.append(
            f"SELECT {_COLUMNS} FROM read_parquet({engine.path_list(mixed)}, filename = true)"  # noqa: S608
            " ANTI JOIN repeats USING (filename, event_id)"
        )
    return " UNION ALL ".join(parts) or f"SELECT {_NOTHING} WHERE false"
