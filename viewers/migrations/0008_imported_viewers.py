"""Viewers that an import of history made, by the names that its source has for them."""

import django.db.models.deletion
from django.db import migrations, models

import config.ids
from config.schema_operations import Together


class Migration(migrations.Migration):
    dependencies = [
        ("viewers", "0007_flags"),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="ImportedViewer",
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
                        ("external_id", models.CharField(max_length=200)),
                        ("created_at", models.DateTimeField()),
                        (
                            "viewer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="imported_as",
                                to="viewers.viewer",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("source", "external_id"),
                                name="importedviewer_once_per_source",
                            )
                        ],
                    },
                ),
            ]
        ),
    ]
