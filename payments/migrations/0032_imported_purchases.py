"""Purchases of the past: added by the application, never changed by it."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from psycopg import sql

from config.schema_operations import RunStatements, Together


def narrow_grants(schema_editor):
    if not settings.DATABASE_ROLE:
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "REVOKE UPDATE, DELETE, TRUNCATE ON payments_importedpurchase FROM {role}"
            ).format(role=sql.Identifier(settings.DATABASE_ROLE))
        )


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0029_offer_choice"),
        ("viewers", "0008_imported_viewers"),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="ImportedPurchase",
                    fields=[
                        ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                        ("source", models.CharField(max_length=40)),
                        (
                            "source_id",
                            models.CharField(
                                help_text="What the source knows it by", max_length=512
                            ),
                        ),
                        (
                            "import_id",
                            models.UUIDField(help_text="Of the import that brought it first"),
                        ),
                        (
                            "environment",
                            models.CharField(
                                choices=[("production", "Production"), ("sandbox", "Sandbox")],
                                default="production",
                                max_length=10,
                            ),
                        ),
                        (
                            "currency",
                            models.CharField(
                                max_length=3,
                                validators=[django.core.validators.RegexValidator("^[A-Z]{3}$")],
                            ),
                        ),
                        ("gross_micros", models.BigIntegerField()),
                        ("tax_micros", models.BigIntegerField()),
                        ("fee_micros", models.BigIntegerField()),
                        ("net_micros", models.BigIntegerField()),
                        ("exchange_rate", models.DecimalField(decimal_places=10, max_digits=20)),
                        ("exchange_source", models.CharField(max_length=50)),
                        ("purchased_at", models.DateTimeField()),
                        ("created_at", models.DateTimeField()),
                        (
                            "viewer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="imported_purchases",
                                to="viewers.viewer",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["source"], name="importedpurchase_by_source")
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("fee_micros__gte", 0),
                                    ("gross_micros__gte", 0),
                                    ("net_micros__gte", 0),
                                    ("tax_micros__gte", 0),
                                ),
                                name="payments_importedpurchase_amounts",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("environment", "production")),
                                name="payments_importedpurchase_is_real",
                            ),
                        ],
                    },
                ),
            ]
        ),
        RunStatements(narrow_grants),
    ]
