"""`manage.py close_days`: what the sweeper's task does, by hand, and the days' money ladder."""

import sys
from argparse import ArgumentParser
from typing import Any

import rich.table
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.text import Text

from config import advisory_lock, clock
from payments.ledger.days import closing, digests
from payments.models import MoneyDay
from viewers.models import Environment

#: How wide a table is that nobody looks at yet.
PIPED_COLUMNS = 240


class Command(BaseCommand):
    help = "Compute the days of money that are due, seal the ledger's days, and print the ladder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=35, help="How many of the last to print.")
        parser.add_argument(
            "--environment", choices=Environment.values, default=Environment.PRODUCTION
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with advisory_lock.tried(closing.LOCK) as is_ours:
            if not is_ours:
                raise CommandError("A worker is at it.")
            for step in (digests.seal_next, closing.close_next):
                while step(now=clock.read()):
                    pass
        rows = list(MoneyDay.objects.filter(environment=options["environment"])[: options["days"]])
        self._print(rows)
        broken = [(row.day, sentence) for row in rows for sentence in row.violations]
        for day, sentence in broken:
            self.stderr.write(f"{day}: {sentence}")
        if broken:
            raise CommandError(f"{len(broken)} invariants do not hold.")

    def _print(self, rows: list[MoneyDay]) -> None:
        printed = rich.table.Table(title="Micros of the reporting currency")
        printed.add_column("day")
        for rung in closing.RUNGS:
            printed.add_column(rung.removesuffix("_micros"), justify="right")
        for row in reversed(rows):
            figures = (f"{getattr(row, rung):,}" for rung in closing.RUNGS)
            printed.add_row(str(row.day), *map(Text, figures))
        Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS).print(printed)
