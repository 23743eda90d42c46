"""A table as a file: CSV, JSON, Parquet or XLSX, each with what its figures mean inside it.

Rows can be added as they come, so that a file is longer than what is held of it.
"""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, BinaryIO, Protocol
from uuid import UUID

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from config import csv_files, xlsx_files
from config.csv_files import Cell, Table

Row = Sequence[Cell]


class TableFormat(StrEnum):
    """How figures come."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    XLSX = "xlsx"


CONTENT_TYPES: Mapping[TableFormat, str] = {
    TableFormat.JSON: "application/json",
    TableFormat.CSV: csv_files.CONTENT_TYPE,
    TableFormat.PARQUET: "application/vnd.apache.parquet",
    TableFormat.XLSX: xlsx_files.CONTENT_TYPE,
}
#: What a table may come as beside JSON.
FILE_TYPES = [kind.partition(";")[0] for kind in CONTENT_TYPES.values()][1:]

#: Of what is no text; in this order, since to Python a truth is an integer and a moment a date.
KINDS = (bool, int, float, datetime, date)
_ARROW: Mapping[type, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    date: pa.date32(),
    datetime: pa.timestamp("us", tz="UTC"),
    str: pa.string(),
}


class TableFile(Protocol):
    """A file that is being written."""

    def add(self, rows: Iterable[Row]) -> None:
        """More rows at its end."""

    def close(self) -> None:
        """Whatever belongs behind the last row; what it is written to stays open."""


def write(table: Table, as_format: TableFormat) -> bytes:
    """The whole table."""
    target = io.BytesIO()
    file = begun(table, as_format, target)
    file.add(table.rows)
    file.close()
    return target.getvalue()


def begun(table: Table, as_format: TableFormat, target: BinaryIO) -> TableFile:
    """A file with the table's head and none of its rows.

    Columns of a Parquet file are of `table.kinds`, or of the kind of what `table.rows` holds: text if any
    of it is text, or if it is nothing.
    """
    return _BEGUN[as_format](table, target)


def widest(one: type, other: type) -> type:
    """The kind that holds both: of numbers the one with a fraction, and text for what is not alike."""
    if one is other:
        return one
    return float if {one, other} <= {int, float} else str


class _CsvFile:
    def __init__(self, table: Table, target: BinaryIO) -> None:
        self._target = target
        target.write(csv_files.write(Table(table.notes, table.columns, [])))

    def add(self, rows: Iterable[Row]) -> None:
        self._target.write(csv_files.lines(rows))

    def close(self) -> None:
        """Nothing is behind the rows."""


class _JsonFile:
    """An object with what the table is about, and in `rows` an object for each row."""

    def __init__(self, table: Table, target: BinaryIO) -> None:
        self._columns, self._target, self._separator = table.columns, target, b""
        head = msgspec.json.encode({**table.about})
        target.write(head.removesuffix(b"}") + (b"," if table.about else b"") + b'"rows":[')

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            named = dict(zip(self._columns, row, strict=True))
            self._target.write(self._separator + msgspec.json.encode(named))
            self._separator = b","

    def close(self) -> None:
        self._target.write(b"]}")


class _ParquetFile:
    """Columns of one type each; what the table is about is in the file's key-value metadata."""

    def __init__(self, table: Table, target: BinaryIO) -> None:
        self._kinds = [_kind(table, number) for number in range(len(table.columns))]
        fields = zip(table.columns, (_ARROW[kind] for kind in self._kinds), strict=True)
        self._schema = pa.schema(list(fields), metadata=dict(table.about))
        self._writer = pq.ParquetWriter(target, self._schema, compression="zstd")

    def add(self, rows: Iterable[Row]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)]
        if columns:
            arrays = [
                pa.array([_of_kind(cell, kind) for cell in column], _ARROW[kind])
                for column, kind in zip(columns, self._kinds, strict=True)
            ]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def _kind(table: Table, number: int) -> type:
    """What a column holds: as declared, unless there is something in it that is not of that."""
    held = {_plain_kind(row[number]) for row in table.rows if row[number] is not None}
    declared = table.kinds.get(table.columns[number])
    kinds = held if declared is None else held | {declared}
    if not kinds:
        return str
    first, *others = kinds
    for other in others:
        first = widest(first, other)
    return first


def _plain_kind(cell: Cell) -> type:
    return next((kind for kind in KINDS if isinstance(cell, kind)), str)


def _of_kind(cell: Cell, kind: type) -> Any:
    if cell is None:
        return None
    if kind is str:
        text = cell.isoformat() if isinstance(cell, date) else str(cell)
        return text.encode("utf-8", "replace").decode()
    if isinstance(cell, datetime):
        return cell.astimezone(UTC)
    return float(cell) if kind is float and not isinstance(cell, date | str | UUID) else cell


_BEGUN: Mapping[TableFormat, Callable[[Table, BinaryIO], TableFile]] = {
    TableFormat.JSON: _JsonFile,
    TableFormat.CSV: _CsvFile,
    TableFormat.PARQUET: _ParquetFile,
    TableFormat.XLSX: xlsx_files.XlsxFile,
}
