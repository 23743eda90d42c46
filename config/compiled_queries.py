"""Queries whose SQL is written once and asked many times.

Writing a query with a dozen subqueries takes Django several times as long as PostgreSQL needs to answer it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

#: Values that stand for an argument while the SQL is written. No query means them.
ARGUMENTS: Mapping[type, Callable[[int], object]] = {
    UUID: lambda place: UUID(int=0xC0FFEE_0000 + place),
    datetime: lambda place: datetime(1900, 1, 1, 0, 0, place, tzinfo=UTC),
}


class CompiledQuery:
    """What `make` answers, as SQL. It is given its arguments by name, each a UUID or a moment.

    The query must be the same whatever the arguments are: which of them is None, equal or later is for the SQL
    to ask.
    """

    def __init__(self, make: Callable[..., QuerySet[Any, Any]], **arguments: type) -> None:
        self._make = make
        self._stand_ins = {
            name: ARGUMENTS[kind](place) for place, (name, kind) in enumerate(arguments.items())
        }

    def first(self, **arguments: UUID | datetime) -> tuple[Any, ...] | None:
        """The first row, as PostgreSQL gives it: JSON is still text. None if there is none."""
        sql, slots = self._compiled
        values: list[Any] = [
            arguments[value] if is_argument else value for is_argument, value in slots
        ]
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            row: tuple[Any, ...] | None = cursor.fetchone()
        return row

    @cached_property
    def _compiled(self) -> tuple[str, Sequence[tuple[bool, Any]]]:
        names = {value: name for name, value in self._stand_ins.items()}
        sql, parameters = self._make(**self._stand_ins).query.sql_with_params()
        return sql, [
            (True, names[one])
            if isinstance(one, UUID | datetime) and one in names
            else (False, one)
            for one in parameters
        ]
