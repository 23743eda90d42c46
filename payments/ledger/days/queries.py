"""The questions that every app with money answers about a stretch of time, each in its own SQL.

settings.MONEY_QUERIES names the apps' folders. In each, `ladder.sql` answers (rung, series, micros),
`journal.sql` (kind of posting, provider, micros) and `postings.sql` (moment). No app's file reads
another app's money.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from config.ids import first_at

#: A day of millions of rows takes longer than a request's statement may.
STATEMENT_SECONDS = 300


def window(name: str, *, environment: str, start: datetime, end: datetime) -> list[tuple[Any, ...]]:
    """What a query answers for what was posted in an environment in [start, end)."""
    return _rows(
        text(name, tuple(settings.MONEY_QUERIES)),
        {"environment": environment, "start": start, "end": end},
    )


def earliest(*, posted_since: datetime | None, before: datetime) -> datetime | None:
    """The earliest moment before `before` for which money was posted since a moment of real time.

    None for `posted_since` means ever.
    """
    postings = text("postings", tuple(settings.MONEY_QUERIES))
    ((moment,),) = _rows(
        f"SELECT min(created_at) FROM ({postings}) AS posted WHERE created_at < %(before)s",  # noqa: S608  our own text
        {"since": _since(posted_since), "before": before},
    )
    found: datetime | None = moment
    return found


def hours(*, posted_since: datetime | None) -> Sequence[datetime]:
    """The hours of UTC for which money was posted since a moment of real time; None means ever."""
    postings = text("postings", tuple(settings.MONEY_QUERIES))
    rows = _rows(
        "SELECT DISTINCT date_trunc('hour', created_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"  # noqa: S608
        f" FROM ({postings}) AS posted",
        {"since": _since(posted_since)},
    )
    return [hour for (hour,) in rows]


def _since(moment: datetime | None) -> UUID:
    return first_at(moment) if moment else UUID(int=0)


@cache
def text(name: str, folders: tuple[Path, ...]) -> str:
    """All apps' queries of a name as one statement, which sees one moment."""
    parts = [(folder / f"{name}.sql").read_text(encoding="utf-8") for folder in folders]
    return "\nUNION ALL\n".join(f"(\n{part})" for part in parts)


def _rows(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        cursor.execute(statement, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found
