"""`manage.py report`: the reports of the API in the terminal, or as CSV with `--csv`."""

import sys
from argparse import ArgumentParser
from datetime import date, datetime
from typing import Any
from uuid import UUID

import rich.table
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.text import Text

from analytics.reports import beats, cuts, funnels, retention, revenue, sources, tables
from analytics.reports.local_days import Period
from analytics.reports.report import Report
from analytics.reports.retention import FirstOpenFilter, Mode
from catalog.models import Series
from config import clock, csv_files
from config.csv_files import Cell, Table
from config.problems import NotFound
from viewers.models import Platform

#: How wide a table is that nobody looks at yet.
PIPED_COLUMNS = 200


class Command(BaseCommand):
    help = "Print retention, the paywall funnel, revenue by title, or the beats of a series."

    def add_arguments(self, parser: ArgumentParser) -> None:
        reports = parser.add_subparsers(dest="report", required=True)
        cohorts = reports.add_parser("retention", help="Who came back.")
        cohorts.add_argument("--by", type=Period, default=Period.DAY, help="day or week")
        cohorts.add_argument("--mode", type=Mode, default=Mode.CALENDAR, help="calendar or elapsed")
        cohorts.add_argument("--horizon", type=int, default=7, help="The last offset.")
        cohorts.add_argument("--channel", help="Of the first open.")
        cohorts.add_argument("--country", help="Of the first open.")
        cohorts.add_argument("--platform", choices=Platform.values, help="Of the first open.")
        funnel = reports.add_parser("funnel", help="From the start to the paywall and past it.")
        funnel.add_argument("--series", help="Its external id.")
        earned = reports.add_parser("revenue", help="What titles earned.")
        earned.add_argument("--since", type=date.fromisoformat, help="The first local day.")
        earned.add_argument("--until", type=date.fromisoformat, help="The last local day.")
        earned.add_argument("--series", help="Its external id.")
        curves = reports.add_parser("beats", help="Where viewers leave.")
        curves.add_argument("series", help="Its external id.")
        for report in (cohorts, funnel, earned, curves):
            report.add_argument("--csv", action="store_true", help="As a CSV file.")

    def handle(self, *args: Any, **options: Any) -> None:
        table = tables.of(_REPORTS[options["report"]](clock.read(), options))
        if options["csv"]:
            self.stdout.write(csv_files.write(table).decode(), ending="")
        else:
            _print(table, Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS))


def _retention(now: datetime, options: dict[str, Any]) -> Report:
    if options["horizon"] < 0:
        raise CommandError("--horizon is 0 or more.")
    only = FirstOpenFilter(
        channel=options["channel"], country=options["country"], platform=options["platform"]
    )
    with sources.opened(now=now) as source:
        return retention.matrix(
            source=source,
            by=options["by"],
            mode=options["mode"],
            horizon=options["horizon"],
            only=only,
        )


def _funnel(now: datetime, options: dict[str, Any]) -> Report:
    with sources.opened(now=now) as source:
        return funnels.paywall(source=source, series_id=_series(options))


def _revenue(now: datetime, options: dict[str, Any]) -> Report:
    with sources.ledger(now=now) as source:
        return revenue.by_title(
            source=source,
            currency=settings.REPORTING_CURRENCY,
            since=options["since"],
            until=options["until"],
            series_id=_series(options),
        )


def _beats(now: datetime, options: dict[str, Any]) -> Report:
    try:
        shown = cuts.of_external_id(options["series"])
    except NotFound as error:
        raise CommandError("There is no such series, or none of its episodes is out.") from error
    with sources.opened(now=now) as source:
        return beats.curves(source=source, of=shown, currency=settings.REPORTING_CURRENCY)


_REPORTS = {"retention": _retention, "funnel": _funnel, "revenue": _revenue, "beats": _beats}


def _series(options: dict[str, Any]) -> UUID | None:
    if options["series"] is None:
        return None
    series_id: UUID | None = (
        Series.objects.filter(external_id=options["series"]).values_list("id", flat=True).first()
    )
    if series_id is None:
        raise CommandError(f"There is no series {options['series']}.")
    return series_id


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
