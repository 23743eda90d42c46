"""Who hands in what is another's is on record, and a period that was prorated is told from a whole one."""

from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from psycopg import sql

import config.ids
from config.schema_operations import RunStatements, Together

# As the signature before has it, which serves the release before.
CALLABLE = (
    "payments_credit_period(text, text, text, uuid, uuid, text, bigint, bigint, bigint, bigint, numeric, text,"
    " timestamptz, timestamptz, timestamptz, bigint, boolean, timestamptz)"
)


def install(schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql"
    text = (folder / "subscription_0003.sql").read_text(encoding="utf-8")
    schema_editor.execute(text, params=None)


def narrow_grants(schema_editor):
    """A claim is added by the application, never changed by it."""
    if not settings.DATABASE_ROLE:
        return
    role = sql.Identifier(settings.DATABASE_ROLE)
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON payments_refusedclaim FROM {role}").format(
                role=role
            )
        )
        cursor.execute(
            sql.SQL("GRANT EXECUTE ON FUNCTION {function} TO {role}").format(
                function=sql.SQL(CALLABLE), role=role
            )
        )


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0033_a_history_for_each_environment"),
        ("viewers", "0008_imported_viewers"),
    ]

    operations = [
        Together(
            [
                migrations.AddField(
                    model_name="passpurchase",
                    name="is_prorated",
                    field=models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="Paid after a change of plan: the difference alone",
                        verbose_name="prorated",
                    ),
                ),
                migrations.CreateModel(
                    name="RefusedClaim",
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
                            "viewer",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="refused_claims",
                                to="viewers.viewer",
                            ),
                        ),
                        (
                            "owner",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="viewers.viewer",
                            ),
                        ),
                        (
                            "provider",
                            models.CharField(
                                choices=[
                                    ("apple", "Apple"),
                                    ("google", "Google Play"),
                                    ("stripe", "Stripe"),
                                    ("fake", "Fake store (demo and tests)"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "environment",
                            models.CharField(
                                choices=[("production", "Production"), ("sandbox", "Sandbox")],
                                max_length=10,
                            ),
                        ),
                        ("reference_hash", models.CharField(max_length=64)),
                        (
                            "purchase",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="payments.purchase",
                            ),
                        ),
                        (
                            "pass_purchase",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="payments.passpurchase",
                            ),
                        ),
                        (
                            "subscription",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="payments.subscription",
                            ),
                        ),
                        ("day", models.DateField(help_text="In UTC")),
                        ("claimed_at", models.DateTimeField()),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["claimed_at"], name="refusedclaim_by_time")
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=(
                                    "viewer",
                                    "provider",
                                    "environment",
                                    "reference_hash",
                                    "day",
                                ),
                                name="payments_refusedclaim_once_a_day",
                            )
                        ],
                    },
                ),
            ]
        ),
        RunStatements(install),
        RunStatements(narrow_grants),
    ]
