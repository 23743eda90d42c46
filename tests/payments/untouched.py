"""Whether money has moved."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.rows import digests


@contextmanager
def untouched() -> Iterator[None]:
    """What is done inside leaves every table of payments as it was."""
    before = digests(["payments"])
    yield
    after = digests(["payments"])
    assert {table for table in before if after[table] != before[table]} == set()
