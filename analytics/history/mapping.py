"""How the columns of a file become our fields: a mapping in TOML or JSON, refused where it is not as documented.

docs/history.md has every member with examples. A field is taken from a column, by its name, or is the same
for every line: `currency = "cur"` or `currency = { value = "USD" }`.
"""

import hashlib
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET, Meta, UnsetType

from analytics.intake.events import TYPES
from analytics.models import HistoryKind
from config.bodies import RequestShape
from viewers.models import SOURCE_CHARACTERS

RFC3339, UNIX, UNIX_MS = "rfc3339", "unix", "unix_ms"
#: Of an event's type: lines of it are left out, and counted.
LEFT_OUT = ""

Name = Annotated[str, Meta(min_length=1, max_length=200)]
SourceName = Annotated[
    str, Meta(max_length=SOURCE_CHARACTERS, pattern=r"^[a-z0-9][a-z0-9._-]*$(?!\n)")
]


class MappingRefused(Exception):
    """The mapping is not as documented; the message says where. Nothing was read."""


class Names(StrEnum):
    """What an id of the source names. The catalog's are external ids, of an episode within its series."""

    DERIVED = "derived"
    GIVEN = "given"
    SERIES = "series"
    EPISODE = "episode"
    VERSION = "version"


class Taken(RequestShape):
    """A column, or a value for every line. A number is multiplied by `times`; an id `names` something."""

    column: Name | UnsetType = UNSET
    value: str | int | UnsetType = UNSET
    times: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    names: Names = Names.DERIVED

    def __post_init__(self) -> None:
        if (self.column is UNSET) is (self.value is UNSET):
            raise ValueError("a field has either a column or a value")


Field = Name | Taken


class FileShape(RequestShape):
    """Of CSV. Without `columns` the first line names them; a blank as delimiter is any number of them."""

    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8-sig"
    columns: Annotated[list[Name], Meta(min_length=1)] | UnsetType = UNSET


class TimeShape(RequestShape):
    """`format` is rfc3339, unix, unix_ms, or as Python's strptime has it. `zone` is of times without one."""

    format: str = RFC3339
    zone: str = ""


class IdShape(RequestShape):
    """What tells two events or purchases apart. `numbered`: equal ones of a file are told by their order."""

    columns: Annotated[list[Name], Meta(min_length=1)]
    numbered: bool = False


class ViewerShape(RequestShape):
    """The source's id of the viewer."""

    column: Name


class Unit(StrEnum):
    """What amounts are in."""

    MICROS = "micros"
    HUNDREDTHS = "hundredths"
    DECIMAL = "decimal"


class PurchaseShape(RequestShape):
    """What was paid: gross with tax, and what of it was tax and the store's fee, in one currency.

    `rates` are of the reporting currency, by currency; of others and without it the dated rates hold that were
    imported with `import_exchange_rates`.
    """

    at: Field
    gross: Field
    currency: Field
    tax: Field | UnsetType = UNSET
    fee: Field | UnsetType = UNSET
    unit: Unit = Unit.DECIMAL
    rates: dict[Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")], str] = {}


class EventShape(RequestShape):
    """`types` has our type for each of the source's, an empty text for what is to be left out.

    `members` are those of our types; of each event those that its type has are taken, where the cell is not
    empty.
    """

    type: Field
    at: Field
    types: dict[str, str]
    members: dict[str, Field] = {}
    platform: Field = msgspec.field(default_factory=lambda: Taken(value="web"))
    app_version: Field | UnsetType = UNSET
    locale: Field | UnsetType = UNSET
    country: Field | UnsetType = UNSET


class Mapping(RequestShape):
    """A whole mapping. `source` names the system of the past; ids are derived from it, so it never changes."""

    source: SourceName
    kind: HistoryKind
    id: IdShape
    viewer: ViewerShape
    file: FileShape = msgspec.field(default_factory=FileShape)
    time: TimeShape = msgspec.field(default_factory=TimeShape)
    event: EventShape | UnsetType = UNSET
    purchase: PurchaseShape | UnsetType = UNSET

    @property
    def zone(self) -> ZoneInfo | None:
        """The zone of times that say none, if one was given."""
        return ZoneInfo(self.time.zone) if self.time.zone else None

    @property
    def sha256(self) -> bytes:
        """What tells two mappings apart: their content, however it is written."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).digest()


def read(path: Path) -> Mapping:
    """The mapping in a file. Raises MappingRefused and OSError."""
    content = path.read_bytes()
    try:
        plain = (
            msgspec.json.decode(content)
            if path.suffix == ".json"
            else tomllib.loads(content.decode())
        )
        found = msgspec.convert(plain, Mapping)
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingRefused(str(error)) from error
    _check(found)
    return found


def columns(mapping: Mapping) -> set[str]:
    """Every column that the mapping takes something from."""
    fields: list[Field | UnsetType] = []
    if mapping.purchase:
        sold = mapping.purchase
        fields += [sold.at, sold.gross, sold.currency, sold.tax, sold.fee]
    if mapping.event:
        told = mapping.event
        fields += [told.type, told.at, told.platform, told.app_version, told.locale, told.country]
        fields += told.members.values()
    taken = {taken_from(field).column for field in fields if field is not UNSET}
    return {name for name in taken if name} | {*mapping.id.columns, mapping.viewer.column}


def taken_from(field: Field | UnsetType) -> Taken:
    """The field in its long form; an empty value for one that was left out."""
    if isinstance(field, Taken):
        return field
    return Taken(column=field) if field else Taken(value="")


def _check(mapping: Mapping) -> None:
    """What the shapes do not say."""
    wanted, other = (
        (mapping.event, mapping.purchase)
        if mapping.kind == HistoryKind.EVENTS
        else (mapping.purchase, mapping.event)
    )
    section = "event" if mapping.kind == HistoryKind.EVENTS else "purchase"
    if not wanted or other:
        raise MappingRefused(f"A mapping of {mapping.kind} has [{section}] and not the other.")
    try:
        _ = mapping.zone
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise MappingRefused(f"There is no time zone {mapping.time.zone!r}.") from error
    if mapping.event:
        _check_event(mapping.event)


def _check_event(shape: EventShape) -> None:
    unknown = {name for name in shape.types.values() if name != LEFT_OUT} - TYPES.keys()
    if unknown:
        raise MappingRefused(f"There is no event type {min(unknown)!r}; see docs/events.md.")
    ours = {
        name
        for kind in set(shape.types.values()) & TYPES.keys()
        for name in TYPES[kind].__struct_fields__
    } - {"event_id", "created_at"}
    strange = shape.members.keys() - ours
    if strange:
        raise MappingRefused(f"None of these event types has a member {min(strange)!r}.")
