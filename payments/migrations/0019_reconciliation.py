"""Our books against the stores' own lists, and what operators look for among stores' messages."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from psycopg import sql

import config.ids
from config.schema_operations import RunStatements, Together

# What was found is changed as it settles, and stays.
STAYS = ("reconciliation", "difference", "storereport")
# What a fee came to is never changed.
ADD_ONLY = ("feeadjustment",)


def narrow_grants(schema_editor):
    if not settings.DATABASE_ROLE:
        return
    role = sql.Identifier(settings.DATABASE_ROLE)
    statements = [
        ("REVOKE DELETE, TRUNCATE ON {table} FROM {role}", STAYS),
        ("REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {role}", ADD_ONLY),
    ]
    with schema_editor.connection.cursor() as cursor:
        for statement, tables in statements:
            for table in tables:
                cursor.execute(
                    sql.SQL(statement).format(table=sql.Identifier(f"payments_{table}"), role=role)
                )


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("payments", "0018_what_was_there_is_valid_still"),
        ("viewers", "0005_what_stores_may_hear"),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="StoreReport",
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
                        ("name", models.CharField(max_length=200)),
                        ("sha256", models.CharField(max_length=64)),
                        ("body", models.BinaryField()),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "Not read yet"),
                                    ("read", "Read"),
                                    ("refused", "Cannot be read"),
                                ],
                                default="waiting",
                                max_length=10,
                            ),
                        ),
                        (
                            "reason",
                            models.CharField(
                                blank=True, help_text="Why it cannot be read", max_length=500
                            ),
                        ),
                        (
                            "brought_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("received_at", models.DateTimeField()),
                        ("read_at", models.DateTimeField(help_text="Or tried last", null=True)),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("state", "waiting")),
                                fields=["received_at"],
                                name="storereport_to_read",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("provider", "environment", "sha256"),
                                name="payments_storereport_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Reconciliation",
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
                        (
                            "report",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="runs",
                                to="payments.storereport",
                            ),
                        ),
                        ("since", models.DateTimeField()),
                        ("until", models.DateTimeField()),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("running", "Under way"),
                                    ("finished", "Finished"),
                                    ("failed", "Failed"),
                                ],
                                default="running",
                                max_length=10,
                            ),
                        ),
                        (
                            "reason",
                            models.CharField(blank=True, help_text="Why it failed", max_length=500),
                        ),
                        (
                            "listed_count",
                            models.PositiveIntegerField(
                                default=0, help_text="Lines of the store's list"
                            ),
                        ),
                        (
                            "booked_count",
                            models.PositiveIntegerField(
                                default=0, help_text="Of our books, of that time"
                            ),
                        ),
                        (
                            "found_counts",
                            models.JSONField(default=dict, help_text="Differences by cause"),
                        ),
                        (
                            "healed_count",
                            models.PositiveIntegerField(
                                default=0, help_text="Of these, booked by this run"
                            ),
                        ),
                        (
                            "fees_waiting_count",
                            models.PositiveIntegerField(
                                default=0, help_text="Fees in a currency without a rate yet"
                            ),
                        ),
                        ("started_at", models.DateTimeField()),
                        ("finished_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                fields=["provider", "environment", "-started_at"],
                                name="reconciliation_by_store",
                            )
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("finished_at", None), ("state", "running")),
                                    models.Q(
                                        models.Q(("state", "running"), _negated=True),
                                        ("finished_at__isnull", False),
                                    ),
                                    _connector="OR",
                                ),
                                name="payments_reconciliation_ends",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Difference",
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
                        ("transaction_id", models.CharField(max_length=512)),
                        ("subscription_id", models.CharField(blank=True, max_length=512)),
                        (
                            "cause",
                            models.CharField(
                                choices=[
                                    ("missing_here", "The store sold it, we have not booked it"),
                                    (
                                        "missing_there",
                                        "We have booked it, the store does not have it",
                                    ),
                                    ("amount_differs", "Another amount"),
                                    ("currency_differs", "Another currency"),
                                    (
                                        "refund_missing_here",
                                        "The store gave money back, we have not booked it",
                                    ),
                                    (
                                        "refund_missing_there",
                                        "We have booked a refund that the store has not",
                                    ),
                                    ("duplicate", "The store took the money more than once"),
                                    (
                                        "not_delivered",
                                        "Booked without the coins or the cover that were bought",
                                    ),
                                    (
                                        "fee_differs",
                                        "The store kept another fee than was estimated",
                                    ),
                                ],
                                max_length=30,
                            ),
                        ),
                        (
                            "line_id",
                            models.CharField(
                                blank=True, help_text="A refund's name", max_length=512
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("open", "Open"),
                                    ("waiting", "May settle by itself"),
                                    ("seen", "Somebody has looked"),
                                    ("healed", "Booked by itself"),
                                    ("gone", "No more"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("our_micros", models.BigIntegerField(null=True)),
                        ("their_micros", models.BigIntegerField(null=True)),
                        ("currency", models.CharField(blank=True, max_length=3)),
                        ("their_currency", models.CharField(blank=True, max_length=3)),
                        ("occurred_at", models.DateTimeField()),
                        ("detail", models.CharField(blank=True, max_length=500)),
                        (
                            "found_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="found",
                                to="payments.reconciliation",
                            ),
                        ),
                        (
                            "last_found_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="last_found",
                                to="payments.reconciliation",
                            ),
                        ),
                        ("found_at", models.DateTimeField()),
                        ("changed_at", models.DateTimeField()),
                        (
                            "seen_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("note", models.CharField(blank=True, max_length=500)),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("state__in", ["open", "waiting"])),
                                fields=["provider", "environment", "cause"],
                                name="difference_to_look_at",
                            ),
                            models.Index(fields=["state", "-id"], name="difference_by_state"),
                            models.Index(fields=["cause", "-id"], name="difference_by_cause"),
                            models.Index(
                                fields=["transaction_id"], name="difference_by_transaction"
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=(
                                    "provider",
                                    "environment",
                                    "transaction_id",
                                    "cause",
                                    "line_id",
                                ),
                                name="payments_difference_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="FeeAdjustment",
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
                        ("line_id", models.CharField(max_length=512)),
                        ("kind", models.CharField(max_length=10)),
                        ("transaction_id", models.CharField(max_length=512)),
                        (
                            "purchase",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="fee_adjustments",
                                to="payments.purchase",
                            ),
                        ),
                        (
                            "pass_purchase",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="fee_adjustments",
                                to="payments.passpurchase",
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="fee_adjustments",
                                to="payments.reconciliation",
                            ),
                        ),
                        (
                            "estimated_micros",
                            models.BigIntegerField(
                                help_text="Less than nothing for what a refund frees"
                            ),
                        ),
                        ("settled_micros", models.BigIntegerField()),
                        (
                            "difference_micros",
                            models.BigIntegerField(help_text="Settled less estimated"),
                        ),
                        (
                            "fee_micros",
                            models.BigIntegerField(help_text="As the store says, in its currency"),
                        ),
                        ("fee_currency", models.CharField(max_length=3)),
                        ("exchange_rate", models.DecimalField(decimal_places=10, max_digits=20)),
                        ("exchange_source", models.CharField(max_length=50)),
                        ("settled_at", models.DateTimeField()),
                        ("created_at", models.DateTimeField()),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                fields=["environment", "created_at"], name="feeadjustment_by_time"
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=(
                                    "provider",
                                    "environment",
                                    "transaction_id",
                                    "kind",
                                    "line_id",
                                ),
                                name="payments_feeadjustment_once",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    (
                                        "difference_micros",
                                        django.db.models.expressions.CombinedExpression(
                                            models.F("settled_micros"),
                                            "-",
                                            models.F("estimated_micros"),
                                        ),
                                    )
                                ),
                                name="payments_feeadjustment_adds_up",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("purchase__isnull", True),
                                    ("pass_purchase__isnull", True),
                                    _connector="OR",
                                ),
                                name="payments_feeadjustment_of_coins_or_a_pass",
                            ),
                        ],
                    },
                ),
                migrations.AddField(
                    model_name="storemessage",
                    name="facts",
                    field=models.JSONField(
                        default=list, help_text="What it stood for when it was applied"
                    ),
                ),
                migrations.AddIndex(
                    model_name="storecall",
                    index=models.Index(fields=["state", "-id"], name="storecall_by_state"),
                ),
                migrations.AddIndex(
                    model_name="storecall",
                    index=models.Index(fields=["subject"], name="storecall_by_subject"),
                ),
                migrations.AddIndex(
                    model_name="storemessage",
                    index=models.Index(fields=["type", "-id"], name="storemessage_of_type"),
                ),
                migrations.AddIndex(
                    model_name="storemessage",
                    index=models.Index(fields=["provider", "-id"], name="storemessage_of_provider"),
                ),
                migrations.AddIndex(
                    model_name="subscription",
                    index=models.Index(fields=["state", "-id"], name="subscription_by_state"),
                ),
                migrations.AddIndex(
                    model_name="subscription",
                    index=models.Index(fields=["subscription_id"], name="subscription_by_name"),
                ),
            ]
        ),
        RunStatements(narrow_grants),
    ]
