"""Erasure: events stay, and counts with them, under names that nothing connects with a person.

The viewer's id in them, and every id of theirs that another table or a token could lead back, becomes
the output of a keyed hash whose key is made for one run and never kept. Within the run it gives the same
for the same, so that a session stays a session. All files that speak of the viewers are written anew and
take the place of the old ones in one transaction, which also empties what inbox and quarantine have of
them: no reader ever counts a viewer as two.

What is flagged is in no count, and under another name nothing would say that it is: it is not written anew.
"""

import hmac
import secrets
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from analytics.intake.verdicts import MEANINGS
from analytics.lake import engine, file_store, reading, writing
from analytics.models import ErasedViewer, EventBatch, LakeFile, QuarantinedEvent, RepeatedEvent
from viewers import flags
from viewers.flags import Flagged
from viewers.models import Viewer

EVERY = timedelta(hours=1)
VIEWERS_AT_ONCE = 1000
FILES_AT_ONCE = 200
#: What a token that was good until then may still be sending.
STILL_ON_ITS_WAY = timedelta(minutes=2)

#: A viewer's own, which tables or tokens outside of the lake know too.
PERSONAL = (
    "viewer_id",
    "playback_session_id",
    "decision_id",
    "ad_session_id",
    "intent_id",
    "batch_id",
)


class Pseudonyms:
    """Names in place of ids, the same for the same as long as this lives."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, identifier: str) -> str:
        digest = hmac.digest(self._key, identifier.encode(), sha256)
        return str(UUID(bytes=digest[:16], version=4))


def erase_due(*, now: datetime) -> int:
    """Erases all that is known here of viewers who were erased; returns how many viewers.

    Their turn comes when no token of theirs is good any more and nothing of theirs is on its way into
    the lake. To be called where nobody merges files; not in a transaction.
    """
    viewers = _due(now=now)
    if not viewers:
        return 0
    names, flagged = Pseudonyms(), flags.live()
    files = list(_of(reading.live_files(), viewers))
    anew = [(file, _rewritten(file, viewers, flagged, names, now=now)) for file in files]
    with transaction.atomic(durable=True):
        _replace(anew, now=now)
        EventBatch.objects.filter(viewer_id__in=viewers).delete()
        _empty_quarantine(viewers, names)
        ErasedViewer.objects.bulk_create(
            ErasedViewer(viewer_id=viewer_id, file_count=len(files), erased_at=now)
            for viewer_id in viewers
        )
    return len(viewers)


def _due(*, now: datetime) -> list[UUID]:
    tokens_are_dead = now - timedelta(seconds=settings.ACCESS_TOKEN_SECONDS) - STILL_ON_ITS_WAY
    erased = Viewer.objects.filter(erased_at__lte=tokens_are_dead).exclude(
        id__in=ErasedViewer.objects.values("viewer_id")
    )
    some = list(erased.order_by("erased_at").values_list("id", flat=True)[:VIEWERS_AT_ONCE])
    on_its_way = EventBatch.objects.filter(
        Q(flush=None) | Q(flush__finished_at=None), viewer_id__in=some
    )
    busy = set(on_its_way.values_list("viewer_id", flat=True))
    return [viewer_id for viewer_id in some if viewer_id not in busy]


def _of(files: Sequence[LakeFile], viewers: Collection[UUID]) -> Iterator[LakeFile]:
    """Those of `files` that have an event of one of the viewers."""
    for first in range(0, len(files), FILES_AT_ONCE):
        yield from _of_some(files[first : first + FILES_AT_ONCE], viewers)


def _of_some(files: Sequence[LakeFile], viewers: Collection[UUID]) -> Iterator[LakeFile]:
    by_path = {str(file_store.local_path(file.path)): file for file in files}
    paths = [file_store.local_path(file.path) for file in files]
    wanted = pa.table({"viewer_id": [str(viewer_id) for viewer_id in viewers]})
    with engine.opened(paths) as connection:
        connection.register("wanted", wanted)
        found = connection.execute(
            f"SELECT DISTINCT filename FROM read_parquet({engine.path_list(paths)},"  # noqa: S608
            " filename = true) SEMI JOIN wanted USING (viewer_id)"
        ).fetchall()
    for (path,) in found:
        yield by_path[path]


def _rewritten(
    file: LakeFile,
    viewers: Collection[UUID],
    flagged: Flagged,
    names: Pseudonyms,
    *,
    now: datetime,
) -> LakeFile | None:
    """The row of a new file with the same rows in the same order, the viewers' under other names and without
    what is flagged of them; None if nothing is left.
    """
    table = pq.read_table(file_store.local_path(file.path), partitioning=None)
    theirs = _is_of(table["viewer_id"], viewers)
    is_counted = pc.invert(pc.and_(theirs, _is_flagged(table, flagged)))
    table, theirs = table.filter(is_counted), theirs.filter(is_counted)
    if not table.num_rows:
        return None
    for name in PERSONAL:
        if name in table.column_names:
            place = table.column_names.index(name)
            table = table.set_column(place, name, _renamed(table[name], theirs, names))
    # As random as the key: a name made of the old one would tell which file had them.
    written = writing.write(f"events/day={file.day}/{uuid4().hex}.parquet", file.day, table)
    row = written.as_row(now=now)
    row.columns_version = file.columns_version
    return row


def _is_flagged(table: pa.Table, flagged: Flagged) -> pa.ChunkedArray:
    return pc.or_(
        _is_of(table["viewer_id"], flagged.viewers),
        _is_of(table["playback_session_id"], flagged.sessions),
    )


def _is_of(column: pa.ChunkedArray, ids: Collection[UUID]) -> pa.ChunkedArray:
    return pc.is_in(column, pa.array([str(each) for each in ids], pa.string()))


def _renamed(
    column: pa.ChunkedArray, theirs: pa.ChunkedArray, names: Pseudonyms
) -> pa.ChunkedArray:
    encoded = column.combine_chunks().dictionary_encode()
    mine = set(pc.unique(column.filter(theirs)).to_pylist())
    renamed = [names.of(each) if each in mine else each for each in encoded.dictionary.to_pylist()]
    spread = pa.array(renamed, column.type).take(encoded.indices)
    return pc.if_else(theirs, spread, column)


def _replace(anew: Sequence[tuple[LakeFile, LakeFile | None]], *, now: datetime) -> None:
    """Puts the new files in place of the old ones. What is on record as repeated stays so."""
    old = LakeFile.objects.filter(id__in=[file.id for file, _ in anew], retired_at=None)
    # Locked, so that none is found to have repeats meanwhile.
    held = {file.id: file for file in old.order_by("id").select_for_update()}
    for file, row in anew:
        if row is None:
            continue
        row.compared_at = held[file.id].compared_at
        row.save()
        RepeatedEvent.objects.bulk_create(
            RepeatedEvent(file=row, event_id=event_id)
            for event_id in file.repeated_events.values_list("event_id", flat=True)
        )
    old.update(retired_at=now)


def _empty_quarantine(viewers: Collection[UUID], names: Pseudonyms) -> None:
    """Keeps that something was refused, when and why, and nothing of what it was."""
    theirs = QuarantinedEvent.objects.filter(viewer_id__in=viewers)
    for event in theirs.iterator():
        event.viewer_id = UUID(names.of(str(event.viewer_id)))
        event.batch_id = UUID(names.of(str(event.batch_id)))
        event.detail, event.raw = MEANINGS.get(event.code, ""), b""
        event.save(update_fields=["viewer_id", "batch_id", "detail", "raw"])
