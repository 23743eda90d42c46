"""Reading the lake: the manifest's files, in which each event counts exactly once.

The manifest says what is in the lake, never the folder.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Min

from analytics.lake import engine, file_store, left_out, orphans, repeats, scans, spark
from analytics.lake.datasets import EVENTS, Dataset
from analytics.lake.engine import Connection
from analytics.lake.facts import FACTS
from analytics.models import EventBatch, Flush, LakeFile, RepeatedEvent
from viewers.flags import Flagged

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def live_files(dataset: Dataset = EVENTS) -> Sequence[LakeFile]:
    """The files that a part of the lake, the events if not another, is made of now."""
    present = LakeFile.objects.filter(dataset=dataset.name, retired_at=None)
    return list(present.order_by("id"))


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
    orphans.tend_cache()
    present = live_files()
    with engine.opened([file_store.local_path(file.path) for file in present]) as opened:
        repeating = _hide_repeats(opened, present)
        left_out.register(opened, flagged)
        events = left_out.without(scans.of(EVENTS, present, repeating=repeating), flagged)
        opened.execute(f"CREATE VIEW events AS {events}")
        yield opened


@contextmanager
def facts_connection(names: Sequence[str]) -> Iterator["DuckDBPyConnection"]:
    """A connection with a view for each of these datasets of facts, in which each row is once."""
    files = {name: live_files(FACTS[name].dataset) for name in names}
    paths = [file_store.local_path(file.path) for some in files.values() for file in some]
    with engine.opened(paths) as opened:
        for name, present in files.items():
            rows = scans.of(FACTS[name].dataset, present)
            which = "DISTINCT *" if FACTS[name].may_repeat else "*"
            opened.execute(f"CREATE VIEW {name} AS SELECT {which} FROM ({rows})")  # noqa: S608
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
