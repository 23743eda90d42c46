"""The SQL functions that open sessions and settle callbacks, and the grants that leave them as the
only way to do it."""

from pathlib import Path

from django.conf import settings
from django.db import migrations
from psycopg import sql

from config.schema_operations import RunStatements

FILES = ("session_0001.sql", "callback_0001.sql")

# The application reads these and writes none of them, except through the functions.
READ_ONLY = ("adsession", "callback", "reward")
CALLABLE = ("ads_open_session", "ads_settle_callback", "ads_keep_callback")


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
        # A placement is switched off: its sessions and rewards name it.
        cursor.execute(
            sql.SQL("REVOKE DELETE, TRUNCATE ON ads_placement FROM {role}").format(role=role)
        )
        for function in CALLABLE:
            cursor.execute(
                sql.SQL("GRANT EXECUTE ON FUNCTION {function} TO {role}").format(
                    function=sql.Identifier(function), role=role
                )
            )


class Migration(migrations.Migration):
    dependencies = [
        ("ads", "0001_initial"),
        ("payments", "0004_episode_door"),
    ]

    operations = [
        RunStatements(install),
        RunStatements(narrow_grants),
    ]
