"""How a title may be opened, and who has changed that."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from psycopg import sql

import config.ids
from config.schema_operations import RunStatements, Together

MODES = [
    ("paid", "Coins, and no ads"),
    ("ad", "Ads, and no coins"),
    ("hybrid", "Coins or ads"),
]


def narrow_grants(schema_editor):
    if not settings.DATABASE_ROLE:
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON catalog_accesschange FROM {role}").format(
                role=sql.Identifier(settings.DATABASE_ROLE)
            )
        )


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_decisions_are_kept"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        Together(
            [
                migrations.AddField(
                    model_name="series",
                    name="access_mode",
                    field=models.CharField(
                        choices=MODES,
                        db_default="hybrid",
                        default="hybrid",
                        help_text="What opens the episodes that are not free. Pushes leave it as it is.",
                        max_length=10,
                    ),
                ),
                migrations.AddConstraint(
                    model_name="series",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("access_mode__in", ["paid", "ad", "hybrid"])),
                        name="catalog_series_access_mode_known",
                    ),
                ),
                migrations.CreateModel(
                    name="AccessChange",
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
                        ("was", models.CharField(choices=MODES, max_length=10)),
                        ("mode", models.CharField(choices=MODES, max_length=10)),
                        ("changed_at", models.DateTimeField()),
                        (
                            "changed_by",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "series",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="access_changes",
                                to="catalog.series",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["changed_at"], name="catalog_accesschange_by_time")
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("was", models.F("mode")), _negated=True),
                                name="catalog_accesschange_changes_something",
                            )
                        ],
                    },
                ),
            ]
        ),
        RunStatements(narrow_grants),
    ]
