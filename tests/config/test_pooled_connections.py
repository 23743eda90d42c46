"""A connection from the pool is looked at before it is used, and asked only if it looks doubtful."""

import time
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection
from psycopg_pool import ConnectionPool

from config.postgresql.base import check_if_doubtful


@pytest.fixture
def idle(db: None) -> Iterator[psycopg.Connection]:
    """A connection of our own to the test's server."""
    settings = connection.settings_dict
    with psycopg.connect(
        host=settings["HOST"],
        port=settings["PORT"] or None,
        user=settings["USER"],
        password=settings["PASSWORD"] or None,
        dbname=settings["NAME"],
        autocommit=True,
    ) as opened:
        yield opened


def test_the_pool_of_every_process_looks_before_it_asks(db: None) -> None:
    assert connection.pool._check is check_if_doubtful


def test_a_live_connection_is_not_asked_anything(
    idle: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(ConnectionPool, "check_connection", asked.append)

    check_if_doubtful(idle)

    assert asked == []


def test_a_connection_whose_server_has_ended_is_found_out(idle: psycopg.Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("SELECT pg_terminate_backend(%s)", [idle.info.backend_pid])
    time.sleep(0.2)

    with pytest.raises(psycopg.OperationalError):
        check_if_doubtful(idle)
