"""Whether there are rows, and whether they have moved: all of a table, as a count and a hash."""

from collections.abc import Collection, Mapping, Sequence

from django.apps import apps
from django.db import connection
from django.db.models import Model
from psycopg import sql

_OF_ONE = sql.SQL(
    "SELECT {name}, count(*),"
    " coalesce(md5(string_agg(row::text, chr(10) ORDER BY row::text)), '') FROM {table} AS row"
)
_NAMING = sql.SQL(
    "SELECT {name}, row::text FROM {table} AS row"
    " WHERE EXISTS (SELECT FROM unnest({marks}::text[]) AS mark WHERE strpos(row::text, mark) > 0)"
)


def digests(app_labels: Collection[str]) -> Mapping[str, tuple[int, str]]:
    """The number of rows of each table of these apps and their hash: equal before and after means that
    nothing moved."""
    # Planned once for a connection: to plan it anew takes longer than to run it.
    name = "digests_of_" + "_".join(sorted(app_labels))
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_prepared_statements WHERE name = %s)", [name])
        if cursor.fetchone() == (False,):
            tables = _tables(app_labels)
            each = [_OF_ONE.format(name=sql.Literal(t), table=sql.Identifier(t)) for t in tables]
            prepare = sql.SQL("PREPARE {} AS ").format(sql.Identifier(name))
            cursor.execute(prepare + sql.SQL(" UNION ALL ").join(each))
        cursor.execute(sql.SQL("EXECUTE {}").format(sql.Identifier(name)))
        return {table: (count, digest) for table, count, digest in cursor.fetchall()}


def naming(app_labels: Collection[str], marks: Collection[str]) -> Collection[tuple[str, str]]:
    """The rows of these apps in which one of these texts is, in any of their columns, each with its table."""
    each = [
        _NAMING.format(
            name=sql.Literal(one), table=sql.Identifier(one), marks=sql.Literal([*marks])
        )
        for one in _tables(app_labels)
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(" UNION ALL ").join(each))
        return sorted(cursor.fetchall())


def _tables(app_labels: Collection[str]) -> Sequence[str]:
    models = (model for label in app_labels for model in apps.get_app_config(label).get_models())
    return [model._meta.db_table for model in models]


def is_any_there(*models: type[Model]) -> bool:
    """Whether one of these tables has a row."""
    tables = [sql.Identifier(model._meta.db_table) for model in models]
    each = [sql.SQL("EXISTS (SELECT FROM {})").format(table) for table in tables]
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT {}").format(sql.SQL(" OR ").join(each)))
        return bool(cursor.fetchone()[0])
