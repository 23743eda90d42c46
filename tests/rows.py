"""Whether there are rows, and whether they have moved: all of a table, as a count and a hash."""

from collections.abc import Collection, Mapping

from django.apps import apps
from django.db import connection
from django.db.models import Model
from psycopg import sql

_OF_ONE = sql.SQL(
    "SELECT {name}, count(*),"
    " coalesce(md5(string_agg(row::text, chr(10) ORDER BY row::text)), '') FROM {table} AS row"
)


def digests(app_labels: Collection[str]) -> Mapping[str, tuple[int, str]]:
    """The number of rows of each table of these apps and their hash: equal before and after means that
    nothing moved."""
    models = (model for label in app_labels for model in apps.get_app_config(label).get_models())
    tables = [model._meta.db_table for model in models]
    each = [_OF_ONE.format(name=sql.Literal(one), table=sql.Identifier(one)) for one in tables]
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(" UNION ALL ").join(each))
        return {table: (count, digest) for table, count, digest in cursor.fetchall()}


def is_any_there(*models: type[Model]) -> bool:
    """Whether one of these tables has a row."""
    tables = [sql.Identifier(model._meta.db_table) for model in models]
    each = [sql.SQL("EXISTS (SELECT FROM {})").format(table) for table in tables]
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT {}").format(sql.SQL(" OR ").join(each)))
        return bool(cursor.fetchone()[0])
