"""A database in which coins were spent is migrated while the release before goes on spending them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Model
from psycopg import sql

from catalog.models import Episode, Series
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.viewers import ViewerFactory
from viewers.models import Viewer

RELEASED = "0006"
#: Of this release: when the tables are other ones, and the functions that unlock are not yet.
STEPS = ("0011",)
PRICE = 60

# As the release before calls it: fifteen arguments.
UNLOCK = """
    SELECT outcome ->> 'outcome' FROM payments_unlock(
        %s, 'production', %s, %s, %s, (SELECT id FROM payments_priceversion),
        ARRAY[]::integer[], %s, '', %s, NULL, NULL, NULL, NULL, %s)
"""

# Eleven.
REFUND = """
    SELECT payments_record_refund(
        'fake', 'production', 'sale', 'all', 'store', NULL, '', NULL, %s, NULL, %s) ->> 'outcome'
"""

# A pass as it writes one: it has no columns that came since.
PASS = """
    INSERT INTO payments_passproduct
        (id, code, title, period_months, period_days, is_renewing, price_micros, currency,
         position, is_active, created_at)
    VALUES (uuidv7(), 'week', 'A week', 0, 7, false, 4990000, 'USD', 0, true, now())
    RETURNING code
"""

# One command after the other, in a process that has Django and its settings already.
COMMANDS = """
import sys, django
from django.core.management import call_command
django.setup()
for line in sys.stdin:
    call_command(*line.split(), stdout=sys.stderr)
    print("done", flush=True)
"""


class Older:
    """A database of its own at the release before, with a viewer who has coins for three episodes."""

    def __init__(self, url: str, commands: subprocess.Popen[str]) -> None:
        self._url = url
        self._commands = commands

    def manage(self, *arguments: str) -> None:
        """Runs a command there. Fails where it fails; what it said is told at the end."""
        assert self._commands.stdin is not None
        assert self._commands.stdout is not None
        print(*arguments, file=self._commands.stdin, flush=True)
        if self._commands.stdout.readline() != "done\n":
            pytest.fail(" ".join(arguments))

    def ask(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """As the owner."""
        with psycopg.connect(self._url, autocommit=True) as owner:
            return owner.execute(statement, values).fetchall()

    def copy(self, model: type[Model], **which: UUID) -> None:
        """Puts the suite's rows of a table there, past what they refer to."""
        table = sql.Identifier(model._meta.db_table)
        there = self.ask(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s",
            model._meta.db_table,
        )
        columns = sql.SQL(", ").join(
            sql.Identifier(one.column)
            for one in model._meta.concrete_fields
            if not one.generated and (one.column,) in there
        )
        insert = sql.SQL(
            "INSERT INTO {table} ({columns})"
            " SELECT {columns} FROM jsonb_populate_record(NULL::{table}, %s::jsonb)"
        ).format(table=table, columns=columns)
        ids = list(model._default_manager.filter(**which).values_list("pk", flat=True))
        with connection.cursor() as cursor, psycopg.connect(self._url) as owner:
            owner.execute("SET session_replication_role = replica")
            cursor.execute(
                sql.SQL("SELECT to_jsonb(row)::text FROM {} row WHERE id = ANY(%s)").format(table),
                [ids],
            )
            for row in cursor.fetchall():
                owner.execute(insert, row)

    def unlock(self, viewer: Viewer, series: Series, number: int, now: datetime) -> object:
        """What the release before is answered."""
        episode_id = series.episodes.get(number=number).id
        return self._answer(
            UNLOCK, viewer.id, episode_id, series.id, series.numbering, PRICE, now, now
        )

    def refund(self, now: datetime) -> object:
        """The same of a refund whose purchase is not booked yet."""
        return self._answer(REFUND, now, now)

    def _answer(self, statement: str, *values: object) -> object:
        """In the application's role."""
        with psycopg.connect(self._url) as application:
            application.execute(
                sql.SQL("SET ROLE {}").format(sql.Identifier(settings.DATABASE_ROLE))
            )
            row = application.execute(statement, values).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture
def older(db: None) -> Iterator[Older]:
    with connection.cursor() as cursor:  # the suite's own transaction waits meanwhile
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    name = f"{connection.settings_dict['NAME']}_older"
    address = urlsplit(settings.DATABASE_URL)
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = address._replace(path=f"/{name}").geturl()
        with _commands(url) as commands:
            yield Older(url, commands)
        owner.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _commands(url: str) -> Iterator[subprocess.Popen[str]]:
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            [sys.executable, "-c", COMMANDS],
            cwd=settings.BASE_DIR,
            env=os.environ | {"DATABASE_URL": url, "REDIS_URL": settings.REDIS_URL},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.communicate()
            said.seek(0)
            assert process.returncode == 0, said.read()


def test_coins_are_spent_before_during_and_after_the_migrations(
    older: Older, now: datetime
) -> None:
    older.manage("migrate", "payments", RELEASED)
    viewer, series = ViewerFactory(), SeriesFactory(state="published")
    episodes_of(series, range(1, 5))
    older.copy(Viewer, id=viewer.id)
    older.copy(Series, id=series.id)
    older.copy(Episode, series_id=series.id)
    older.ask(
        "SELECT payments_give_coins(%s, 'production', 'reward', %s, %s, 0, NULL, %s)",
        viewer.id, str(uuid4()), 3 * PRICE, now,
    )  # fmt: skip
    assert older.unlock(viewer, series, 1, now) == "unlocked"

    for number, step in enumerate(STEPS, start=2):
        older.manage("migrate", "payments", step)
        assert older.unlock(viewer, series, number, now) == "unlocked"
    older.manage("migrate")

    assert older.unlock(viewer, series, 3, now) == "unlocked"
    assert older.unlock(viewer, series, 4, now) == "insufficient_coins"
    assert older.refund(now) == "waiting"
    assert older.ask(PASS) == [("week",)]
    kept = older.ask("SELECT way, adjustments, price_coins FROM payments_unlock")
    assert kept == [("single", [], PRICE)] * 3
    older.manage("verify_ledger")
    assert older.ask("SELECT conname FROM pg_constraint WHERE NOT convalidated") == []
    assert older.ask("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid") == []
