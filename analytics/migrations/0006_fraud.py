"""Alarms of ads rewarded and not shown, and when the lake was looked through for fraud."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from psycopg import sql

import config.ids
from config.schema_operations import RunStatements, Together


def narrow_grants(schema_editor):
    """An alarm is looked at, never made away with."""
    if not settings.DATABASE_ROLE:
        return
    with schema_editor.connection.cursor() as cursor:
        for statement in ("REVOKE DELETE, TRUNCATE ON analytics_adalarm FROM {role}",):
            cursor.execute(sql.SQL(statement).format(role=sql.Identifier(settings.DATABASE_ROLE)))


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0004_history"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="AdAlarm",
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
                            "scope",
                            models.CharField(
                                choices=[
                                    ("viewer", "A viewer"),
                                    ("device", "A device"),
                                    ("address", "A block of addresses"),
                                    ("placement", "A placement"),
                                    ("network", "A network"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("subject", models.CharField(max_length=64)),
                        ("rewards", models.IntegerField()),
                        ("shown", models.IntegerField()),
                        ("requested", models.IntegerField()),
                        ("found_at", models.DateTimeField()),
                        ("seen_at", models.DateTimeField(null=True)),
                        (
                            "seen_by",
                            models.ForeignKey(
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("seen_at", None)),
                                fields=["day"],
                                name="adalarm_unseen",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("day", "scope", "subject"), name="analytics_adalarm_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="FraudScan",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("watermark", models.DateTimeField()),
                        ("scanned_at", models.DateTimeField()),
                        ("flags_count", models.IntegerField(help_text="New flags")),
                        ("alarms_count", models.IntegerField(help_text="New alarms")),
                    ],
                ),
            ]
        ),
        RunStatements(narrow_grants),
    ]
