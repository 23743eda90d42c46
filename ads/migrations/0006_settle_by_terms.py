"""The functions that count ads towards goals, and those that end parked callbacks.

The release before goes on opening and settling by the functions that it knows.
"""

from pathlib import Path

from django.conf import settings
from django.db import migrations
from psycopg import sql

from config.schema_operations import RunStatements

FILES = ("session_0003.sql", "callback_0003.sql", "parked_0001.sql")

# The application reads these and writes none of them, except through the functions.
READ_ONLY = ("goal", "opening", "resolution")
CALLABLE = (
    ("ads_open_session(uuid, text, uuid, uuid, uuid, integer[], uuid, integer, date, timestamptz)"),
    "ads_settle_callback(text, text, bytea, uuid, uuid, text, integer, date, timestamptz)",
    "ads_settle_parked(uuid, uuid, text, integer, date, timestamptz)",
    "ads_dismiss_parked(uuid, text, integer, timestamptz)",
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
        for table in READ_ONLY:
            cursor.execute(
                sql.SQL("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {table} FROM {role}").format(
                    table=sql.Identifier(f"ads_{table}"), role=role
                )
            )
        for function in CALLABLE:
            cursor.execute(
                sql.SQL("GRANT EXECUTE ON FUNCTION {function} TO {role}").format(
                    function=sql.SQL(function), role=role
                )
            )


class Migration(migrations.Migration):
    dependencies = [("ads", "0005_policies")]

    operations = [RunStatements(install), RunStatements(narrow_grants)]
