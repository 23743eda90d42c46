"""The functions that undo, refund, give and lapse, the chart they keep to, and what may be called."""

from pathlib import Path

from django.conf import settings
from django.db import migrations
from psycopg import sql

from config.schema_operations import RunStatements
from payments.chart import CHART

FILES = (
    "hold_0001.sql",
    "lots_0001.sql",
    "ledger_0002.sql",
    "entitlement_0002.sql",
    "cover_0001.sql",
    "unlock_0003.sql",
    "unlock_reversal_0001.sql",
    "refund_0001.sql",
    "credit_purchase_0002.sql",
    "grant_0001.sql",
    "idempotency_0002.sql",
)

# The application reads these and writes none of them, except through the functions.
READ_ONLY = (
    "chart",
    "lotmovement",
    "cover",
    "refund",
    "refundbooking",
    "unlockreversal",
    "unlockcorrection",
    "grant",
)
# A digest, once made, is never changed.
ADD_ONLY = ("ledgerdigest",)
CALLABLE = (
    "payments_unlock",
    "payments_mark_played",
    "payments_hold_wallet",
    "payments_release_wallet",
    "payments_open_covered",
    "payments_record_refund",
    "payments_undo_unlock",
    "payments_ask_grant",
    "payments_decide_grant",
    "payments_revoke_grant",
    "payments_expire_lots",
    "payments_take_key",
    "payments_keep_outcome",
)


def keep_spends(schema_editor):
    """What lots gave so far, signed as movements are."""
    schema_editor.execute(
        """
        INSERT INTO payments_lotmovement
            (id, lot_id, transfer_id, coins, value_micros, created_at)
        SELECT spend.id, spend.lot_id, spend.transfer_id, -spend.coins, -spend.value_micros,
               transfer.created_at
        FROM payments_lotspend spend JOIN payments_transfer transfer
            ON transfer.id = spend.transfer_id
        """
    )


def install(schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql"
    for name in FILES:
        schema_editor.execute((folder / name).read_text(encoding="utf-8"), params=None)


def write_chart(schema_editor):
    lines = [
        sql.SQL("({}, {}, {})").format(str(code), str(account), direction)
        for code, way in CHART.items()
        for direction, accounts in ((-1, way.out_of), (1, way.into))
        for account in accounts
    ]
    statement = sql.SQL("CREATE VIEW payments_chart (code, account, direction) AS VALUES {}")
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(statement.format(sql.SQL(", ").join(lines)))


def narrow_grants(schema_editor):
    if not settings.DATABASE_ROLE:
        return
    role = sql.Identifier(settings.DATABASE_ROLE)
    statements = [
        ("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {table} FROM {role}", READ_ONLY),
        ("REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {role}", ADD_ONLY),
        ("REVOKE UPDATE (first_played_at) ON {table} FROM {role}", ("entitlement",)),
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
    dependencies = [("payments", "0005_refunds_grants_and_days")]

    operations = [
        RunStatements(keep_spends),
        migrations.DeleteModel(name="LotSpend"),
        RunStatements(install),
        RunStatements(write_chart),
        RunStatements(narrow_grants),
    ]
