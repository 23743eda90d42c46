"""Locks of the database that stand for a piece of work and for no row."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def tried(number: int) -> Iterator[bool]:
    """True for one holder of the number at a time, at once False for any other.

    The number means nothing but to be the same in every worker. The database lets go of the lock
    should its holder die.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        (is_ours,) = cursor.fetchone()
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [number])
