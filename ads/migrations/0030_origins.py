"""How many accounts open ad sessions on one device and from one block of addresses."""

from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from psycopg import sql

import config.ids
from config.schema_operations import RunStatements, Together


def install(schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql"
    text = (folder / "origin_0001.sql").read_text(encoding="utf-8")
    schema_editor.execute(text, params=None)


def narrow_grants(schema_editor):
    """Places are taken by the function alone, and deleted when their day is long over."""
    if not settings.DATABASE_ROLE:
        return
    with schema_editor.connection.cursor() as cursor:
        for statement in (
            "REVOKE INSERT, UPDATE, TRUNCATE ON ads_adorigin FROM {role}",
            "GRANT EXECUTE ON FUNCTION ads_take_origins TO {role}",
        ):
            cursor.execute(sql.SQL(statement).format(role=sql.Identifier(settings.DATABASE_ROLE)))


class Migration(migrations.Migration):
    dependencies = [
        ("ads", "0021_growth_functions"),
        ("viewers", "0005_what_stores_may_hear"),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="AdOrigin",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=config.ids.uuid7,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("day", models.DateField(help_text="In the reporting time zone")),
                        (
                            "environment",
                            models.CharField(
                                choices=[("production", "Production"), ("sandbox", "Sandbox")],
                                max_length=10,
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("device", "A device"),
                                    ("address", "A block of addresses"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("origin", models.BinaryField(max_length=32)),
                        (
                            "viewer",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="viewers.viewer",
                            ),
                        ),
                        ("created_at", models.DateTimeField()),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("day", "environment", "kind", "origin", "viewer"),
                                name="ads_adorigin_once",
                            )
                        ],
                    },
                ),
            ]
        ),
        RunStatements(install),
        RunStatements(narrow_grants),
    ]
