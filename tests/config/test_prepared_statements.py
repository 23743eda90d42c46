"""Statements that are asked often are parsed once for a connection; all others are not kept."""

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

from config.postgresql import prepared

pytestmark = pytest.mark.django_db


def kept() -> list[str]:
    """The statements that the server keeps for this connection, but for the one that asks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements ORDER BY prepare_time")
        return [statement for (statement,) in cursor.fetchall()]


def test_the_first_execution_prepares_and_later_ones_reuse_it() -> None:
    before = kept()
    with prepared.cursor() as cursor:
        for number in (1, 2, 3):
            cursor.execute("SELECT %s::integer + 1", [number])
            assert cursor.fetchone() == (number + 1,)

    assert kept() == [*before, "SELECT $1::integer + 1"]


def test_ordinary_cursors_prepare_nothing_afterwards() -> None:
    with prepared.cursor() as cursor:
        cursor.execute("SELECT 1")
    before = kept()
    with connection.cursor() as cursor:
        for number in range(10):
            cursor.execute("SELECT %s::bigint", [number])

    assert kept() == before


def test_failures_and_counts_are_those_of_any_cursor() -> None:
    with CaptureQueriesContext(connection) as counted, prepared.cursor() as cursor:
        cursor.execute("SELECT 1")
        with pytest.raises(DataError):
            cursor.execute("SELECT %s::integer / 0", [1])

    assert len(counted) == 2
