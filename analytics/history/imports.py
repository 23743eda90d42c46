"""Importing a file of the past: once, whole or not at all, and from where it was left if it was.

Of events each part of the file is written to the lake's store, and its row says so; the manifest gets all
of them, and the import its end, in one transaction. Purchases are few beside events: a file of them is
one transaction. What the same mapping has read of the same file before is not read again; what another file
has as well is known by its id, and counts once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, islice
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from django.db import transaction

from analytics.history import events, lines, mapping, purchases
from analytics.history.cells import derived
from analytics.history.events import PastEvent
from analytics.history.lines import Announce, Code, FileRefused, Line, LineRefused
from analytics.history.mapping import Mapping, MappingRefused
from analytics.history.purchases import ReadPurchase
from analytics.lake import changed_hours, file_store, repeats, writing
from analytics.lake.writing import WrittenFile
from analytics.models import (
    ErasedViewer,
    HistoryImport,
    HistoryKind,
    HistoryPart,
    LakeFile,
    RefusedLine,
    RepeatedEvent,
)
from config import advisory_lock
from payments.store import imported_purchases
from viewers import imported_viewers

#: An advisory lock: one import at a time, and none while what is known of viewers is erased.
LOCK = 7_326_411_909

LINES_PER_PART = 50_000
#: An import that nobody goes on with for so long is given up.
KEPT_UNFINISHED = timedelta(days=7)
_DETAIL_CHARACTERS = 300


class ImportRunning(Exception):
    """Another import is going on, or an erasure."""


@dataclass(frozen=True)
class Refused:
    """A line that tells nothing that can be kept."""

    line: int
    code: Code
    detail: str


@dataclass
class Outcome:
    """What came of a file: how many lines, and what of them. `was_done` says that it was done before."""

    lines: int = 0
    kept: int = 0
    known: int = 0
    left_out: int = 0
    was_done: bool = False
    refused: list[Refused] = field(default_factory=list)

    def refuse(self, line: int, refusal: LineRefused) -> None:
        """Counts a line that is refused."""
        detail = refusal.detail.encode(errors="replace").decode()[:_DETAIL_CHARACTERS]
        self.refused.append(Refused(line, refusal.code, detail.replace("\x00", "\ufffd")))

    def add(self, part: "Outcome") -> None:
        """Counts what came of a part."""
        self.lines += part.lines
        self.kept += part.kept
        self.known += part.known
        self.left_out += part.left_out
        self.refused += part.refused


def bring(
    by: Mapping, path: Path, *, now: datetime, announce: Announce = lambda _: None
) -> Outcome:
    """Imports a file. Raises FileRefused, MappingRefused, ImportRunning and OSError, with nothing counted."""
    with advisory_lock.tried(LOCK) as is_ours:
        if not is_ours:
            raise ImportRunning
        made, _ = HistoryImport.objects.get_or_create(
            file_sha256=lines.sha256(path),
            mapping_sha256=by.sha256,
            defaults={
                "source": by.source,
                "kind": by.kind,
                "file_name": path.name[-200:],
                "started_at": now,
            },
        )
        if made.finished_at is not None:
            return _as_it_was(made)
        found = lines.read(path, by.file, wanted=mapping.columns(by), announce=announce)
        bring_it = _events if by.kind == HistoryKind.EVENTS else _purchases
        try:
            return bring_it(made, by, found, now=now)
        except (FileRefused, MappingRefused):
            _undo(made)
            raise


def give_up(*, now: datetime) -> int:
    """Takes away what imports have written that began long before `now` and that nobody goes on with;
    returns how many. The same file can be imported from its beginning.
    """
    with advisory_lock.tried(LOCK) as is_ours:
        old = HistoryImport.objects.filter(finished_at=None, started_at__lte=now - KEPT_UNFINISHED)
        abandoned = list(old) if is_ours else []
        for made in abandoned:
            _undo(made)
    return len(abandoned)


def rehearse(
    by: Mapping, path: Path, *, now: datetime, announce: Announce = lambda _: None
) -> Outcome:
    """What would come of a file, with nothing written. Events that the lake has already are counted as kept."""
    total = Outcome()
    found = lines.read(path, by.file, wanted=mapping.columns(by), announce=announce)
    read = _reader(by, now=now)
    while some := list(islice(found, LINES_PER_PART)):
        part, told = _told(some, read)
        if by.kind == HistoryKind.PURCHASES:
            known = imported_viewers.known(by.source, {each.viewer for each in told})
            stand_in = derived(by, "viewer", "nobody")
            kept = imported_purchases.differing(
                [each.of(known.get(each.viewer, stand_in)) for each in told]
            )
            _count(part, told, kept)
        total.add(part)
    return total


def _reader(by: Mapping, *, now: datetime) -> Any:
    """What makes an event or a purchase of a line."""
    if by.event:
        return events.Reader(by, by.event, now=now).event
    if by.purchase:
        return purchases.Reader(by, by.purchase, now=now).purchase
    raise MappingRefused("There is neither [event] nor [purchase].")


def _told(some: Sequence[Line], read: Any) -> tuple[Outcome, list[Any]]:
    """What lines tell, each id once, and how many of them tell what."""
    part, told = Outcome(lines=len(some)), {}
    for line in some:
        try:
            found = read(line)
        except LineRefused as refusal:
            part.refuse(line.number, refusal)
            continue
        if found is None:
            part.left_out += 1
            continue
        identifier = found.event.event_id if isinstance(found, PastEvent) else found.id
        if identifier in told:
            part.known += 1
        else:
            told[identifier] = found
    part.kept = len(told)
    return part, list(told.values())


def _purchases(
    made: HistoryImport, by: Mapping, found: Iterator[Line], *, now: datetime
) -> Outcome:
    total, read = Outcome(), _reader(by, now=now)
    with transaction.atomic():
        while some := list(islice(found, LINES_PER_PART)):
            part, told = _told(some, read)
            viewers = _viewers(by, [(each.viewer, each.purchased_at) for each in told], now=now)
            kept = imported_purchases.keep(
                [each.of(viewers[each.viewer]) for each in told],
                source=by.source,
                import_id=made.id,
                now=now,
            )
            _count(part, told, kept)
            total.add(part)
        _keep_refused(made, total.refused)
        _finish(made, total, now=now)
    return total


def _count(part: Outcome, told: Sequence[ReadPurchase], kept: imported_purchases.Kept) -> None:
    """What of the purchases of a part is new, known, and known to be something else."""
    part.kept = kept.added
    part.known += kept.known
    lines_of = {each.id: each.line for each in told}
    for identifier in kept.other:
        detail = "It was imported before, with another viewer, moment or amount, which stays."
        part.refuse(lines_of[identifier], LineRefused(Code.KNOWN_DIFFERENTLY, detail))


def _events(made: HistoryImport, by: Mapping, found: Iterator[Line], *, now: datetime) -> Outcome:
    read, done = _reader(by, now=now), made.parts.count()
    for line in islice(found, done * LINES_PER_PART):
        # What was written stays; only what tells equal events apart is counted on.
        if by.id.numbered:
            _told([line], read)
    for number in count(done):
        some = list(islice(found, LINES_PER_PART))
        if not some:
            break
        part, told = _told(some, read)
        viewers = _viewers(by, [(each.viewer, each.event.created_at) for each in told], now=now)
        rows = events.table(told, viewers, made=made)
        _keep_part(made, number, part, _write(made.id, number, rows))
    return _enter(made, now=now)


def _viewers(
    by: Mapping, seen: Sequence[tuple[str, datetime]], *, now: datetime
) -> dict[str, UUID]:
    first: dict[str, datetime] = {}
    for name, at in seen:
        first[name] = min(at, first.get(name, at))
    return imported_viewers.find_or_make(by.source, first, now=now)


def _write(import_id: UUID, number: int, rows: pa.Table) -> list[WrittenFile]:
    """Files of a part, one for each UTC day, under names that only this import has."""
    days = pc.cast(rows["occurred_at"], pa.date32())
    return [
        writing.write(
            f"events/day={day}/history-{import_id}-{number}.parquet",
            day,
            rows.filter(pc.equal(days, pa.scalar(day, pa.date32()))),
        )
        for day in sorted(pc.unique(days).to_pylist())
    ]


def _keep_part(
    made: HistoryImport, number: int, part: Outcome, files: Sequence[WrittenFile]
) -> None:
    with transaction.atomic(durable=True):
        HistoryPart.objects.create(
            history_import=made,
            number=number,
            files=msgspec.to_builtins(files),
            line_count=part.lines,
            kept_count=part.kept,
            known_count=part.known,
            left_out_count=part.left_out,
        )
        _keep_refused(made, part.refused)


def _undo(made: HistoryImport) -> None:
    """Takes away what was written of a file that turned out to be none. None of it was ever counted."""
    for part in made.parts.all():
        for file in msgspec.convert(part.files, list[WrittenFile]):
            file_store.delete(file.path)
    made.delete()


def _enter(made: HistoryImport, *, now: datetime) -> Outcome:
    """The manifest gets all files of the import at once; then those are compared with what was there."""
    total, files = Outcome(), list[WrittenFile]()
    with transaction.atomic(durable=True):
        for part in made.parts.order_by("number"):
            files += msgspec.convert(part.files, list[WrittenFile])
            total.add(
                Outcome(part.line_count, part.kept_count, part.known_count, part.left_out_count)
            )
        LakeFile.objects.bulk_create((file.as_row(now=now) for file in files), batch_size=5_000)
        changed_hours.changed(files)
        # Of who was erased since it began, there is something to erase once more.
        ErasedViewer.objects.filter(erased_at__gte=made.started_at).delete()
        total.refused = _refused(made)
        _finish(made, total, now=now)
    repeats.settle(now=now)
    repeated = RepeatedEvent.objects.filter(file__path__contains=f"/history-{made.id}-").count()
    total.kept, total.known = total.kept - repeated, total.known + repeated
    HistoryImport.objects.filter(id=made.id).update(kept_count=total.kept, known_count=total.known)
    return total


def _finish(made: HistoryImport, total: Outcome, *, now: datetime) -> None:
    made.finished_at = now
    made.line_count, made.kept_count, made.known_count = total.lines, total.kept, total.known
    made.left_out_count, made.refused_count = total.left_out, len(total.refused)
    made.save()


def _keep_refused(made: HistoryImport, refused: Sequence[Refused]) -> None:
    RefusedLine.objects.bulk_create(
        (
            RefusedLine(history_import=made, line=each.line, code=each.code, detail=each.detail)
            for each in refused
        ),
        batch_size=5_000,
    )


def _refused(made: HistoryImport) -> list[Refused]:
    rows = made.refused_lines.order_by("line").values_list("line", "code", "detail")
    return [Refused(line, Code(code), detail) for line, code, detail in rows]


def _as_it_was(made: HistoryImport) -> Outcome:
    return Outcome(
        lines=made.line_count,
        kept=made.kept_count,
        known=made.known_count,
        left_out=made.left_out_count,
        was_done=True,
        refused=_refused(made),
    )
