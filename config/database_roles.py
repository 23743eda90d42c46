"""The two database roles.

Migrations run as the owner. Everything else assumes `settings.DATABASE_ROLE`, which may use tables
but owns none: what a migration revokes from it (writing to the ledger) no code path can do.
"""

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

_STATEMENTS = (
    "GRANT {role} TO CURRENT_USER",
    "GRANT USAGE ON SCHEMA public TO {role}",
    (
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public"
        " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}"
    ),
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
    "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
)


def prepare(connection: BaseDatabaseWrapper) -> None:
    """Creates the application role if it is missing and makes future tables usable by it.

    Run as the owner, before any migration. Safe to repeat and to run twice at once.
    """
    role = sql.Identifier(settings.DATABASE_ROLE)
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "DO $$ BEGIN CREATE ROLE {role} NOLOGIN;"
                " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            ).format(role=role)
        )
        for statement in _STATEMENTS:
            cursor.execute(sql.SQL(statement).format(role=role))
