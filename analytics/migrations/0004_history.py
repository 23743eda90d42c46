"""Files of the past that were imported, what was written of them, and lines that could not be read."""

import django.db.models.deletion
from django.db import migrations, models

import config.ids
from config.schema_operations import Together


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0003_exports"),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="HistoryImport",
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
                        ("source", models.CharField(max_length=40)),
                        (
                            "kind",
                            models.CharField(
                                choices=[("events", "Events"), ("purchases", "Purchases")],
                                max_length=10,
                            ),
                        ),
                        ("file_name", models.CharField(max_length=200)),
                        ("file_sha256", models.BinaryField(max_length=32)),
                        ("mapping_sha256", models.BinaryField(max_length=32)),
                        ("started_at", models.DateTimeField()),
                        ("finished_at", models.DateTimeField(null=True)),
                        ("line_count", models.BigIntegerField(default=0)),
                        (
                            "kept_count",
                            models.BigIntegerField(
                                default=0, help_text="Events or purchases that are new"
                            ),
                        ),
                        (
                            "known_count",
                            models.BigIntegerField(
                                default=0, help_text="Those that were there already"
                            ),
                        ),
                        (
                            "left_out_count",
                            models.BigIntegerField(
                                default=0, help_text="By the mapping's own word"
                            ),
                        ),
                        (
                            "refused_count",
                            models.BigIntegerField(
                                default=0, help_text="Lines that could not be read"
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("file_sha256", "mapping_sha256"),
                                name="analytics_history_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="RefusedLine",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("line", models.BigIntegerField(help_text="From 1; of Parquet, the row")),
                        ("code", models.CharField(max_length=40)),
                        ("detail", models.CharField(max_length=300)),
                        (
                            "history_import",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="refused_lines",
                                to="analytics.historyimport",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="HistoryPart",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("number", models.IntegerField()),
                        (
                            "files",
                            models.JSONField(help_text="What the manifest will say of each file"),
                        ),
                        ("line_count", models.IntegerField()),
                        ("kept_count", models.IntegerField()),
                        ("known_count", models.IntegerField()),
                        ("left_out_count", models.IntegerField()),
                        (
                            "history_import",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="parts",
                                to="analytics.historyimport",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("history_import", "number"),
                                name="analytics_historypart_once",
                            )
                        ],
                    },
                ),
            ]
        ),
    ]
