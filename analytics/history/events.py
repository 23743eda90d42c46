"""Events of the past: of what shape they are, of which titles, and as rows of the lake.

They are judged like those that apps report, but for what only an app's own batch can prove: there is no
playback session of ours behind them, and no clock that sent them. Created when the source says, they are
received when their import is begun, so a published ranking counts none that came after it.
"""

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa
from django.db.models import QuerySet

from analytics.history.cells import Cells, Keys, derived
from analytics.history.lines import Code, Line, LineRefused
from analytics.history.mapping import LEFT_OUT, EventShape, Field, Mapping, Names, taken_from
from analytics.intake import verdicts
from analytics.intake.events import TYPES, AnyEvent, AppContext, PlaybackProgress
from analytics.lake.schema import EVENT_SCHEMA
from analytics.models import HistoryImport
from analytics.reports import queries
from catalog.models import Episode, EpisodeVersion, Series
from viewers.models import Environment

_ORDER = [(name, "ascending") for name in ("series_id", "type", "occurred_at", "event_id")]


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event of the past, of a viewer that the source calls by a name."""

    viewer: str
    event: AnyEvent
    app: AppContext


class Reader:
    """Reads the lines of one file as a mapping of events says."""

    def __init__(self, mapping: Mapping, shape: EventShape, *, now: datetime) -> None:
        self._mapping, self._shape, self._now = mapping, shape, now
        self._keys = Keys(mapping)
        self._titles: dict[tuple[Names, tuple[str, ...]], UUID | None] = {}

    def event(self, line: Line) -> PastEvent | None:
        """The event of a line, or None if its type is to be left out. Raises LineRefused."""
        cells = Cells(line, self._mapping)
        key = self._keys.name(cells.key())
        source_type = cells.text(self._shape.type)
        kind = self._shape.types.get(source_type)
        if kind == LEFT_OUT:
            return None
        if kind is None:
            raise LineRefused(Code.UNKNOWN_TYPE, f"The mapping has no type {source_type:.60}.")
        plain = {
            "event_id": derived(self._mapping, "event", key),
            "created_at": cells.moment(self._shape.at, now=self._now),
            **self._members(cells, TYPES[kind]),
        }
        event = _converted(plain, TYPES[kind])
        if isinstance(event, PlaybackProgress):
            code = verdicts.code_of_progress(event, since=verdicts.LONGEST_SESSION)
            if code is not None:
                raise LineRefused(Code(code), verdicts.MEANINGS[code])
        return PastEvent(cells.viewer(), event, self._app(cells))

    def _members(self, cells: Cells, kind: type[AnyEvent]) -> dict[str, Any]:
        """The members of a type that are not empty, ids in an order in which each can rest on others."""
        found: dict[str, Any] = {}
        for name in kind.__struct_fields__:
            field = self._shape.members.get(name)
            if field is None or not cells.text(field):
                continue
            found[name] = (
                self._identifier(cells, name, field)
                if name.endswith("_id")
                else cells.number(field)
            )
        return found

    def _identifier(self, cells: Cells, member: str, field: Field) -> UUID | str:
        text, names = cells.text(field), taken_from(field).names
        if names is Names.GIVEN:
            return text
        if names is Names.DERIVED:
            return derived(self._mapping, member, text)
        path = self._path(cells, names, text)
        if (names, path) not in self._titles:
            self._titles[names, path] = _of_catalog(names, path)
        found = self._titles[names, path]
        if found is None:
            raise LineRefused(
                Code.UNKNOWN_TITLE, f"The catalog has no {names} {'/'.join(path):.120}."
            )
        return found

    def _path(self, cells: Cells, names: Names, text: str) -> tuple[str, ...]:
        """The external ids that lead to a series, an episode of it or a version of that."""
        above = {Names.EPISODE: ("series_id",), Names.VERSION: ("series_id", "episode_id")}
        fields = [self._shape.members.get(name) for name in above.get(names, ())]
        return (*(cells.text(field) if field else "" for field in fields), text)

    def _app(self, cells: Cells) -> AppContext:
        shape = self._shape
        members = {
            "platform": shape.platform,
            "version": shape.app_version,
            "locale": shape.locale,
            "country": shape.country,
        }
        app = {name: cells.text(taken_from(field)) for name, field in members.items()}
        return _app_of(**app)


def table(
    events: Sequence[PastEvent], viewers: Table[str, UUID], *, made: HistoryImport
) -> pa.Table:
    """The events as rows of the lake, in its order, brought by the import as their batch, and all received
    when it was begun: rollups know them by that moment.
    """
    received = queries.naive(made.started_at)
    rows = [
        _row(past)
        | {
            "viewer_id": str(viewers[past.viewer]),
            "environment": str(Environment.PRODUCTION),
            "sent_at": received,
            "received_at": received,
            "batch_id": str(made.id),
        }
        for past in events
    ]
    return pa.Table.from_pylist(rows, schema=EVENT_SCHEMA).sort_by(_ORDER)


def _row(past: PastEvent) -> dict[str, Any]:
    event, app = past.event, past.app
    own = {
        name: str(value) if isinstance(value, UUID) else value
        for name, value in msgspec.structs.asdict(event).items()
    }
    at = queries.naive(event.created_at)
    return own | {
        "type": str(event.__struct_config__.tag),
        "occurred_at": at,
        "created_at": at,
        "platform": str(app.platform),
        "app_version": app.version,
        "locale": app.locale,
        "country": app.country,
    }


def _converted(plain: dict[str, Any], kind: type[AnyEvent]) -> AnyEvent:
    try:
        event: AnyEvent = msgspec.convert(plain, kind, strict=False)
    except msgspec.ValidationError as error:
        raise LineRefused(Code.MALFORMED_EVENT, str(error)) from error
    return event


@lru_cache(maxsize=1024)
def _app_of(**members: str) -> AppContext:
    try:
        return msgspec.convert(members, AppContext)
    except msgspec.ValidationError as error:
        raise LineRefused(Code.MALFORMED_EVENT, str(error)) from error


def _of_catalog(names: Names, path: tuple[str, ...]) -> UUID | None:
    """What the catalog has under these external ids, if it has that."""
    if names is Names.SERIES:
        rows: QuerySet[Any] = Series.objects.filter(external_id=path[0])
    elif names is Names.EPISODE:
        rows = Episode.objects.filter(series__external_id=path[0], external_id=path[1])
    else:
        rows = EpisodeVersion.objects.filter(
            episode__series__external_id=path[0],
            episode__external_id=path[1],
            external_id=path[2],
        )
    return rows.values_list("id", flat=True).first()
