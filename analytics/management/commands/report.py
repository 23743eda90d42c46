"""`manage.py report`: the reports of the API as a table in the terminal, or as a file of any format.

Exits with 0; with 1 where there is nothing to report of, or it cannot be; with 2 where that is no command.
"""

import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints
from uuid import UUID

import msgspec
import rich.table
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from analytics.reports import library, sources, tables
from analytics.reports.questions import ReportQuery
from analytics.reports.refusals import ReportImpossible
from analytics.reports.report import Report
from analytics.reports.sources import Announce
from catalog.models import Series
from config import clock, table_files
from config.csv_files import Cell, Table
from config.problems import NotFound
from config.table_files import TableFormat

#: How wide a table is that nobody looks at yet.
PIPED_COLUMNS = 200
DRAWN_EVERY_SECONDS = 0.1
#: What can be read in a terminal, or piped.
PRINTED = (TableFormat.CSV, TableFormat.JSON)
#: The thread that does it.
DRAWING = "report-progress"
#: A terminal is narrower than a file.
DEFAULTS = {"retention": {"horizon": "7"}}


class Command(BaseCommand):
    help = "Print a report, or write it as a file. `report NAME --help` says what it takes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        reports = parser.add_subparsers(dest="report", required=True)
        for name, entry in library.REPORTS.items():
            title = f"{entry.title[0].upper()}{entry.title[1:]}."
            _add_options(reports.add_parser(name, help=title, description=title), entry.query)

    def handle(self, *args: Any, **options: Any) -> None:
        name, written = options["report"], _written(options)
        query = _query(name, options)
        try:
            with _progress() as announce:
                found = library.read(name, query, now=clock.read(), announce=announce)
        except NotFound as error:
            raise CommandError(
                "There is no such series, or none of its episodes is out."
            ) from error
        except ReportImpossible as error:
            raise CommandError(str(error)) from error
        if written is None:
            _print(tables.of(found), Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS))
        else:
            self._write(_content(found, written), options["output"])

    def _write(self, content: bytes, output: Path | None) -> None:
        if output is None:
            self.stdout.write(content.decode(), ending="")
            return
        try:
            output.write_bytes(content)
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}.") from error


def _written(options: dict[str, Any]) -> TableFormat | None:
    """The format of the file that is asked for; None for a table in the terminal."""
    named, output = options["file_format"], options["output"]
    if named is None and output is None:
        return TableFormat.CSV if options["csv"] else None
    ending = "" if output is None else output.suffix.removeprefix(".")
    try:
        written = TableFormat(named or ("csv" if options["csv"] else ending))
    except ValueError as error:
        raise CommandError(f"Say --format: {output} does not end in one.", returncode=2) from error
    if output is None and written not in PRINTED:
        raise CommandError(f"{written} is not for a terminal: say --output FILE.", returncode=2)
    return written


def _content(found: Report, written: TableFormat) -> bytes:
    if written is TableFormat.JSON:
        return msgspec.json.format(msgspec.json.encode(found)) + b"\n"
    return table_files.write(tables.of(found), written)


def _add_options(parser: ArgumentParser, shape: type[ReportQuery]) -> None:
    """An option for each member of the query; a series is called by its external id."""
    parser.add_argument(
        "--format", choices=list(TableFormat), dest="file_format", help="As a file of that format."
    )
    parser.add_argument("--csv", action="store_true", help="The same as --format csv.")
    parser.add_argument(
        "--output", type=Path, help="Where to write the file; its ending says the format, too."
    )
    hints = get_type_hints(shape)
    for field in msgspec.structs.fields(shape):
        if field.name == "format":
            continue
        if field.name == "series_id" and field.required:
            parser.add_argument("series", help="Its external id.")
        elif field.name == "series_id":
            parser.add_argument("--series", help="Its external id.")
        else:
            parser.add_argument(
                f"--{field.name.replace('_', '-')}",
                required=field.required,
                help=_kind(hints[field.name]),
            )


def _kind(hint: Any) -> str:
    """What an option takes, in words."""
    kind = (get_args(hint) or (hint,))[0]
    if issubclass(kind, Enum):
        return " or ".join(str(choice.value) for choice in kind)
    words = {UUID: "An id.", int: "A whole number."}
    return words.get(kind, "A day, 2026-03-14." if kind.__name__ == "date" else "Text.")


def _query(name: str, options: dict[str, Any]) -> ReportQuery:
    shape = library.REPORTS[name].query
    names = {field.name for field in msgspec.structs.fields(shape)}
    given = DEFAULTS.get(name, {}) | {
        member: value for member, value in options.items() if member in names and value is not None
    }
    if options.get("series") is not None:
        given["series_id"] = str(_series(options["series"]))
    try:
        return msgspec.convert(given, type=shape, strict=False)
    except msgspec.ValidationError as error:
        raise CommandError(str(error), returncode=2) from error


def _series(external_id: str) -> UUID:
    series_id: UUID | None = (
        Series.objects.filter(external_id=external_id).values_list("id", flat=True).first()
    )
    if series_id is None:
        raise CommandError(f"There is no series {external_id}.")
    return series_id


class _Watch:
    """What is being done, and how far it is, as a thread that draws it asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._step, self._percent = "", sources.unknown

    def announce(self, step: str, percent: Callable[[], float]) -> None:
        """Takes the place of the step before; when it returns, nobody asks that one any more."""
        with self._lock:
            self._step, self._percent = step, percent

    def now(self) -> tuple[str, float | None]:
        """The step, and how many percent of it are done, if that can be said."""
        with self._lock:
            percent = self._percent()
            return self._step, percent if percent >= 0 else None


@contextmanager
def _progress() -> Iterator[Announce]:
    """A bar for each step on the error stream of a terminal, and nothing in a file or pipe."""
    watch, is_over = _Watch(), threading.Event()
    console = Console(stderr=True)
    if not console.is_terminal:
        yield watch.announce
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def draw() -> None:
            while not is_over.wait(DRAWN_EVERY_SECONDS):
                step, percent = watch.now()
                total = None if percent is None else 100
                bar.update(task, description=step, total=total, completed=percent or 0)

        drawing = threading.Thread(target=draw, name=DRAWING, daemon=True)
        drawing.start()
        try:
            yield watch.announce
        finally:
            is_over.set()
            drawing.join()


def _print(table: Table, console: Console) -> None:
    for note in table.notes:
        console.print(Text(note, style="dim"))
    # Text and no markup: an external id may hold anything.
    printed = rich.table.Table()
    for column in table.columns:
        printed.add_column(column, overflow="fold")
    for row in table.rows:
        printed.add_row(*(Text(_shown(cell)) for cell in row))
    console.print(printed)


def _shown(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:.4f}" if isinstance(cell, float) else str(cell)
