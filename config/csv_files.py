"""The one writer of CSV files: UTF-8, RFC 4180, and safe to open in a spreadsheet.

A spreadsheet runs a cell that starts like a formula, so text that does gets an apostrophe before it.
Numbers stay numbers.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from uuid import UUID

CONTENT_TYPE = "text/csv; charset=utf-8"


class Format(StrEnum):
    """How figures come."""

    JSON = "json"
    CSV = "csv"


Cell = str | int | float | date | UUID | None

#: What makes a formula of the text behind it, also in its full-width form; a tab or a line break at
#: the front is dropped by some and lets the next character be the first.
_FORMULA = "=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20"
#: Notes are no cells, but a spreadsheet splits their lines as it splits others.
_FORMULA_IN_NOTE = re.compile(rf"([,;\t|]\s*)(?=[{re.escape(_FORMULA)}])")
_BREAKS = re.compile(r"[\r\n\0\x0b\x0c\x1c-\x1e\x85\u2028\u2029\"]+")


@dataclass(frozen=True)
class Table:
    """What the figures mean, the names of the columns, and the rows.

    `kinds` are the types of what columns hold, also of one that is empty; `about` is what the notes say,
    for programs: names with their values as text.
    """

    notes: Sequence[str]
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    kinds: Mapping[str, type] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)


def write(table: Table) -> bytes:
    """The table with its notes as comment lines before it."""
    head = "".join(f"# {_note(note)}\r\n" for note in table.notes)
    return head.encode("utf-8", "replace") + lines([table.columns, *table.rows])


def lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Rows without a head: a part of a file that is too long to be made at once."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8", "replace")


def _note(note: str) -> str:
    return _FORMULA_IN_NOTE.sub(r"\1'", _BREAKS.sub(" ", note))


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return neutral(value)


def neutral(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in _FORMULA and text else text


def as_meant(text: str) -> str:
    """What `neutral` was given."""
    return text[1:] if text[:1] == "'" and text[1:2] in _FORMULA and len(text) > 1 else text
