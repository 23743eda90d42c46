"""Passes: products, what was bought, and the cover that it gave; a store transaction buys one thing."""

from pathlib import Path

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from psycopg import sql

import config.ids
from config.schema_operations import RunStatements, Together

FILES = ("pass_refund_0001.sql", "credit_pass_0001.sql", "credit_purchase_0003.sql")

# The application reads these and writes them through functions alone.
READ_ONLY = ("passpurchase", "passrefundbooking")
# An intent, once made, is never changed.
ADD_ONLY = ("passintent",)
CALLABLE = ("payments_credit_pass",)


def install(schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql"
    for name in FILES:
        schema_editor.execute((folder / name).read_text(encoding="utf-8"), params=None)


def narrow_grants(schema_editor):
    if not settings.DATABASE_ROLE:
        return
    role = sql.Identifier(settings.DATABASE_ROLE)
    statements = [
        ("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {table} FROM {role}", READ_ONLY),
        ("REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {role}", ADD_ONLY),
    ]
    with schema_editor.connection.cursor() as cursor:
        for statement, tables in statements:
            for table in tables:
                cursor.execute(
                    sql.SQL(statement).format(table=sql.Identifier(f"payments_{table}"), role=role)
                )
        for function in CALLABLE:
            cursor.execute(
                sql.SQL("GRANT EXECUTE ON FUNCTION {function} TO {role}").format(
                    function=sql.Identifier(function), role=role
                )
            )


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0008_unlock_at_an_adjusted_price"),
        ("viewers", "0003_scopes_of_support_and_finance"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="PassProduct",
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
                        ("code", models.SlugField(unique=True)),
                        ("title", models.CharField(max_length=100)),
                        (
                            "period_months",
                            models.PositiveIntegerField(default=0, help_text="Calendar months"),
                        ),
                        (
                            "period_days",
                            models.PositiveIntegerField(default=0, help_text="Days of 24 hours"),
                        ),
                        (
                            "is_renewing",
                            models.BooleanField(
                                default=False,
                                help_text="Sold by the store as a subscription",
                                verbose_name="renews by itself",
                            ),
                        ),
                        (
                            "price_micros",
                            models.BigIntegerField(
                                help_text="List price in millionths: 19990000 is 19.99"
                            ),
                        ),
                        ("currency", models.CharField(default="USD", max_length=3)),
                        (
                            "is_active",
                            models.BooleanField(default=True, help_text="Shown to viewers"),
                        ),
                        (
                            "position",
                            models.PositiveIntegerField(
                                default=0, help_text="Order in the list, lowest first"
                            ),
                        ),
                        ("created_at", models.DateTimeField(editable=False)),
                    ],
                    options={
                        "verbose_name": "pass",
                        "verbose_name_plural": "passes",
                        "ordering": ["position", "price_micros"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("price_micros__gt", 0), ("price_micros__lte", 100000000000)
                                ),
                                name="payments_passproduct_sane",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("period_days", 0),
                                        ("period_months__gt", 0),
                                        ("period_months__lte", 12),
                                    ),
                                    models.Q(
                                        ("period_days__gt", 0),
                                        ("period_days__lte", 366),
                                        ("period_months", 0),
                                    ),
                                    _connector="OR",
                                ),
                                name="payments_passproduct_period",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("currency__regex", "^[A-Z]{3}$")),
                                name="payments_passproduct_currency",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PassIntent",
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
                            "provider",
                            models.CharField(
                                choices=[("fake", "Fake store (demo and tests)")], max_length=20
                            ),
                        ),
                        ("period_months", models.PositiveIntegerField()),
                        ("period_days", models.PositiveIntegerField()),
                        ("created_at", models.DateTimeField()),
                        (
                            "viewer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="pass_intents",
                                to="viewers.viewer",
                            ),
                        ),
                        (
                            "product",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="payments.passproduct",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="PassPurchase",
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
                            "provider",
                            models.CharField(
                                choices=[("fake", "Fake store (demo and tests)")], max_length=20
                            ),
                        ),
                        (
                            "environment",
                            models.CharField(
                                choices=[("production", "Production"), ("sandbox", "Sandbox")],
                                max_length=10,
                            ),
                        ),
                        ("transaction_id", models.CharField(max_length=200)),
                        ("period_months", models.PositiveIntegerField()),
                        ("period_days", models.PositiveIntegerField()),
                        ("currency", models.CharField(max_length=3)),
                        ("gross_micros", models.BigIntegerField()),
                        ("tax_micros", models.BigIntegerField()),
                        ("fee_micros", models.BigIntegerField()),
                        ("net_micros", models.BigIntegerField()),
                        ("exchange_rate", models.DecimalField(decimal_places=10, max_digits=20)),
                        ("exchange_source", models.CharField(max_length=50)),
                        ("purchased_at", models.DateTimeField()),
                        ("starts_at", models.DateTimeField()),
                        ("ends_at", models.DateTimeField()),
                        (
                            "anchor_at",
                            models.DateTimeField(
                                help_text="Where the months before it began to be counted"
                            ),
                        ),
                        (
                            "anchor_months",
                            models.PositiveIntegerField(
                                help_text="From there to the end of this one"
                            ),
                        ),
                        ("created_at", models.DateTimeField()),
                        (
                            "cover",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="pass_purchase",
                                to="payments.cover",
                            ),
                        ),
                        (
                            "intent",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="purchases",
                                to="payments.passintent",
                            ),
                        ),
                        (
                            "product",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="payments.passproduct",
                            ),
                        ),
                        (
                            "viewer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="pass_purchases",
                                to="viewers.viewer",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            django.contrib.postgres.indexes.BrinIndex(
                                fields=["created_at"], name="passpurchase_by_time"
                            ),
                            models.Index(
                                fields=["environment", "ends_at"], name="passpurchase_by_end"
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("provider", "environment", "transaction_id"),
                                name="payments_passpurchase_gives_cover_once_ever",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("fee_micros__gte", 0),
                                    ("gross_micros__gte", 0),
                                    ("net_micros__gte", 0),
                                    ("tax_micros__gte", 0),
                                ),
                                name="payments_passpurchase_amounts",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("ends_at__gt", models.F("starts_at")),
                                    ("starts_at__gte", models.F("created_at")),
                                ),
                                name="payments_passpurchase_period",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PassRefundBooking",
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
                        ("gross_micros", models.BigIntegerField()),
                        ("tax_micros", models.BigIntegerField()),
                        ("fee_micros", models.BigIntegerField()),
                        ("net_micros", models.BigIntegerField()),
                        (
                            "asked_micros",
                            models.BigIntegerField(
                                help_text="The refund's amount at that time", null=True
                            ),
                        ),
                        ("created_at", models.DateTimeField()),
                        (
                            "cover",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="pass_refund_booking",
                                to="payments.cover",
                            ),
                        ),
                        (
                            "purchase",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="refund_bookings",
                                to="payments.passpurchase",
                            ),
                        ),
                        (
                            "refund",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="pass_bookings",
                                to="payments.refund",
                            ),
                        ),
                        (
                            "undoes",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="undone_by",
                                to="payments.passrefundbooking",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            django.contrib.postgres.indexes.BrinIndex(
                                fields=["created_at"], name="passrefundbooking_by_time"
                            )
                        ]
                    },
                ),
                migrations.AddField(
                    model_name="moneyday",
                    name="passes_micros",
                    field=models.BigIntegerField(
                        default=0, help_text="Recognised: passes, as their time goes by"
                    ),
                ),
                migrations.AlterField(
                    model_name="cover",
                    name="source",
                    field=models.CharField(
                        choices=[("grant", "Given by an operator"), ("pass", "Bought")],
                        max_length=20,
                    ),
                ),
                migrations.AlterField(
                    model_name="moneyday",
                    name="deferred_micros",
                    field=models.BigIntegerField(
                        help_text="The value of unspent coins and of passes' time ahead at the day's end"
                    ),
                ),
                migrations.AlterField(
                    model_name="moneyday",
                    name="recognised_micros",
                    field=models.BigIntegerField(help_text="All five"),
                ),
                migrations.AlterField(
                    model_name="storeproduct",
                    name="pack",
                    field=models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="store_products",
                        to="payments.coinpack",
                    ),
                ),
                migrations.AddField(
                    model_name="storeproduct",
                    name="pass_product",
                    field=models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="store_products",
                        to="payments.passproduct",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="storeproduct",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("pack__isnull", False), ("pass_product__isnull", True)),
                            models.Q(("pack__isnull", True), ("pass_product__isnull", False)),
                            _connector="OR",
                        ),
                        name="payments_storeproduct_is_of_one",
                    ),
                ),
                migrations.AddField(
                    model_name="refund",
                    name="pass_purchase",
                    field=models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="payments.passpurchase",
                    ),
                ),
                migrations.AddField(
                    model_name="refund",
                    name="pass_booking",
                    field=models.OneToOneField(
                        help_text="The same of a pass",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="standing_for",
                        to="payments.passrefundbooking",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="refund",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("booking__isnull", True), ("purchase__isnull", True)),
                            models.Q(
                                ("pass_booking__isnull", True), ("pass_purchase__isnull", True)
                            ),
                            _connector="OR",
                        ),
                        name="payments_refund_of_coins_or_a_pass",
                    ),
                ),
            ]
        ),
        RunStatements(install),
        RunStatements(narrow_grants),
    ]
