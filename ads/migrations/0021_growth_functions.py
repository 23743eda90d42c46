"""The SQL functions of tasks and referrals, and the grants that leave them as the only way to earn."""

from pathlib import Path

from django.conf import settings
from django.db import migrations
from psycopg import sql

from config.schema_operations import RunStatements

FILES = (
    "limits_0001.sql",
    "watching_0001.sql",
    "tasks_0001.sql",
    "check_in_0001.sql",
    "referrals_0001.sql",
)

# The application reads these and writes none of them, except through the functions.
READ_ONLY = ("taskclaim", "checkinstreak", "watchday", "referral")
# What a viewer has earned names these.
KEPT = ("task", "taskcampaign", "invite", *READ_ONLY)
CAMPAIGN_COLUMNS = (
    *("name", "budget_coins", "starts_at", "ends_at", "regions", "platforms", "new_viewer_days"),
)
CALLABLE = (
    "ads_record_watching",
    "ads_task_progress",
    # The check of a day asks it.
    "ads_seconds_in",
    "ads_is_proven",
    "ads_claim_task",
    "ads_check_in",
    "ads_set_zone",
    "ads_bind_referral",
    "ads_vest_referral",
    "ads_void_referral",
)


def install(schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql" / "growth"
    for name in FILES:
        schema_editor.execute((folder / name).read_text(encoding="utf-8"), params=None)


def narrow_grants(schema_editor):
    if not settings.DATABASE_ROLE:
        return
    role = sql.Identifier(settings.DATABASE_ROLE)
    with schema_editor.connection.cursor() as cursor:

        def execute(statement, **names):
            composed = sql.SQL(statement).format(role=role, **names)
            cursor.execute(composed)

        for table in READ_ONLY:
            execute(
                "REVOKE INSERT, UPDATE ON {table} FROM {role}",
                table=sql.Identifier(f"ads_{table}"),
            )
        for table in KEPT:
            execute(
                "REVOKE DELETE, TRUNCATE ON {table} FROM {role}",
                table=sql.Identifier(f"ads_{table}"),
            )
        # Counts are pruned; what counts is the functions' to write.
        execute("REVOKE INSERT, UPDATE, TRUNCATE ON ads_limitcount FROM {role}")
        execute("GRANT UPDATE (settled_seconds) ON ads_watchday TO {role}")
        # What a campaign has spent is nobody's to edit.
        execute("REVOKE UPDATE ON ads_taskcampaign FROM {role}")
        execute(
            "GRANT UPDATE ({columns}) ON ads_taskcampaign TO {role}",
            columns=sql.SQL(", ").join(map(sql.Identifier, CAMPAIGN_COLUMNS)),
        )
        for function in CALLABLE:
            execute(
                "GRANT EXECUTE ON FUNCTION {function} TO {role}",
                function=sql.Identifier(function),
            )


class Migration(migrations.Migration):
    dependencies = [
        ("ads", "0020_growth"),
        ("payments", "0023_what_stores_leave_open"),
    ]

    operations = [
        RunStatements(install),
        RunStatements(narrow_grants),
    ]
