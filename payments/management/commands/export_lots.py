"""`manage.py export_lots [--at MOMENT] [--format csv|json] [--output FILE]`."""

import sys
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import clock
from config.csv_files import Format
from payments.ledger import exports


class Command(BaseCommand):
    help = (
        "Write every lot of coins with its lineage, as of a moment, as GET /v1/finance/lots does."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--at", help="2026-11-30T23:59:59.999999Z; now if not given")
        parser.add_argument("--format", choices=list(Format), default=Format.CSV, dest="as_format")
        parser.add_argument("--output", type=Path, help="a file; the terminal if not given")

    def handle(
        self, *, at: str | None, as_format: str, output: Path | None, **options: Any
    ) -> None:
        now = clock.read()
        with closing(exports.lots(at=_moment(at) if at else now)) as export:
            parts = export.written(Format(as_format))
            if output is None:
                _print(parts)
                return
            with output.open("wb") as file:
                file.writelines(parts)


def _print(parts: Iterable[bytes]) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.writelines(parts)
    sys.stdout.buffer.flush()


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text} is no moment of ISO 8601.") from error
    if moment.tzinfo is None:
        raise CommandError(f"{text} lacks its time zone: end it with Z or an offset.")
    return moment
