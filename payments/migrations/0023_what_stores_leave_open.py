"""What stores leave open: rates that nobody publishes, products that nothing here has, the same word over and over."""

from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from psycopg import sql

import config.ids
from config.schema_operations import RunStatements, Together

# The second was missing from databases that were migrated while 0017 took the signature away.
FILES = ("subscription_0002.sql", "refund_without_share_0001.sql")

# What was booked by an estimate stays so.
ADD_ONLY = ("rateestimate",)
CALLABLE = (
    (
        "payments_apply_subscription(text, text, text, uuid, uuid, text, timestamptz, uuid, text,"
        " text, text, text, timestamptz, text, uuid, timestamptz)"
    ),
    (
        "payments_record_refund(text, text, text, text, text, bigint, text, integer, timestamptz,"
        " timestamptz, timestamptz)"
    ),
)
# As 0017 has them by now.
DEFAULTS = """
    ALTER TABLE payments_passproduct
        ALTER COLUMN period_coins SET DEFAULT 0,
        ALTER COLUMN transfer_policy SET DEFAULT 'transfer'
"""


def install(schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql"
    for name in FILES:
        schema_editor.execute((folder / name).read_text(encoding="utf-8"), params=None)
    schema_editor.execute(DEFAULTS)


def narrow_grants(schema_editor):
    if not settings.DATABASE_ROLE:
        return
    role = sql.Identifier(settings.DATABASE_ROLE)
    with schema_editor.connection.cursor() as cursor:
        for table in ADD_ONLY:
            cursor.execute(
                sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {role}").format(
                    table=sql.Identifier(f"payments_{table}"), role=role
                )
            )
        for function in CALLABLE:
            cursor.execute(
                sql.SQL("GRANT EXECUTE ON FUNCTION {function} TO {role}").format(
                    function=sql.SQL(function), role=role
                )
            )


class Migration(migrations.Migration):
    dependencies = [("payments", "0022_books_that_settle")]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="RateEstimate",
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
                            "purchase",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="rate_estimate",
                                to="payments.purchase",
                            ),
                        ),
                        (
                            "pass_purchase",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="rate_estimate",
                                to="payments.passpurchase",
                            ),
                        ),
                        ("currency", models.CharField(max_length=3)),
                        ("day", models.DateField(help_text="Whose rate is missing")),
                        ("rate", models.DecimalField(decimal_places=10, max_digits=20)),
                        (
                            "source",
                            models.CharField(help_text="What it was estimated by", max_length=50),
                        ),
                        ("created_at", models.DateTimeField(editable=False)),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                fields=["currency", "created_at"], name="rateestimate_by_currency"
                            )
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("pass_purchase__isnull", False), ("purchase", None)),
                                    models.Q(("pass_purchase", None), ("purchase__isnull", False)),
                                    _connector="OR",
                                ),
                                name="payments_rateestimate_of_one",
                            )
                        ],
                    },
                ),
                migrations.AddField(
                    model_name="subscription",
                    name="renews_as_name",
                    field=models.CharField(
                        blank=True,
                        db_default="",
                        help_text="The store's name for it, which nothing here may have",
                        max_length=512,
                    ),
                ),
                migrations.AddField(
                    model_name="subscriptionchange",
                    name="renews_as_name",
                    field=models.CharField(blank=True, db_default="", max_length=512),
                ),
                migrations.AddField(
                    model_name="subscriptionchange",
                    name="since",
                    field=models.DateTimeField(
                        help_text="When the store said so first, where it said it again", null=True
                    ),
                ),
                migrations.AlterField(
                    model_name="subscriptionchange",
                    name="as_of",
                    field=models.DateTimeField(help_text="When the store said so, the last time"),
                ),
                migrations.AddIndex(
                    model_name="subscription",
                    index=models.Index(
                        condition=models.Q(
                            ("renews_as", None),
                            models.Q(("renews_as_name", ""), _negated=True),
                        ),
                        fields=["provider", "renews_as_name"],
                        name="subscription_renews_as_unknown",
                    ),
                ),
            ]
        ),
        RunStatements(install),
        RunStatements(narrow_grants),
    ]
