"""From the inbox's batches to rows of the lake, column by column.

The same batches give the same rows in the same order, so that a flush which is done again writes the
same bytes.
"""

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from analytics import batches, verdicts
from analytics.events import AnyEvent, AppContext
from analytics.lake_schema import EVENT_SCHEMA, MOMENT
from analytics.models import EventBatch
from config.bodies import RequestShape
from config.problems import MalformedBody

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UUID_BYTES, _UUID_CHARACTERS = 16, 36
#: The two hexadecimal digits of every byte, and where they stand in a UUID's text.
_DIGITS = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), dtype=np.uint16)
_HYPHENS = [8, 13, 18, 23]
_PLACES = [place for place in range(_UUID_CHARACTERS) if place not in _HYPHENS]


class _Whole(RequestShape):
    """A batch all of whose events were accepted."""

    batch_id: UUID
    sent_at: datetime
    app: AppContext
    events: list[AnyEvent]


_whole_decoder = msgspec.json.Decoder(_Whole)


@dataclass(frozen=True)
class Unreadable:
    """An event that was accepted, by newer code, and cannot be read by this."""

    batch: EventBatch
    position: int
    raw: bytes
    reason: str


@dataclass
class Rows:
    """Events on their way into the lake: of each batch in turn, each event id once."""

    duplicate_count: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)
    _batches: list[tuple[EventBatch, AppContext]] = field(default_factory=list)
    _events: dict[type[AnyEvent], list[AnyEvent]] = field(default_factory=lambda: defaultdict(list))
    _origins: dict[type[AnyEvent], list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, batch: EventBatch) -> None:
        """Adds what was accepted of a batch. Earlier received batches come first, and win."""
        app, events = _accepted(batch, self.unreadable)
        if app is None:
            return
        origin = len(self._batches)
        self._batches.append((batch, app))
        for event in events:
            number = event.event_id.int
            if number in self._seen:
                self.duplicate_count += 1
                continue
            self._seen.add(number)
            self._events[type(event)].append(event)
            self._origins[type(event)].append(origin)

    def table(self) -> pa.Table:
        """All rows, ordered as the lake keeps them."""
        parts = [
            self._part(kind, self._events[kind], np.array(self._origins[kind], dtype=np.int64))
            for kind in self._events
        ]
        if not parts:
            return EVENT_SCHEMA.empty_table()
        order = [(name, "ascending") for name in ("series_id", "type", "occurred_at", "event_id")]
        return pa.concat_tables(parts).sort_by(order)

    def _part(
        self, kind: type[AnyEvent], events: Sequence[AnyEvent], origins: np.ndarray[Any, Any]
    ) -> pa.Table:
        """The rows of one type. Columns that it does not have are null."""
        columns = self._of_batches(origins)
        for name in kind.__struct_fields__:
            if name != "created_at":
                columns[name] = _column(name, list(map(attrgetter(name), events)))
        created = np.array([_microseconds(event.created_at) for event in events])
        sent, received = self._moments(origins)
        columns["created_at"] = _moments(created)
        columns["sent_at"], columns["received_at"] = _moments(sent), _moments(received)
        columns["occurred_at"] = _moments(received - (sent - created))
        columns["type"] = pa.repeat(str(kind.__struct_config__.tag), len(events))
        return pa.table(
            [
                columns.get(column.name, pa.nulls(len(events), column.type))
                for column in EVENT_SCHEMA
            ],
            schema=EVENT_SCHEMA,
        )

    def _of_batches(self, origins: np.ndarray[Any, Any]) -> dict[str, pa.Array]:
        """The columns that are the same for all events of a batch."""
        values: Mapping[str, list[str]] = {
            "viewer_id": [str(batch.viewer_id) for batch, _ in self._batches],
            "environment": [batch.environment for batch, _ in self._batches],
            "batch_id": [str(batch.batch_id) for batch, _ in self._batches],
            "platform": [str(app.platform) for _, app in self._batches],
            "app_version": [app.version for _, app in self._batches],
            "locale": [app.locale for _, app in self._batches],
            "country": [app.country for _, app in self._batches],
        }
        indices = pa.array(origins)
        return {name: pa.array(each, pa.string()).take(indices) for name, each in values.items()}

    def _moments(self, origins: np.ndarray[Any, Any]) -> tuple[Any, Any]:
        sent = np.array([_microseconds(batch.sent_at) for batch, _ in self._batches])
        received = np.array([_microseconds(batch.received_at) for batch, _ in self._batches])
        return sent[origins], received[origins]


def _accepted(
    batch: EventBatch, unreadable: list[Unreadable]
) -> tuple[AppContext | None, Sequence[AnyEvent]]:
    """The app and the events of a batch but for those in quarantine; adds to `unreadable`."""
    body = zlib.decompress(batch.payload)
    if not batch.refusals:
        with suppress(msgspec.DecodeError):  # of newer code: then each event is looked at
            whole = _whole_decoder.decode(body)
            return whole.app, whole.events
    app, events = _taken_apart(body)
    refused = {position for position, *_ in batch.refusals}
    accepted = []
    for position, event in enumerate(events):
        if position in refused:
            continue
        try:
            if app is None:
                raise MalformedBody("The batch's envelope is not readable.")
            accepted.append(verdicts.decode(event))
        except (msgspec.DecodeError, UnicodeDecodeError, MalformedBody) as error:
            unreadable.append(Unreadable(batch, position, bytes(event), str(error)))
    return app, accepted


def _taken_apart(body: bytes) -> tuple[AppContext | None, Sequence[Raw | bytes]]:
    """The app, if the envelope can be read, and the events, whatever they are."""
    try:
        batch = batches.read(body)
    except MalformedBody:
        return None, batches.elements(body)
    return batch.app, batch.events


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moments(microseconds: Any) -> pa.Array:
    return pa.array(microseconds, pa.int64()).cast(MOMENT)


def _column(name: str, values: Sequence[Any]) -> pa.Array:
    if name.endswith("_id"):
        return _uuid_texts(values)
    return pa.array(values, EVENT_SCHEMA.field(name).type)


def _uuid_texts(values: Sequence[UUID | None]) -> pa.Array:
    """UUIDs as lower-case text. All at once: one by one it is most of what a flush does."""
    nothing = bytes(_UUID_BYTES)
    joined = b"".join([nothing if value is None else value.bytes for value in values])
    digits = _DIGITS[np.frombuffer(joined, np.uint8)].view(np.uint8)
    texts = np.full((len(values), _UUID_CHARACTERS), ord("-"), np.uint8)
    texts[:, _PLACES] = digits.reshape(len(values), 2 * _UUID_BYTES)
    ends = np.arange(0, len(values) + 1, dtype=np.int32) * np.int32(_UUID_CHARACTERS)
    missing = pa.array([value is None for value in values])
    column = pa.StringArray.from_buffers(len(values), pa.py_buffer(ends), pa.py_buffer(texts))
    return pc.if_else(missing, None, column) if None in values else column
