"""Whether money has moved: every row of every table of payments, as a count and a hash."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.apps import apps
from django.db import connection


def money() -> Mapping[str, tuple[int, str]]:
    """Each table's number of rows and their hash: equal before and after means that nothing moved."""
    tables = [model._meta.db_table for model in apps.get_app_config("payments").get_models()]
    with connection.cursor() as cursor:
        return {table: _digest(cursor, table) for table in tables}


def _digest(cursor, table: str) -> tuple[int, str]:
    cursor.execute(
        f"SELECT count(*), coalesce(md5(string_agg(row::text, chr(10) ORDER BY row::text)), '')"
        f' FROM "{table}" AS row'
    )
    count, digest = cursor.fetchone()
    return count, digest


@contextmanager
def untouched() -> Iterator[None]:
    """What is done inside leaves every table of payments as it was."""
    before = money()
    yield
    after = money()
    assert {table for table in before if after[table] != before[table]} == set()
