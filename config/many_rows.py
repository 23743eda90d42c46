"""Rows by the ten thousand: ids that a question names, and rows that are added.

Each column travels as one array. A parameter for each id, or an object for each row, takes many times as
long as PostgreSQL needs for what is asked of it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, Field, Lookup, Model
from psycopg import sql

#: So many rows are a few megabytes of SQL.
AT_ONCE = 10_000

Cell = UUID | int | None


class _Among(Lookup[str]):
    """A column's value is in an array, which PostgreSQL looks up by hash. A join with the array is planned as if
    tables had the rows that they had when they were last analysed, and takes minutes where that is long ago."""

    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s::uuid[])", (*parameters, self.rhs)


def among(name: str, ids: Iterable[UUID]) -> _Among:
    """For `filter`, in place of `name__in=ids`: of however many ids."""
    return _Among(F(name), array(ids))


def add(
    model: type[Model],
    columns: Mapping[str, Sequence[Cell]],
    *,
    same: Mapping[str, Any] | None = None,
) -> None:
    """Adds a row for each place of the columns, which are of one length, with what is the `same` in all.

    Names are those of fields; of a column that is not named every row has the database's own default, and an
    id is made there. Runs in the caller's transaction, a statement for each AT_ONCE rows. Raises what
    django.db raises of rows that the database refuses.
    """
    statement = _statement(model, columns, same or {})
    values = list((same or {}).values())
    number = len(next(iter(columns.values())))
    with connection.cursor() as cursor:
        for start in range(0, number, AT_ONCE):
            arrays = [array(column[start : start + AT_ONCE]) for column in columns.values()]
            cursor.execute(statement, [*values, *arrays])


def _statement(model: type[Model], columns: Collection[str], same: Collection[str]) -> sql.Composed:
    meta = model._meta  # noqa: SLF001  Django documents it
    fields = {field.name: field for field in meta.concrete_fields}
    made = [] if "id" in columns else ["id"]
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM unnest({}) AS made").format(
        sql.Identifier(meta.db_table),
        _listed(_column(fields[name]) for name in (*columns, *made, *same)),
        _listed(
            [
                sql.SQL("made.*"),
                *(sql.SQL("uuidv7()") for _ in made),
                *(sql.Placeholder() for _ in same),
            ]
        ),
        _listed(sql.SQL("%s::{}[]").format(_type(fields[name])) for name in columns),
    )


def _column(field: Field[Any, Any]) -> sql.Identifier:
    return sql.Identifier(field.column or "")


def _type(field: Field[Any, Any]) -> sql.SQL:
    return sql.SQL(field.db_type(connection) or "")


def _listed(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)


def array(cells: Iterable[Cell]) -> str:
    """Cells as one value, which SQL casts to an array of their type."""
    return "{" + ",".join(map(_text, cells)) + "}"


def _text(cell: Cell) -> str:
    if isinstance(cell, UUID):
        return cell.hex
    return "NULL" if cell is None else str(int(cell))
