"""The SQL functions that move coins, and the grants that leave them as the only way to do it."""

from pathlib import Path

from django.conf import settings
from django.db import migrations
from psycopg import sql

from config.schema_operations import RunStatements

FILES = ("ledger_0001.sql", "idempotency_0001.sql", "credit_purchase_0001.sql", "unlock_0001.sql")

# The application reads these and writes none of them, except through the functions.
READ_ONLY = (
    "wallet",
    "transfer",
    "entry",
    "lot",
    "lotspend",
    "purchase",
    "unlock",
    "entitlement",
    "idempotencyrecord",
)
# A price, once made, is never changed.
ADD_ONLY = ("priceversion", "episodeprice")
CALLABLE = ("payments_unlock", "payments_pin_answer", "payments_credit_purchase")


def install(schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql"
    for name in FILES:
        schema_editor.execute((folder / name).read_text(encoding="utf-8"), params=None)


def narrow_grants(schema_editor):
    if not settings.DATABASE_ROLE:
        return
    role = sql.Identifier(settings.DATABASE_ROLE)
    statements = [
        ("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {table} FROM {role}", READ_ONLY),
        ("REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {role}", ADD_ONLY),
        ("GRANT UPDATE (first_played_at) ON {table} TO {role}", ("entitlement",)),
        ("GRANT DELETE ON {table} TO {role}", ("idempotencyrecord",)),
    ]
    with schema_editor.connection.cursor() as cursor:
        for statement, tables in statements:
            for table in tables:
                cursor.execute(
                    sql.SQL(statement).format(table=sql.Identifier(f"payments_{table}"), role=role)
                )
        for function in CALLABLE:
            cursor.execute(
                sql.SQL("GRANT EXECUTE ON FUNCTION {function} TO {role}").format(
                    function=sql.Identifier(function), role=role
                )
            )


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial")]

    operations = [
        RunStatements(install),
        RunStatements(narrow_grants),
    ]
