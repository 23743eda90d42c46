"""From the inbox's batches to rows of the lake, column by column.

The same batches give the same rows in the same order, so that a flush which is done again writes the
same content, but for what the catalog and the ledger say differently by then.
"""

import zlib
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from analytics.intake import batches
from analytics.intake.batches import Batch
from analytics.intake.events import AppContext
from analytics.intake.stored_events import UUID_CHARACTERS, batch_decoder, canonical, event_decoder
from analytics.lake import watching
from analytics.lake.schema import EVENT_SCHEMA, MOMENT
from analytics.models import EventBatch
from config.problems import MalformedBody

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Unreadable:
    """An event that was accepted, by newer code, and cannot be read by this."""

    batch: EventBatch
    position: int
    raw: bytes
    reason: str


@dataclass(frozen=True)
class _Readable:
    """What can be read of a batch: what all its events share, and those that were accepted."""

    app: AppContext
    catalogue: int
    events: Sequence[Any]


@dataclass
class Rows:
    """Events on their way into the lake: of each batch in turn, each event id once.

    `conflict_count` of the duplicates told something else than what has their id, or of somebody else.
    """

    arrived_at: datetime | None = None
    duplicate_count: int = 0
    conflict_count: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)
    _seen: dict[str, tuple[int, Any]] = field(default_factory=dict)
    _batches: list[tuple[EventBatch, _Readable]] = field(default_factory=list)
    _events: dict[type[Any], list[Any]] = field(default_factory=lambda: defaultdict(list))
    _origins: dict[type[Any], list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, batch: EventBatch) -> None:
        """Adds what was accepted of a batch. Earlier received batches come first, and win."""
        readable = _accepted(batch, self.unreadable)
        if readable is None:
            return
        origin = len(self._batches)
        self._batches.append((batch, readable))
        for event in readable.events:
            event_id = canonical(event.event_id)
            if event_id in self._seen:
                self.duplicate_count += 1
                self.conflict_count += not self._is_the_same(event, batch, self._seen[event_id])
                continue
            self._seen[event_id] = origin, event
            self._events[type(event)].append(event)
            self._origins[type(event)].append(origin)

    def _is_the_same(self, event: Any, batch: EventBatch, counted: tuple[int, Any]) -> bool:
        origin, first = counted
        return event == first and batch.viewer_id == self._batches[origin][0].viewer_id

    def table(self) -> pa.Table:
        """All rows, ordered as the lake keeps them."""
        if not self._events:
            return EVENT_SCHEMA.empty_table()
        own = pa.concat_tables(
            [_of_type(kind, events) for kind, events in self._events.items()],
            promote_options="default",
        )
        batches = self._of_batches().take(np.concatenate(list(self._origins.values())))
        columns = {name: table[name] for table in (own, batches) for name in table.column_names}
        delay = pc.subtract(columns["sent_at"], columns["created_at"])
        columns["occurred_at"] = pc.subtract(columns["received_at"], delay)
        if self.arrived_at is not None:
            (arrived,) = _moments([self.arrived_at])
            columns["arrived_at"] = pa.repeat(arrived, len(own))
        columns |= watching.of_clocks(columns) | watching.of_playback(columns)
        order = [(name, "ascending") for name in ("series_id", "type", "occurred_at", "event_id")]
        rows = [columns.get(each.name, pa.nulls(len(own), each.type)) for each in EVENT_SCHEMA]
        return pa.table(rows, schema=EVENT_SCHEMA).sort_by(order)

    def _of_batches(self) -> pa.Table:
        """The columns that are the same for all events of a batch, a row for each batch."""
        received = [batch for batch, _ in self._batches]
        apps = [readable.app for _, readable in self._batches]
        return pa.table(
            {
                "viewer_id": [str(batch.viewer_id) for batch in received],
                "environment": [batch.environment for batch in received],
                "batch_id": [str(batch.batch_id) for batch in received],
                "sent_at": _moments([batch.sent_at for batch in received]),
                "received_at": _moments([batch.received_at for batch in received]),
                "platform": [str(app.platform) for app in apps],
                "app_version": [app.version for app in apps],
                "locale": [app.locale for app in apps],
                "country": [app.country for app in apps],
                "catalogue": pa.array(
                    [readable.catalogue for _, readable in self._batches], pa.int32()
                ),
            }
        )


def _of_type(kind: type[Any], events: Sequence[Any]) -> pa.Table:
    """The columns that one type of events has itself."""
    columns = {
        name: _column(name, list(map(attrgetter(name), events))) for name in kind.__struct_fields__
    }
    return pa.table({"type": pa.repeat(str(kind.__struct_config__.tag), len(events)), **columns})


def _accepted(batch: EventBatch, unreadable: list[Unreadable]) -> _Readable | None:
    """What was accepted of a batch, or None if its envelope cannot be read; adds to `unreadable`."""
    body = zlib.decompress(batch.payload)
    if not batch.refusals:
        with suppress(msgspec.DecodeError):  # of newer code: then each event is looked at
            whole = batch_decoder.decode(body)
            return _Readable(whole.app, whole.catalogue, whole.events)
    envelope, events = _taken_apart(body)
    refused = {position for position, *_ in batch.refusals}
    accepted = []
    for position, event in enumerate(events):
        if position in refused:
            continue
        try:
            if envelope is None:
                raise MalformedBody("The batch's envelope is not readable.")
            accepted.append(event_decoder.decode(event))
        except (msgspec.DecodeError, UnicodeDecodeError, MalformedBody) as error:
            unreadable.append(Unreadable(batch, position, bytes(event), str(error)))
    if envelope is None:
        return None
    return _Readable(envelope.app, envelope.catalogue, accepted)


def _taken_apart(body: bytes) -> tuple[Batch | None, Sequence[Raw | bytes]]:
    """The batch, if its envelope can be read, and the events, whatever they are."""
    try:
        batch = batches.read(body)
    except MalformedBody:
        return None, batches.elements(body)
    return batch, batch.events


def _column(name: str, values: Sequence[Any]) -> pa.Array:
    if name.endswith("_id"):
        return _identifiers(values)
    if name.endswith("_at"):
        return _moments(values)
    return pa.array(values, EVENT_SCHEMA.field(name).type)


def _moments(values: Sequence[datetime]) -> pa.Array:
    microseconds = [(value - _EPOCH) // _MICROSECOND for value in values]
    return pa.array(microseconds, pa.int64()).cast(MOMENT)


def _identifiers(values: Sequence[str | None]) -> pa.Array:
    """UUIDs as lower-case text; all at once where they are written as they should be."""
    column = pa.array(values, pa.string())
    if pc.all(pc.equal(pc.binary_length(column), UUID_CHARACTERS)).as_py() is not False:
        return pc.utf8_lower(column)
    return pa.array([value and canonical(value) for value in values], pa.string())
