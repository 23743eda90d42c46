"""Whether rows have moved: every row of tables, as a count and a hash."""

from collections.abc import Collection, Mapping

from django.apps import apps
from django.db import connection
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
