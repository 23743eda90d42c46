"""`manage.py journal`: a day's accounting entries in the terminal, or as CSV with `--csv`."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand

from config import csv_files
from payments.ledger.days import journal
from payments.ledger.days.journal import Line


class Command(BaseCommand):
    help = "Print the accounting entries of a day of the reporting zone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--day", type=date.fromisoformat, required=True, help="2026-11-27")
        parser.add_argument("--csv", action="store_true", help="As a CSV file.")

    def handle(self, *args: Any, **options: Any) -> None:
        lines = journal.of_day(options["day"])
        if options["csv"]:
            self.stdout.write(csv_files.write(journal.table(lines)).decode(), ending="")
            return
        for note in journal.table(lines).notes:
            self.stdout.write(f"# {note}")
        for line in lines:
            self.stdout.write(_shown(line))
        if not lines:
            self.stdout.write("Nothing was booked.")


def _shown(line: Line) -> str:
    side = f"DR {line.debit_micros:>18,}" if line.debit_micros else ""
    side = side or f"{'':<18}CR {line.credit_micros:>18,}"
    words = line.words if line.debit_micros else ""
    return f"{line.environment:<10}  {line.provider:<8}  {line.account:<20}  {side:<42}  {words}"
