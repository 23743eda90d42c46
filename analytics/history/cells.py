"""What cells mean: moments, amounts, numbers and ids, by the words of a mapping."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec

from analytics.history.lines import Cell, Code, Line, LineRefused
from analytics.history.mapping import RFC3339, UNIX, UNIX_MS, Field, Mapping, Unit, taken_from
from analytics.reports.local_days import FIRST_DAY
from viewers.models import EXTERNAL_ID_CHARACTERS

#: Ids are derived under this one (RFC 9562, version 5), so an import done again makes the same.
NAMESPACE = UUID("6f7a1d0e-5c1b-5d0a-9c9e-2f4b8a7d3e61")
EARLIEST = datetime.combine(FIRST_DAY, datetime.min.time(), tzinfo=UTC)
#: A thousand million of a currency; larger amounts are mistakes.
LARGEST_MICROS = 10**15

_FARTHEST_MICROSECONDS = 10**17
_MICROS = {Unit.MICROS: 1, Unit.HUNDREDTHS: 10_000, Unit.DECIMAL: 1_000_000}
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Cells:
    """The cells of one line, asked for by the fields of a mapping. Every method raises LineRefused."""

    def __init__(self, line: Line, mapping: Mapping) -> None:
        if line.cells is None:
            raise LineRefused(Code.NOT_READABLE, "It has not as many cells as there are columns.")
        for cell in line.cells.values():
            if isinstance(cell, str) and _UNSTORABLE.search(cell):
                raise LineRefused(Code.NOT_READABLE, "It holds what is no text.")
        self._cells, self._mapping = line.cells, mapping

    def text(self, field: Field) -> str:
        """The text of a field, empty where there is none."""
        taken = taken_from(field)
        cell = self._cells[taken.column] if taken.column else taken.value
        return cell.isoformat() if isinstance(cell, datetime) else str(cell)

    def viewer(self) -> str:
        """What the source calls the viewer."""
        name = self._text(self._mapping.viewer.column)
        if not 0 < len(name) <= EXTERNAL_ID_CHARACTERS:
            raise LineRefused(Code.VIEWER_MISSING, "There is no viewer's id of a usable length.")
        return name

    def key(self) -> tuple[str, ...]:
        """What tells it apart from others."""
        key = tuple(map(self._text, self._mapping.id.columns))
        if not any(key):
            raise LineRefused(Code.ID_MISSING, "There is nothing to tell it apart by.")
        return key

    def moment(self, field: Field, *, now: datetime) -> datetime:
        """When it was, in UTC, not before the calendar of our reports begins nor after `now`."""
        taken = taken_from(field)
        cell = self._cells[taken.column] if taken.column else str(taken.value)
        try:
            moment = _moment(cell, self._mapping.time.format, self._mapping.time.zone)
        except (ValueError, ArithmeticError) as error:
            raise LineRefused(Code.TIME_UNREADABLE, f"{cell!s:.60} is no such time.") from error
        if not EARLIEST <= moment <= now:
            raise LineRefused(Code.TIME_OUT_OF_RANGE, f"{moment:%Y-%m-%d %H:%M} is out of range.")
        return moment

    def micros(self, field: Field, unit: Unit) -> int:
        """An amount of money, exactly."""
        text = self.text(field)
        try:
            exact = Decimal(text or "0") * _MICROS[unit]
        except ArithmeticError as error:
            raise LineRefused(Code.AMOUNT_UNREADABLE, f"{text:.60} is no amount.") from error
        if not exact.is_finite() or not 0 <= exact <= LARGEST_MICROS:
            raise LineRefused(Code.AMOUNT_OUT_OF_RANGE, f"{text:.60} is no amount paid.")
        if exact != int(exact):
            raise LineRefused(Code.AMOUNT_UNREADABLE, f"{text:.60} is finer than a micro.")
        return int(exact)

    def number(self, field: Field) -> int | str:
        """A whole number, or the text as it stands if it is none."""
        text = self.text(field)
        return int(text) * taken_from(field).times if _NUMBER.fullmatch(text) else text

    def _text(self, column: str) -> str:
        return self.text(column)


class Keys:
    """Ids for the keys of one file, made of them alone and of the source's name."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._seen: Counter[tuple[str, ...]] = Counter()

    def name(self, key: tuple[str, ...]) -> str:
        """The key in one text; equal ones of a file are told by their order, where the mapping says so."""
        if not self._mapping.id.numbered:
            return msgspec.json.encode(key).decode()
        self._seen[key] += 1
        return msgspec.json.encode((*key, self._seen[key])).decode()


def derived(mapping: Mapping, what: str, name: str) -> UUID:
    """The id of something that the source calls by a name."""
    return uuid5(NAMESPACE, msgspec.json.encode((mapping.source, what, name)).decode())


def _moment(cell: Cell, form: str, zone: str) -> datetime:
    return _parsed(cell, form, zone) if isinstance(cell, str) else _zoned(cell, zone)


@lru_cache(maxsize=4096)
def _parsed(text: str, form: str, zone: str) -> datetime:
    if form in (UNIX, UNIX_MS):
        micros = Decimal(text) * (1_000_000 if form == UNIX else 1000)
        if not micros.is_finite() or abs(micros) > _FARTHEST_MICROSECONDS:
            raise ValueError(text)
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(micros))
    if form == RFC3339:
        return _zoned(datetime.fromisoformat(text), zone)
    return _zoned(datetime.strptime(text, form), zone)  # noqa: DTZ007  its zone comes next


def _zoned(moment: datetime, zone: str) -> datetime:
    """In UTC. Of two moments with one local time it is the earlier. Raises ValueError without a zone."""
    if moment.tzinfo is None:
        if not zone:
            raise ValueError("It is in no zone.")
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return moment.astimezone(UTC)
