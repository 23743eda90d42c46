"""Reading a file of the past line by line, CSV or Parquet, without believing any of it."""

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analytics.history.mapping import FileShape

PARQUET = ".parquet"
_ROWS_AT_ONCE = 10_000
_HASHED_AT_ONCE = 1024 * 1024

#: What a cell holds: text, or a moment where Parquet has one.
Cell = str | datetime
#: Hears how many bytes of the file have been read; of Parquet, the share of its rows.
Announce = Callable[[int], None]


class FileRefused(Exception):
    """The file is none that can be read, or lacks a column; the message says which. Nothing was kept."""


class Code(StrEnum):
    """Why a line is refused."""

    NOT_READABLE = "not_readable"
    VIEWER_MISSING = "viewer_missing"
    ID_MISSING = "id_missing"
    TIME_UNREADABLE = "time_unreadable"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    AMOUNT_UNREADABLE = "amount_unreadable"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    CURRENCY_UNKNOWN = "currency_unknown"
    RATE_MISSING = "rate_missing"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_TITLE = "unknown_title"
    MALFORMED_EVENT = "malformed_event"
    PROGRESS_BACKWARDS = "progress_backwards"
    PROGRESS_IMPLAUSIBLE = "progress_implausible"
    KNOWN_DIFFERENTLY = "known_differently"


class LineRefused(Exception):
    """A line tells nothing that can be kept."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Line:
    """A line by the names of its columns, or None where it has not as many cells as there are columns."""

    number: int
    cells: Mapping[str, Cell] | None


def sha256(path: Path) -> bytes:
    """Of the file's content. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASHED_AT_ONCE):
            digest.update(chunk)
    return digest.digest()


def read(path: Path, shape: FileShape, *, wanted: set[str], announce: Announce) -> Iterator[Line]:
    """The lines of a file, the first of which is 1. Raises FileRefused, also late, and OSError."""
    if path.suffix == PARQUET:
        return _of_parquet(path, wanted, announce)
    return _of_csv(path, shape, wanted, announce)


def _of_csv(path: Path, shape: FileShape, wanted: set[str], announce: Announce) -> Iterator[Line]:
    try:
        # Bytes that are no text become marks by which their line is refused.
        with (
            path.open("rb") as raw,
            io.TextIOWrapper(
                raw, encoding=shape.encoding, errors="surrogateescape", newline=""
            ) as file,
        ):
            rows = csv.reader(file, delimiter=shape.delimiter, skipinitialspace=True)
            columns = list(shape.columns) if shape.columns else next(rows, [])
            _check(columns, wanted)
            for cells in rows:
                if rows.line_num % _ROWS_AT_ONCE == 0:
                    announce(raw.tell())
                if any(cells):
                    yield Line(rows.line_num, _by_name(columns, cells, wanted))
    except (csv.Error, LookupError, UnicodeError) as error:
        raise FileRefused(f"{path.name} is no CSV file: {error}.") from error


def _by_name(
    columns: Sequence[str], cells: Sequence[str], wanted: set[str]
) -> Mapping[str, Cell] | None:
    if len(cells) != len(columns):
        return None
    return {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if name in wanted}


def _of_parquet(path: Path, wanted: set[str], announce: Announce) -> Iterator[Line]:
    try:
        with pq.ParquetFile(path) as file:
            _check(file.schema_arrow.names, wanted)
            number, size = 0, path.stat().st_size
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=sorted(wanted)):
                for row in batch.to_pylist():
                    number += 1
                    yield Line(number, {name: _plain(cell) for name, cell in row.items()})
                announce(size * number // max(file.metadata.num_rows, 1))
    except pa.ArrowException as error:
        raise FileRefused(f"{path.name} is no Parquet file: {error}.") from error


def _plain(cell: Any) -> Cell:
    if cell is None:
        return ""
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001  the mapping's zone is it
    return cell if isinstance(cell, datetime) else str(cell).strip()


def _check(columns: Sequence[str], wanted: set[str]) -> None:
    if len(set(columns)) < len(columns):
        raise FileRefused("Two columns have the same name.")
    missing = wanted - set(columns)
    if missing:
        raise FileRefused(f"There is no column {min(missing)!r}.")
