"""Rows of cells in a file: CSV or XLSX, within bounds, whatever is in it.

An XLSX file is a ZIP archive of XML. What it would unpack to is known from its directory, which the
unpacker keeps to, and its XML is read by defusedxml, which openpyxl takes where it is installed: it
refuses entities.
"""

import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.utils.exceptions import InvalidFileException

from config import csv_files

MAXIMUM_BYTES = 10 * 1024 * 1024
MAXIMUM_UNPACKED_BYTES = 30 * 1024 * 1024
MAXIMUM_PARTS = 200
MAXIMUM_ROWS = 50_000
MAXIMUM_COLUMNS = 30
MAXIMUM_CELL_CHARACTERS = 20_000
_SEPARATORS = ",;\t"


class Format(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"


CONTENT_TYPES = {
    Format.CSV: csv_files.CONTENT_TYPE,
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class SheetUnreadable(Exception):
    """It is no table at all; the message says what to do."""


class Formula(str):
    """A cell whose value somebody's spreadsheet works out."""


class Moment(str):
    """A cell that a spreadsheet took for a date or a time."""


Row = tuple[int, Sequence[str]]


def read(content: bytes) -> Iterator[Row]:
    """The rows that have anything in them, each with its line number, as stripped text.

    Formulas and moments are of their own types. Raises SheetUnreadable, at once or on the way.
    """
    if len(content) > MAXIMUM_BYTES:
        raise SheetUnreadable(
            f"The file has more than {MAXIMUM_BYTES // 1024**2} MB. Make several changes of it."
        )
    rows = _xlsx(content) if content.startswith(b"PK") else _csv(content)
    for number, row in rows:
        if number > MAXIMUM_ROWS + 1:
            raise SheetUnreadable(
                f"The table has more than {MAXIMUM_ROWS:,} lines. Make several changes of it."
            )
        if any(row):
            yield number, row


def write(rows: Iterable[Sequence[str | int]], *, form: Format) -> bytes:
    """A file of these rows, in which no text is a formula and text stays text."""
    if form is Format.CSV:
        return csv_files.lines(rows)
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Prices")
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _cell(sheet: Any, value: str | int) -> Any:
    if isinstance(value, int):
        return WriteOnlyCell(sheet, value)
    text = ILLEGAL_CHARACTERS_RE.sub("", csv_files.neutral(value))[:MAXIMUM_CELL_CHARACTERS]
    cell = WriteOnlyCell(sheet, text)
    cell.data_type, cell.number_format = "s", "@"  # otherwise a spreadsheet takes 10:60 for a time
    return cell


def _csv(content: bytes) -> Iterator[Row]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SheetUnreadable(
            "This is neither XLSX nor CSV in UTF-8. Save it as “CSV UTF-8” or as XLSX."
        ) from error
    head = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for row in reader:
            yield reader.line_num, [_of_csv(cell.strip()) for cell in row]
    except csv.Error as error:
        raise SheetUnreadable(
            f"Line {reader.line_num} cannot be read: {error}. Look for a quotation mark that is not "
            "closed."
        ) from error


def _of_csv(text: str) -> str:
    return Formula(text) if text.startswith("=") else text


def _xlsx(content: bytes) -> Iterator[Row]:
    try:
        _refuse_bomb(content)
        book = load_workbook(io.BytesIO(content), read_only=True, keep_links=False)
        sheet = book.worksheets[0]
        # What the file says of its own size would be believed otherwise.
        sheet.reset_dimensions()
        rows = sheet.iter_rows(max_row=MAXIMUM_ROWS + 2, max_col=MAXIMUM_COLUMNS)
        for number, row in enumerate(rows, start=1):
            yield number, [_of_xlsx(cell) for cell in row]
    except (
        zipfile.BadZipFile,
        InvalidFileException,
        ParseError,
        DefusedXmlException,
        # What a workbook without its parts, or with parts of another kind, makes openpyxl say.
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        EOFError,
        OSError,
        NotImplementedError,
        OverflowError,
        zlib.error,
    ) as error:
        raise SheetUnreadable(
            "This is no workbook that can be read. Save it anew as XLSX, without a password, or as CSV."
        ) from error


def _refuse_bomb(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
    if len(parts) > MAXIMUM_PARTS or sum(p.file_size for p in parts) > MAXIMUM_UNPACKED_BYTES:
        raise SheetUnreadable(
            "The workbook unpacks to more than a price table can be. Save its first sheet alone."
        )


def _of_xlsx(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "f":
        return Formula(value)
    if isinstance(value, datetime | date | time | timedelta):
        return Moment(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)[:MAXIMUM_CELL_CHARACTERS].strip()
