"""Decisions are added and never changed, and found by their day."""

from django.conf import settings
from django.db import migrations, models
from psycopg import sql

from config.schema_operations import RunStatements


def narrow_grants(schema_editor):
    if not settings.DATABASE_ROLE:
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON catalog_feeddecision FROM {role}").format(
                role=sql.Identifier(settings.DATABASE_ROLE)
            )
        )


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_feed_and_watching")]

    operations = [
        migrations.AddIndex(
            model_name="feeddecision",
            index=models.Index(fields=["at"], name="catalog_decision_by_time"),
        ),
        RunStatements(narrow_grants),
    ]
