"""The view of what ads earned, the function that settles it, and the grants that leave it as the only way
to write corrections. What was told and reported is added to and never changed."""

from pathlib import Path

from django.conf import settings
from django.db import migrations
from psycopg import sql

from config.schema_operations import RunStatements

FILES = ("earning_0001.sql", "settle_revenue_0001.sql")

# The application reads these and writes none of them, except through the function.
READ_ONLY = ("trueup", "earningcorrection")
ADD_ONLY = ("impression", "revenuereport", "reportedday", "reportline")
# A day is expected again when a report of it has come.
KEPT = ("revenueday", "reportpull")
STATEMENTS = (
    ("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {table} FROM {role}", READ_ONLY),
    ("REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {role}", ADD_ONLY),
    ("REVOKE DELETE, TRUNCATE ON {table} FROM {role}", KEPT),
)


def install(schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql"
    for name in FILES:
        schema_editor.execute((folder / name).read_text(encoding="utf-8"), params=None)


def narrow_grants(schema_editor):
    if not settings.DATABASE_ROLE:
        return
    role = sql.Identifier(settings.DATABASE_ROLE)
    with schema_editor.connection.cursor() as cursor:
        for statement, tables in STATEMENTS:
            for table in tables:
                cursor.execute(
                    sql.SQL(statement).format(table=sql.Identifier(f"ads_{table}"), role=role)
                )
        cursor.execute(
            sql.SQL("GRANT EXECUTE ON FUNCTION ads_settle_revenue TO {role}").format(role=role)
        )


class Migration(migrations.Migration):
    dependencies = [
        ("ads", "0010_revenue"),
    ]

    operations = [
        RunStatements(install),
        RunStatements(narrow_grants),
    ]
