"""Exports, what was done to them, and the moment before which nothing can still commit."""

from pathlib import Path

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models
from psycopg import sql

import config.ids
from config.schema_operations import RunStatements, Together

HORIZON = Path(__file__).resolve().parent.parent / "sql" / "export_horizon_0001.sql"


def install(schema_editor):
    schema_editor.execute(HORIZON.read_text(encoding="utf-8"), params=None)
    if not settings.DATABASE_ROLE:
        return
    role = sql.Identifier(settings.DATABASE_ROLE)
    with schema_editor.connection.cursor() as cursor:
        for statement in (
            "GRANT EXECUTE ON FUNCTION analytics_export_horizon() TO {role}",
            "REVOKE UPDATE, DELETE, TRUNCATE ON analytics_exportrecord FROM {role}",
        ):
            cursor.execute(sql.SQL(statement).format(role=role))


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0002_rollups"),
        ("viewers", "0005_what_stores_may_hear"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        Together(
            [
                migrations.AddField(
                    model_name="flush",
                    name="arrived_at",
                    field=models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="The same by the database's clock: what exports of events are continued by",
                    ),
                ),
                migrations.CreateModel(
                    name="Export",
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
                        (
                            "name",
                            models.CharField(
                                help_text="Of the report or of the data set", max_length=40
                            ),
                        ),
                        ("question", models.JSONField(help_text="What was asked of it")),
                        (
                            "file_format",
                            models.CharField(
                                choices=[
                                    ("json", "json"),
                                    ("csv", "csv"),
                                    ("parquet", "parquet"),
                                    ("xlsx", "xlsx"),
                                ],
                                max_length=10,
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "Waiting"),
                                    ("running", "Running"),
                                    ("done", "Done"),
                                    ("failed", "Failed"),
                                    ("cancelled", "Cancelled"),
                                    ("expired", "expired: its file is deleted"),
                                ],
                                default="waiting",
                                max_length=10,
                            ),
                        ),
                        ("holder", models.UUIDField(null=True)),
                        ("leased_until", models.DateTimeField(null=True)),
                        ("attempts", models.IntegerField(default=0)),
                        ("percent", models.IntegerField(default=0)),
                        (
                            "row_count",
                            models.BigIntegerField(default=0, help_text="Rows written so far"),
                        ),
                        ("size_bytes", models.BigIntegerField(null=True)),
                        ("path", models.CharField(blank=True, max_length=200)),
                        ("next_cursor", models.CharField(blank=True, max_length=200)),
                        ("failure", models.CharField(blank=True, max_length=40)),
                        ("failure_detail", models.CharField(blank=True, max_length=300)),
                        ("created_at", models.DateTimeField()),
                        ("finished_at", models.DateTimeField(null=True)),
                        ("expires_at", models.DateTimeField(null=True)),
                        (
                            "api_key",
                            models.ForeignKey(
                                db_index=False,
                                help_text="Who asked",
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="viewers.apikey",
                            ),
                        ),
                        (
                            "operator",
                            models.ForeignKey(
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="ExportRecord",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        (
                            "act",
                            models.CharField(
                                choices=[
                                    ("asked", "Asked"),
                                    ("downloaded", "Downloaded"),
                                    ("cancelled", "Cancelled"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("at", models.DateTimeField()),
                        ("row_count", models.BigIntegerField()),
                        ("address_hash", models.CharField(blank=True, max_length=64)),
                        (
                            "api_key",
                            models.ForeignKey(
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="viewers.apikey",
                            ),
                        ),
                        (
                            "export",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="records",
                                to="analytics.export",
                            ),
                        ),
                        (
                            "operator",
                            models.ForeignKey(
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                ),
            ]
        ),
        Together(
            [
                migrations.AddIndex(
                    model_name="export",
                    index=models.Index(fields=["api_key", "-id"], name="export_of_key"),
                ),
                migrations.AddIndex(
                    model_name="export",
                    index=models.Index(fields=["operator", "-id"], name="export_of_operator"),
                ),
                migrations.AddIndex(
                    model_name="export",
                    index=models.Index(
                        condition=models.Q(("state__in", ["waiting", "running"])),
                        fields=["id"],
                        name="export_to_do",
                    ),
                ),
                migrations.AddIndex(
                    model_name="export",
                    index=models.Index(
                        condition=models.Q(("state", "done")),
                        fields=["expires_at"],
                        name="export_expiring",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="export",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("api_key__isnull", False), ("operator__isnull", True)),
                            models.Q(("api_key__isnull", True), ("operator__isnull", False)),
                            _connector="OR",
                        ),
                        name="analytics_export_of_somebody",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="export",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "done"), _negated=True),
                            models.Q(
                                models.Q(("path", ""), _negated=True),
                                ("expires_at__isnull", False),
                                ("size_bytes__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="analytics_export_done_has_a_file",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="export",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "running"), _negated=True),
                            models.Q(("holder__isnull", False), ("leased_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="analytics_export_runs_by_somebody",
                    ),
                ),
            ]
        ),
        RunStatements(install),
    ]
