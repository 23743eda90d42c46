"""`manage.py import_ad_report admob file.csv`: what a network reports of days that are over."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ads.models import Network, ReportOrigin
from ads.revenue import reports
from ads.revenue.reports import Brought
from config import clock


class Command(BaseCommand):
    help = (
        "Import an ad network's revenue report, CSV or as its API answers it. Days that it tells anew "
        "replace what was known of them; with a line that cannot be read nothing is taken."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("network", choices=Network.values)
        parser.add_argument("file", type=Path)
        parser.add_argument("--scope", default="", help="Which of several reports of a day it is.")
        parser.add_argument("--currency", default="", help="Of a report that names none.")
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            metavar="FIELD=HEADER",
            help="Where a CSV file has a field: day, ad_unit_id, country, impressions, revenue, "
            "currency. Given once, it is needed for every field that is to be read.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            content = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        taken = reports.take(
            Brought(
                content=content,
                network=options["network"],
                name=options["file"].name,
                origin=ReportOrigin.COMMAND,
                scope=options["scope"],
                currency=options["currency"],
                mapping=dict(_pair(text) for text in options["column"]),
            ),
            now=clock.read(),
        )
        for refusal in taken.refusals:
            self.stderr.write(f"line {refusal.line_number}: {refusal.reason}")
        if taken.refusals:
            raise CommandError("Nothing was taken.")
        self.stdout.write(
            f"{len(taken.new_days):,} days are new, {len(taken.same_days):,} were known so."
        )


def _pair(text: str) -> tuple[str, str]:
    field, mark, header = text.partition("=")
    if not mark:
        raise CommandError(f"{text!r} is not FIELD=HEADER.")
    return field, header
