"""The one writer of workbooks: numbers are numbers, dates dates, and text is never a formula.

A workbook is written row by row, with none of it held. Its second sheet says what the first one means.
"""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO
from uuid import UUID

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from config import csv_files
from config.csv_files import Cell, Table

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FIGURES, ABOUT = "Figures", "About"
#: A spreadsheet opens four times as many, after minutes.
MAXIMUM_ROWS = 250_000
#: The most that a cell may hold.
CELL_CHARACTERS = 32_767
#: What XML has no place for.
_ILLEGAL = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]")
_MOMENT = "yyyy-mm-dd hh:mm:ss"


class XlsxFile:
    """A workbook that is being written; it reaches `target` when it is closed."""

    def __init__(self, table: Table, target: BinaryIO) -> None:
        self._table, self._target = table, target
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet(FIGURES)
        self._sheet.append(self._cells(table.columns))

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        """More rows at its end."""
        for row in rows:
            self._sheet.append(self._cells(row))

    def close(self) -> None:
        """Adds the sheet that says what it is about: a note's name, and the rest of it."""
        about = self._book.create_sheet(ABOUT)
        for note in self._table.notes:
            name, separator, rest = note.partition(": ")
            about.append(self._cells([name, rest] if separator else [note]))
        self._book.save(self._target)

    def _cells(self, row: Sequence[Cell]) -> list[Any]:
        return [_cell(self._sheet, value) for value in row]


def _cell(sheet: Any, value: Cell) -> Any:
    if isinstance(value, str | UUID):
        return _text(sheet, str(value))
    if isinstance(value, datetime):
        # A workbook has no zones.
        cell = WriteOnlyCell(sheet, value.astimezone(UTC).replace(tzinfo=None))
        cell.number_format = _MOMENT
        return cell
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _text(sheet: Any, value: str) -> Any:
    """Text of the type of text, whatever it starts with; a spreadsheet keeps it so when it is edited."""
    plain = _ILLEGAL.sub("\ufffd", value.encode("utf-8", "replace").decode())
    cell = WriteOnlyCell(sheet, plain[:CELL_CHARACTERS])
    cell.data_type = "s"
    if csv_files.neutral(plain) != plain:
        cell.quotePrefix = True
    return cell
