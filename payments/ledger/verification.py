"""Re-adds the whole ledger in SQL and names every row that breaks a rule."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

_CHECK = re.compile(r"^-- check: (?P<name>.+)\n(?P<sql>(?:.|\n)+?;)", re.MULTILINE)

#: A rule over a ledger of millions takes longer than a request's statement may, and more memory.
STATEMENT_SECONDS = 600
MEMORY_MB = 128
#: So many violations of a rule are named; the others are counted.
NAMED = 100


@dataclass(frozen=True)
class Violation:
    """A rule of the ledger that a row breaks."""

    rule: str
    row_id: str
    detail: str


@dataclass(frozen=True)
class Finding:
    """How many rows break a rule, and the first of them."""

    count: int
    named: list[Violation]


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


def check(rule: str, sql: str) -> Finding:
    """What breaks one rule."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        named = [Violation(rule, *row) for row in cursor.fetchmany(NAMED)]
        return Finding(count=cursor.rowcount, named=named)


@contextmanager
def snapshot() -> Iterator[None]:
    """One moment of the ledger for all that is asked inside, and time enough to ask it.

    What is posted meanwhile is not seen: half of a transfer would be a false violation.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
            cursor.execute(f"SET LOCAL work_mem = '{MEMORY_MB}MB'")
        yield
