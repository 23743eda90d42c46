"""Re-adds the whole ledger in SQL and names every row that breaks a rule."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

_CHECK = re.compile(r"^-- check: (?P<name>.+)\n(?P<sql>(?:.|\n)+?;)", re.MULTILINE)


@dataclass(frozen=True)
class Violation:
    """A rule of the ledger that a row breaks."""

    rule: str
    row_id: str
    detail: str


def rules() -> dict[str, str]:
    """Every rule's sentence, with the query that lists its violations.

    settings.LEDGER_CHECKS names the files: other apps' rules about what money bought are theirs.
    """
    text = "\n".join(path.read_text(encoding="utf-8") for path in settings.LEDGER_CHECKS)
    return {match["name"]: match["sql"] for match in _CHECK.finditer(text)}


def violations() -> Iterator[Violation]:
    """Every violation of every rule; none on a sound ledger."""
    with connection.cursor() as cursor:
        for rule, sql in rules().items():
            cursor.execute(sql)
            for row_id, detail in cursor.fetchall():
                yield Violation(rule, row_id, detail)
