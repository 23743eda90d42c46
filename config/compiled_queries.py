"""Queries whose SQL is written once and asked many times.

Writing a query with a dozen subqueries takes Django several times as long as PostgreSQL needs to answer it, and
parsing and planning it takes PostgreSQL longer than answering does: it stays prepared.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from config.postgresql import prepared

Argument = UUID | datetime | date | str
Row = tuple[Any, ...]

#: Values that stand for an argument while the SQL is written. No query means them.
ARGUMENTS: Mapping[type, Callable[[int], Argument]] = {
    UUID: lambda place: UUID(int=0xC0FFEE_0000 + place),
    datetime: lambda place: datetime(1900, 1, 1, 0, 0, place, tzinfo=UTC),
    date: lambda place: date(1900, 1, 1 + place),
    str: lambda place: f"\N{NO-BREAK SPACE}{place}",
}


class CompiledQuery:
    """What `make` answers, as SQL. It is given its arguments by name, each of a type in ARGUMENTS.

    The query must be the same whatever the arguments are: which of them is None, equal or later is for the SQL
    to ask.
    """

    def __init__(self, make: Callable[..., QuerySet[Any, Any]], **arguments: type) -> None:
        self._make = make
        self._stand_ins = {
            name: ARGUMENTS[kind](place) for place, (name, kind) in enumerate(arguments.items())
        }

    def first(self, **arguments: Argument) -> Row | None:
        """The first row, None if there is none."""
        compiled = self._compiled
        with prepared.cursor() as cursor:
            cursor.execute(compiled.sql, compiled.values(arguments))
            row: Row | None = cursor.fetchone()
        return None if row is None else compiled.converted(row)

    def rows(self, **arguments: Argument) -> Sequence[Row]:
        """Every row."""
        compiled = self._compiled
        with prepared.cursor() as cursor:
            cursor.execute(compiled.sql, compiled.values(arguments))
            rows: list[Row] = cursor.fetchall()
        return [compiled.converted(row) for row in rows] if compiled.converters else rows

    def objects(self, **arguments: Argument) -> Sequence[Any]:
        """Every row of a query for a model's objects as one of these, with what annotates it."""
        compiled = self._compiled
        return [compiled.object_of(row) for row in self.rows(**arguments)]

    @cached_property
    def _compiled(self) -> "_Compiled":
        compiler = self._make(**self._stand_ins).query.get_compiler(connection=connection)
        return _Compiled.of(compiler, {value: name for name, value in self._stand_ins.items()})


@dataclass(frozen=True)
class _Compiled:
    """A query's SQL, what goes into each of its places, and what becomes of its columns.

    A model's fields come first, then what annotates its objects; a query for values has neither.
    """

    sql: str
    slots: Sequence[tuple[bool, Any]]
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]]
    model: Any
    fields: Sequence[str]
    annotations: Sequence[str]

    @classmethod
    def of(cls, compiler: Any, names: Mapping[Argument, str]) -> "_Compiled":
        sql, parameters = compiler.as_sql()
        columns = [column for column, *_ in compiler.select]
        of_model = (compiler.klass_info or {"select_fields": []})["select_fields"]
        return cls(
            sql=sql,
            slots=[
                (True, names[one]) if isinstance(one, Argument) and one in names else (False, one)
                for one in parameters
            ],
            converters=[
                (place, functions, column)
                for place, (functions, column) in compiler.get_converters(columns).items()
            ],
            model=compiler.query.model,
            fields=[columns[place].target.attname for place in of_model],
            annotations=list(compiler.annotation_col_map or ()),
        )

    def values(self, arguments: Mapping[str, Argument]) -> Sequence[Any]:
        """What goes into the places."""
        return [arguments[value] if is_argument else value for is_argument, value in self.slots]

    def converted(self, row: Row) -> Row:
        """The row as fields have it, where PostgreSQL has it otherwise: JSON, sums."""
        values = list(row)
        for place, functions, column in self.converters:
            for function in functions:
                values[place] = function(values[place], column, connection)
        return tuple(values)

    def object_of(self, row: Row) -> Any:
        """The row as an object."""
        count = len(self.fields)
        made = self.model.from_db(connection.alias, self.fields, row[:count])
        for name, value in zip(self.annotations, row[count:], strict=True):
            setattr(made, name, value)
        return made
