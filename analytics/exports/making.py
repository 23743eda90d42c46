"""Making an export's file: aside first, within limits, and then into the storage under the holder's name."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

import msgspec
from django.conf import settings

from analytics.exports import datasets, file_store, jobs, questions
from analytics.exports.datasets import DATASETS, DatasetQuery, Span
from analytics.exports.jobs import Claim
from analytics.reports import library, tables
from analytics.reports.questions import ReportQuery
from config import table_files, xlsx_files
from config.csv_files import Table
from config.table_files import TableFormat

Clock = Callable[[], datetime]


class ExportTooLarge(Exception):
    """It has more rows or bytes than an export may have; the message says so."""


@dataclass
class Made:
    """What came of it."""

    row_count: int
    next_cursor: str = ""


@dataclass
class Making:
    """A claim, and the file that is written for it."""

    claim: Claim
    clock: Clock
    target: BinaryIO
    steps: int = field(default=0)

    @property
    def as_format(self) -> TableFormat:
        """What the file is written as."""
        return TableFormat(self.claim.export.file_format)

    def renew(self, *, percent: float, row_count: int = 0) -> None:
        """Raises LeaseLost, and ExportTooLarge where the file has outgrown its limit."""
        if self.target.tell() > settings.EXPORT_MAXIMUM_BYTES:
            limit = settings.EXPORT_MAXIMUM_BYTES
            raise ExportTooLarge(f"Its file is larger than {limit:,} bytes; ask for fewer days.")
        jobs.renew(self.claim, percent=percent, row_count=row_count, now=self.clock())

    def refuse(self, count: int) -> None:
        """Raises ExportTooLarge for more rows than a file may have."""
        limit = settings.EXPORT_MAXIMUM_ROWS
        if self.as_format is TableFormat.XLSX:
            limit = min(limit, xlsx_files.MAXIMUM_ROWS)
        if count > limit:
            raise ExportTooLarge(
                f"It has {count:,} rows, and an export in this format at most {limit:,}; ask for fewer days."
            )


def make(claim: Claim, *, clock: Clock) -> None:
    """Makes the export and ends it. Raises LeaseLost, what the report raises, and ExportTooLarge; then no
    file stays.
    """
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=settings.DATA_DIR) as target:
        making = Making(claim, clock, target)
        made = _write(making)
        making.renew(percent=99, row_count=made.row_count)
        size_bytes = target.tell()
        target.seek(0)
        file_store.save(claim.path, target)
    try:
        jobs.finish(
            claim,
            row_count=made.row_count,
            size_bytes=size_bytes,
            next_cursor=made.next_cursor,
            now=clock(),
        )
    except jobs.LeaseLost:
        file_store.delete(claim.path)
        raise


def _write(making: Making) -> Made:
    export = making.claim.export
    query = questions.read(export.name, export.question)
    if isinstance(query, DatasetQuery):
        return _write_rows(making, query)
    return _write_report(making, query)


def _write_report(making: Making, query: ReportQuery) -> Made:
    export = making.claim.export
    steps = len(library.REPORTS[export.name].queries)

    def announce(step: str, percent: Callable[[], float]) -> None:
        making.renew(percent=100 * making.steps / steps)
        making.steps += step.startswith("counting")

    found = library.read(export.name, query, now=making.clock(), announce=announce)
    table = tables.of(found)
    making.refuse(len(table.rows))
    if making.as_format is TableFormat.JSON:
        making.target.write(msgspec.json.encode(found))
    else:
        making.target.write(table_files.write(table, making.as_format))
    return Made(len(table.rows))


def _write_rows(making: Making, query: DatasetQuery) -> Made:
    name = making.claim.export.name
    span = datasets.span(name, query)
    next_cursor = datasets.cursor_after(name, span)
    row_count = 0
    with DATASETS[name].opened(span) as opened:
        making.refuse(opened.count)
        file = table_files.begun(
            _head(name, query, span, next_cursor), making.as_format, making.target
        )
        for rows in opened.parts:
            file.add(rows)
            row_count += len(rows)
            making.renew(percent=100 * row_count / max(opened.count, 1), row_count=row_count)
        file.close()
    return Made(row_count, next_cursor)


def _head(name: str, query: DatasetQuery, span: Span, next_cursor: str) -> Table:
    """What a file of rows says of itself, in its notes or beside its rows."""
    asked = {key: str(value) for key, value in msgspec.to_builtins(query).items()}
    about = {
        "dataset": name,
        "definition": DATASETS[name].title,
        "reporting_zone": "UTC",
        "watermark": span.end.isoformat(),
        "filters": ", ".join(f"{key} {value}" for key, value in asked.items()) or "none",
        "engine": DATASETS[name].engine,
        "next_cursor": next_cursor,
    }
    return Table(
        notes=[f"{key.replace('_', ' ')}: {value}" for key, value in about.items()],
        columns=list(DATASETS[name].columns),
        rows=[],
        kinds=DATASETS[name].columns,
        about=about,
    )
