"""Every rule of the ledger in one statement, which each session plans once for all of its tests."""

from django.db import connection
from psycopg import sql

from payments.ledger import verification

_NAME = "ledger_rules"


def broken() -> list[tuple[str, str, str]]:
    """The violations that `verification.violations` finds, as rule, row's id and detail."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_prepared_statements WHERE name = %s", [_NAME])
        if not cursor.rowcount:
            cursor.execute(sql.SQL("PREPARE {} AS {}").format(sql.Identifier(_NAME), _statement()))
        cursor.execute(sql.SQL("EXECUTE {}").format(sql.Identifier(_NAME)))
        return list(cursor.fetchall())


def _statement() -> sql.Composed:
    each = [
        sql.SQL("SELECT {}, found.id::text, found.detail FROM ({}) AS found (id, detail)").format(
            sql.Literal(rule), sql.SQL(query.rstrip().rstrip(";"))
        )
        for rule, query in verification.rules().items()
    ]
    return sql.SQL(" UNION ALL ").join(each)
