"""A process that is gone before one of its statements: what is committed stays, and nothing else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def at_statement(number: int) -> Iterator[list[int]]:
    """Raises KeyboardInterrupt before the statement of that number, from 1; counts those that were begun."""
    begun = [0]

    def execute(run: Callable[..., Any], *statement: Any) -> Any:
        begun[0] += 1
        if begun[0] == number:
            raise KeyboardInterrupt
        return run(*statement)

    with connection.execute_wrapper(execute):
        yield begun
