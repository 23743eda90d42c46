"""`manage.py import_exchange_rates file.csv`: the reference rates of the European Central Bank."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import clock
from payments.store import reference_rates


class Command(BaseCommand):
    help = (
        "Add the ECB's euro reference rates, crossed into the reporting currency. Known ones stay."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", type=Path, help="eurofxref.csv, eurofxref-hist.csv, or its ZIP."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            imported = reference_rates.add(options["file"].read_bytes(), now=clock.read())
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        except reference_rates.RatesRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{imported.added:,} added, {imported.known:,} were known.")
        for sentence in imported.kept:
            self.stderr.write(sentence)
