"""`manage.py import_history mapping.toml FILE…`: events or purchases of another system's past."""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from analytics.history import imports, mapping
from analytics.history.imports import ImportRunning, Outcome
from analytics.history.lines import Announce, FileRefused
from analytics.history.mapping import MappingRefused
from config import clock

#: So many refused lines of a file are printed; all of them are kept with the import.
PRINTED = 20


class Command(BaseCommand):
    help = (
        "Import events or purchases of the past, as a mapping says. docs/history.md has an example."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("mapping", type=Path, help="TOML, or JSON if it ends in .json.")
        parser.add_argument("files", type=Path, nargs="+", help="CSV, or Parquet if it ends so.")
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what would be; write nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        bring = imports.rehearse if options["dry_run"] else imports.bring
        try:
            by = mapping.read(options["mapping"])
            for path in options["files"]:
                with _progress(path) as announce:
                    outcome = bring(by, path, now=clock.read(), announce=announce)
                self._tell(path, outcome, is_rehearsal=options["dry_run"])
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}.") from error
        except (MappingRefused, FileRefused) as refusal:
            raise CommandError(str(refusal)) from refusal
        except ImportRunning as error:
            raise CommandError(
                "Another import is going on, or an erasure; try again in some minutes."
            ) from error

    def _tell(self, path: Path, outcome: Outcome, *, is_rehearsal: bool) -> None:
        verb = "would be added" if is_rehearsal else "added"
        before = ", as it was imported before" if outcome.was_done else ""
        self.stdout.write(
            f"{path.name}: {outcome.lines:,} lines, {outcome.kept:,} {verb}, {outcome.known:,} known,"
            f" {outcome.left_out:,} left out, {len(outcome.refused):,} refused{before}."
        )
        for refused in outcome.refused[:PRINTED]:
            self.stderr.write(f"line {refused.line}: {refused.code}: {refused.detail}")
        if len(outcome.refused) > PRINTED:
            self.stderr.write(f"and {len(outcome.refused) - PRINTED:,} lines more.")


@contextmanager
def _progress(path: Path) -> Iterator[Announce]:
    """A bar over the bytes of the file, on the error stream of a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(path.name, total=path.stat().st_size)
        yield lambda done: bar.update(task, completed=done)
