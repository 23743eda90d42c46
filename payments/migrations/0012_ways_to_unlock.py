"""Ways to unlock: the rest of a series at once, an episode for a time, and without a tap.

With them comes the day on which coins are spent: how much a viewer has spent today is kept where every
spend is written anyway, on the wallet.

Old code goes on unlocking by the payments_unlock that it knows. Constraints on tables that are large
already hold for what is written from now on; 0016 looks at the rest, and 0015 makes the index.
"""

from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from psycopg import sql

import config.ids
from config.schema_operations import RunStatements, Together

FILES = (
    "ledger_0003.sql",
    "unlock_0004.sql",
    "unlock_reversal_0002.sql",
    "auto_unlock_0001.sql",
    "bundle_0001.sql",
)
CALLABLE = (
    "payments_unlock_bundle",
    "payments_agree_to_auto_unlock",
    "payments_end_auto_unlock",
    "payments_undo_auto_unlock",
)


def install(schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql"
    for name in FILES:
        schema_editor.execute((folder / name).read_text(encoding="utf-8"), params=None)


def narrow_grants(schema_editor):
    if not settings.DATABASE_ROLE:
        return
    role = sql.Identifier(settings.DATABASE_ROLE)
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON payments_autounlockconsent FROM {role}"
            ).format(role=role)
        )
        cursor.execute(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE proname = 'payments_unlock'"
        )
        for (signature,) in cursor.fetchall():
            cursor.execute(
                sql.SQL("GRANT EXECUTE ON FUNCTION {function} TO {role}").format(
                    function=sql.SQL(signature), role=role
                )
            )
        for function in CALLABLE:
            cursor.execute(
                sql.SQL("GRANT EXECUTE ON FUNCTION {function} TO {role}").format(
                    function=sql.Identifier(function), role=role
                )
            )


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_decisions_are_kept"),
        ("payments", "0011_offers_and_promo_codes"),
        ("viewers", "0003_scopes_of_support_and_finance"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="AutoUnlockConsent",
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
                            "environment",
                            models.CharField(
                                choices=[("production", "Production"), ("sandbox", "Sandbox")],
                                max_length=10,
                            ),
                        ),
                        ("daily_cap_coins", models.BigIntegerField()),
                        (
                            "adjustments",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.UUIDField(), default=list, size=None
                            ),
                        ),
                        ("agreed_at", models.DateTimeField()),
                        ("ended_at", models.DateTimeField(null=True)),
                        (
                            "price_version",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="payments.priceversion",
                            ),
                        ),
                        (
                            "series",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="catalog.series",
                            ),
                        ),
                        (
                            "viewer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="viewers.viewer",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("ended_at", None)),
                                fields=("viewer", "environment", "series"),
                                name="payments_autounlockconsent_one_standing",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("daily_cap_coins__gt", 0)),
                                name="payments_autounlockconsent_cap",
                            ),
                        ]
                    },
                ),
                migrations.AddField(
                    model_name="priceversion",
                    name="bundle_adjustment",
                    field=models.OneToOneField(
                        editable=False,
                        help_text="How every episode's price differs when the rest of the series is bought at once",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bundle_of",
                        to="payments.priceadjustment",
                    ),
                ),
                migrations.AddField(
                    model_name="priceversion",
                    name="rental_adjustment",
                    field=models.OneToOneField(
                        editable=False,
                        help_text="How an episode's price differs when it is rented",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rental_of",
                        to="payments.priceadjustment",
                    ),
                ),
                migrations.AddField(
                    model_name="priceversion",
                    name="rental_seconds",
                    field=models.PositiveIntegerField(
                        editable=False, help_text="How long a rented episode stays open", null=True
                    ),
                ),
                migrations.AddField(
                    model_name="unlock",
                    name="bundle_id",
                    field=models.UUIDField(
                        help_text="The same for all that was unlocked at once as the rest of a series",
                        null=True,
                    ),
                ),
                migrations.AddField(
                    model_name="unlock",
                    name="day",
                    field=models.DateField(
                        help_text="The day, in the reporting zone, on which it counts as spent",
                        null=True,
                    ),
                ),
                migrations.AddField(
                    model_name="unlock",
                    name="way",
                    field=models.CharField(
                        choices=[
                            ("single", "By itself"),
                            ("bundle", "With the rest of its series"),
                            ("auto", "Without a tap, as the viewer had agreed to"),
                            ("rental", "For a time"),
                        ],
                        db_default="single",
                        default="single",
                        max_length=10,
                    ),
                ),
                migrations.AddField(
                    model_name="wallet",
                    name="spent_coins",
                    field=models.BigIntegerField(
                        db_default=0, help_text="Spent on that day, but for what was undone since"
                    ),
                ),
                migrations.AddField(
                    model_name="wallet",
                    name="spent_on",
                    field=models.DateField(
                        help_text="The last day on which coins were spent", null=True
                    ),
                ),
                migrations.AddConstraint(
                    model_name="priceversion",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("rental_adjustment", None), ("rental_seconds", None)),
                            models.Q(
                                ("rental_adjustment__isnull", False),
                                ("rental_seconds__gte", 3600),
                                ("rental_seconds__lte", 2592000),
                            ),
                            _connector="OR",
                        ),
                        name="payments_priceversion_rental",
                    ),
                ),
            ]
        ),
        AddConstraintNotValid(
            model_name="wallet",
            constraint=models.CheckConstraint(
                condition=models.Q(("spent_coins__gte", 0)), name="payments_wallet_spent_something"
            ),
        ),
        migrations.AddField(
            model_name="unlock",
            name="consent",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="unlocks",
                to="payments.autounlockconsent",
            ),
        ),
        AddConstraintNotValid(
            model_name="unlock",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("bundle_id", None), ("consent", None), ("way__in", ["single", "rental"])
                    ),
                    models.Q(("bundle_id__isnull", False), ("consent", None), ("way", "bundle")),
                    models.Q(("bundle_id", None), ("consent__isnull", False), ("way", "auto")),
                    _connector="OR",
                ),
                name="payments_unlock_way",
            ),
        ),
        RunStatements(install),
        RunStatements(narrow_grants),
    ]
