"""Subscriptions, what stores say and what they are told, and the currencies that money comes in.

Constraints on tables that are large already hold for what is written from now on; 0018 looks at the rest.
"""

from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from psycopg import sql

import config.ids
from config.schema_operations import RunStatements, Together
from payments.chart import CHART

FILES = ("subscription_0001.sql", "refund_0002.sql", "refund_without_share_0001.sql")

# The application reads these and writes them through functions alone.
READ_ONLY = ("subscription", "subscriptionchange", "subscriptioncover", "subscriptiontransfer")
# A rate, once known, is never changed.
ADD_ONLY = ("exchangerate",)
CALLABLE = (
    "payments_lock_facts",
    "payments_apply_subscription",
    "payments_credit_period",
    "payments_transfer_subscription",
    # The signature before has its grant, and serves the release before.
    (
        "payments_record_refund(text, text, text, text, text, bigint, integer, text, integer,"
        " timestamptz, timestamptz, timestamptz)"
    ),
)


def install(schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql"
    for name in FILES:
        schema_editor.execute((folder / name).read_text(encoding="utf-8"), params=None)


def write_chart(schema_editor):
    lines = [
        sql.SQL("({}, {}, {})").format(str(code), str(account), direction)
        for code, way in CHART.items()
        for direction, accounts in ((-1, way.out_of), (1, way.into))
        for account in accounts
    ]
    statement = sql.SQL(
        "CREATE OR REPLACE VIEW payments_chart (code, account, direction) AS VALUES {}"
    )
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(statement.format(sql.SQL(", ").join(lines)))


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
                    function=sql.SQL(function), role=role
                )
            )


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("payments", "0016_what_was_there_is_valid_too"),
        ("viewers", "0005_what_stores_may_hear"),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="StoreMessage",
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
                        ("event_id", models.CharField(max_length=512)),
                        ("type", models.CharField(max_length=100)),
                        (
                            "arrived_by",
                            models.CharField(
                                choices=[
                                    ("pushed", "Sent by the store"),
                                    ("pulled", "Read from the store's history"),
                                    ("submitted", "Handed in by an app"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("headers", models.JSONField(default=dict)),
                        ("body", models.BinaryField()),
                        ("subject", models.CharField(blank=True, max_length=512)),
                        ("occurred_at", models.DateTimeField()),
                        ("received_at", models.DateTimeField()),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "Not applied yet"),
                                    ("applied", "Applied"),
                                    ("unknown", "Of an unknown type"),
                                    ("parked", "Could not be applied"),
                                ],
                                default="waiting",
                                max_length=10,
                            ),
                        ),
                        ("attempts", models.PositiveIntegerField(default=0)),
                        (
                            "next_attempt_at",
                            models.DateTimeField(
                                help_text="Empty when it is due no more", null=True
                            ),
                        ),
                        (
                            "reason",
                            models.CharField(
                                blank=True, help_text="Why it was not applied", max_length=500
                            ),
                        ),
                        (
                            "code",
                            models.CharField(
                                blank=True, help_text="The same, for programs", max_length=50
                            ),
                        ),
                        ("applied_at", models.DateTimeField(null=True)),
                        (
                            "submitted_by",
                            models.ForeignKey(
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="viewers.viewer",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("next_attempt_at__isnull", False)),
                                fields=["next_attempt_at"],
                                name="storemessage_due",
                            ),
                            models.Index(
                                fields=["provider", "environment", "type", "-received_at"],
                                name="storemessage_by_type",
                            ),
                            models.Index(fields=["subject"], name="storemessage_by_subject"),
                            models.Index(
                                condition=models.Q(("state__in", ["unknown", "parked"])),
                                fields=["state", "-received_at"],
                                name="storemessage_to_look_at",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("provider", "environment", "event_id"),
                                name="payments_storemessage_once",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("next_attempt_at__isnull", False), ("state", "waiting")
                                    ),
                                    models.Q(
                                        models.Q(("state", "waiting"), _negated=True),
                                        ("next_attempt_at", None),
                                    ),
                                    _connector="OR",
                                ),
                                name="payments_storemessage_is_due_while_it_waits",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="StoreCall",
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
                            "verb",
                            models.CharField(
                                choices=[
                                    ("acknowledge", "It was delivered"),
                                    ("consume", "It was delivered and may be bought again"),
                                    ("answer_refund_question", "What became of what was bought"),
                                    ("give_back", "An operator gives money back"),
                                ],
                                max_length=30,
                            ),
                        ),
                        (
                            "subject",
                            models.CharField(
                                help_text="The transaction or question", max_length=512
                            ),
                        ),
                        ("details", models.JSONField(default=dict)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "Not told yet"),
                                    ("done", "Told"),
                                    ("failed", "The store refuses to be told"),
                                ],
                                default="waiting",
                                max_length=10,
                            ),
                        ),
                        ("attempts", models.PositiveIntegerField(default=0)),
                        ("next_attempt_at", models.DateTimeField(null=True)),
                        (
                            "deadline_at",
                            models.DateTimeField(
                                help_text="Later the store listens no more", null=True
                            ),
                        ),
                        ("reason", models.CharField(blank=True, max_length=500)),
                        ("created_at", models.DateTimeField()),
                        ("done_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("next_attempt_at__isnull", False)),
                                fields=["next_attempt_at"],
                                name="storecall_due",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("provider", "environment", "verb", "subject"),
                                name="payments_storecall_once",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("next_attempt_at__isnull", False), ("state", "waiting")
                                    ),
                                    models.Q(
                                        models.Q(("state", "waiting"), _negated=True),
                                        ("next_attempt_at", None),
                                    ),
                                    _connector="OR",
                                ),
                                name="payments_storecall_is_due_while_it_waits",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="StoreHistory",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
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
                        ("read_until", models.DateTimeField()),
                        ("read_at", models.DateTimeField()),
                        (
                            "found_count",
                            models.BigIntegerField(
                                default=0, help_text="Messages that had not come"
                            ),
                        ),
                    ],
                    options={
                        "verbose_name_plural": "store histories",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("provider", "environment"),
                                name="payments_storehistory_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ExchangeRate",
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
                        ("currency", models.CharField(max_length=3)),
                        ("day", models.DateField()),
                        ("rate", models.DecimalField(decimal_places=10, max_digits=20)),
                        ("source", models.CharField(max_length=50)),
                        ("created_at", models.DateTimeField(editable=False)),
                    ],
                    options={
                        "ordering": ["-day", "currency"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("currency", "day"), name="payments_exchangerate_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("rate__gt", 0)),
                                name="payments_exchangerate_positive",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("currency__regex", "^[A-Z]{3}$")),
                                name="payments_exchangerate_currency",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Subscription",
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
                            "subscription_id",
                            models.CharField(help_text="The store's name for it", max_length=512),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("pending", "Waits for its first payment"),
                                    ("active", "Runs and renews"),
                                    ("cancelled", "Runs to its end"),
                                    ("grace", "Open while the store tries to be paid"),
                                    ("billing_retry", "Closed while the store tries to be paid"),
                                    ("on_hold", "Closed until it is paid"),
                                    ("paused", "Paused by the viewer"),
                                    ("expired", "Over"),
                                    ("revoked", "Taken back by the store"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("access_until", models.DateTimeField(null=True)),
                        (
                            "ownership",
                            models.CharField(
                                choices=[
                                    ("purchased", "Bought"),
                                    ("family_shared", "Shared by a family's member who bought it"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "price_consent",
                            models.CharField(
                                choices=[
                                    ("none", "Not asked"),
                                    ("pending", "Asked, not answered yet"),
                                    ("agreed", "Agreed"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "replaces",
                            models.CharField(
                                blank=True,
                                help_text="The store's name of the one before it",
                                max_length=512,
                            ),
                        ),
                        ("as_of", models.DateTimeField(help_text="When the store said so")),
                        ("created_at", models.DateTimeField()),
                        ("changed_at", models.DateTimeField()),
                        (
                            "product",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="payments.passproduct",
                            ),
                        ),
                        (
                            "renews_as",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="payments.passproduct",
                            ),
                        ),
                        (
                            "viewer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="subscriptions",
                                to="viewers.viewer",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("replaces", ""), _negated=True),
                                fields=["provider", "environment", "replaces"],
                                name="subscription_by_replaced",
                            ),
                            models.Index(
                                condition=models.Q(("state__in", ["active", "cancelled", "grace"])),
                                fields=["access_until"],
                                name="subscription_that_ends",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("provider", "environment", "subscription_id"),
                                name="payments_subscription_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SubscriptionChange",
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
                            "cause",
                            models.CharField(
                                choices=[
                                    ("message", "A store's message"),
                                    ("submitted", "An app that handed it in"),
                                    ("read_back", "The store, when it was asked"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "from_state",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("pending", "Waits for its first payment"),
                                    ("active", "Runs and renews"),
                                    ("cancelled", "Runs to its end"),
                                    ("grace", "Open while the store tries to be paid"),
                                    ("billing_retry", "Closed while the store tries to be paid"),
                                    ("on_hold", "Closed until it is paid"),
                                    ("paused", "Paused by the viewer"),
                                    ("expired", "Over"),
                                    ("revoked", "Taken back by the store"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("pending", "Waits for its first payment"),
                                    ("active", "Runs and renews"),
                                    ("cancelled", "Runs to its end"),
                                    ("grace", "Open while the store tries to be paid"),
                                    ("billing_retry", "Closed while the store tries to be paid"),
                                    ("on_hold", "Closed until it is paid"),
                                    ("paused", "Paused by the viewer"),
                                    ("expired", "Over"),
                                    ("revoked", "Taken back by the store"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("access_until", models.DateTimeField(null=True)),
                        (
                            "ownership",
                            models.CharField(
                                choices=[
                                    ("purchased", "Bought"),
                                    ("family_shared", "Shared by a family's member who bought it"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "price_consent",
                            models.CharField(
                                choices=[
                                    ("none", "Not asked"),
                                    ("pending", "Asked, not answered yet"),
                                    ("agreed", "Agreed"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("replaces", models.CharField(blank=True, max_length=512)),
                        (
                            "is_outdated",
                            models.BooleanField(help_text="Something later had been heard before"),
                        ),
                        ("as_of", models.DateTimeField(help_text="When the store said so")),
                        ("created_at", models.DateTimeField()),
                        (
                            "message",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="payments.storemessage",
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
                            "renews_as",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="payments.passproduct",
                            ),
                        ),
                        (
                            "subscription",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="changes",
                                to="payments.subscription",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="SubscriptionCover",
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
                            "ended_by",
                            models.CharField(
                                blank=True,
                                choices=[
                                    (
                                        "told",
                                        "The store said that it opens no more, or not so long",
                                    ),
                                    ("replaced", "Another subscription took its place"),
                                    ("refunded", "The money of its latest period went back"),
                                    ("transferred", "Another viewer has it"),
                                ],
                                help_text="Empty unless taken back",
                                max_length=20,
                            ),
                        ),
                        (
                            "cover",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="subscription_cover",
                                to="payments.cover",
                            ),
                        ),
                        (
                            "subscription",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="covers",
                                to="payments.subscription",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="SubscriptionTransfer",
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
                        ("created_at", models.DateTimeField()),
                        (
                            "asked_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "from_viewer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="viewers.viewer",
                            ),
                        ),
                        (
                            "subscription",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="transfers",
                                to="payments.subscription",
                            ),
                        ),
                        (
                            "to_viewer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="viewers.viewer",
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="SubscriptionInquiry",
                    fields=[
                        (
                            "subscription",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.PROTECT,
                                primary_key=True,
                                related_name="inquiry",
                                serialize=False,
                                to="payments.subscription",
                            ),
                        ),
                        ("asked_at", models.DateTimeField()),
                    ],
                    options={"verbose_name_plural": "subscription inquiries"},
                ),
                migrations.RemoveConstraint(
                    model_name="entry",
                    name="payments_entry_chart",
                ),
                migrations.RemoveConstraint(
                    model_name="transfer",
                    name="payments_transfer_chart",
                ),
                migrations.AddField(
                    model_name="passproduct",
                    name="period_coins",
                    field=models.PositiveIntegerField(
                        db_default=0,
                        default=0,
                        help_text="Given with every period that is paid. They carry no money and do not lapse",
                        verbose_name="coins with each period",
                    ),
                ),
                migrations.AddField(
                    model_name="passproduct",
                    name="transfer_policy",
                    field=models.CharField(
                        choices=[
                            ("keep", "Whoever bought it keeps it"),
                            ("transfer", "Whoever restores it has it from then on"),
                            (
                                "transfer_if_inactive",
                                "Whoever restores it, once it opens nothing",
                            ),
                        ],
                        db_default="transfer",
                        default="transfer",
                        help_text="Who has a subscription that another viewer restores",
                        max_length=30,
                    ),
                ),
                migrations.AddField(
                    model_name="passpurchase",
                    name="coins_transfer",
                    field=models.OneToOneField(
                        help_text="The coins that came with a subscription's period",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="period",
                        to="payments.transfer",
                    ),
                ),
                migrations.AddField(
                    model_name="passrefundbooking",
                    name="coins_transfer",
                    field=models.OneToOneField(
                        help_text=(
                            "What was left of a subscription's period's coins, taken or given again"
                        ),
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="period_booking",
                        to="payments.transfer",
                    ),
                ),
                migrations.AddField(
                    model_name="passpurchase",
                    name="store_ends_at",
                    field=models.DateTimeField(null=True),
                ),
                migrations.AddField(
                    model_name="passpurchase",
                    name="store_starts_at",
                    field=models.DateTimeField(help_text="Of a subscription's period", null=True),
                ),
                migrations.AddField(
                    model_name="refund",
                    name="share_parts_per_million",
                    field=models.PositiveIntegerField(
                        help_text="Of what was paid, where the store gives no amount", null=True
                    ),
                ),
                migrations.AlterField(
                    model_name="cover",
                    name="reference",
                    field=models.CharField(max_length=600),
                ),
                migrations.AlterField(
                    model_name="cover",
                    name="source",
                    field=models.CharField(
                        choices=[
                            ("grant", "Given by an operator"),
                            ("pass", "Bought"),
                            ("subscription", "A subscription that runs"),
                        ],
                        max_length=20,
                    ),
                ),
                migrations.AlterField(
                    model_name="entry",
                    name="account",
                    field=models.CharField(
                        choices=[
                            ("paid", "Coins bought from a store"),
                            ("bonus", "Coins given: with a pack, as a reward, by an operator"),
                            ("debt", "Coins refunded after they were spent"),
                            ("store", "Issued against store purchases"),
                            ("pack_bonus", "Issued free with store purchases"),
                            ("grants", "Given by operators"),
                            ("rewards", "Earned by ads and tasks"),
                            ("promos", "Given for promo codes"),
                            ("periods", "Given with periods of subscriptions"),
                            ("unlocks", "Spent on episodes"),
                            ("expired", "Lapsed before they were spent"),
                            ("refunds", "Taken back because the money went back"),
                        ],
                        max_length=20,
                    ),
                ),
                migrations.AlterField(
                    model_name="lot",
                    name="origin",
                    field=models.CharField(
                        choices=[
                            ("purchase", "Bought"),
                            ("pack_bonus", "Came free with a purchase"),
                            ("grant", "Given by an operator"),
                            ("reward", "Earned"),
                            ("promo", "For a promo code"),
                            ("period", "Came with a subscription's period"),
                            ("debt_returned", "Had repaid a debt that did not stand"),
                        ],
                        max_length=20,
                    ),
                ),
                migrations.AlterField(
                    model_name="passintent",
                    name="provider",
                    field=models.CharField(
                        choices=[
                            ("apple", "Apple"),
                            ("google", "Google Play"),
                            ("stripe", "Stripe"),
                            ("fake", "Fake store (demo and tests)"),
                        ],
                        max_length=20,
                    ),
                ),
                migrations.AlterField(
                    model_name="passpurchase",
                    name="cover",
                    field=models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pass_purchase",
                        to="payments.cover",
                    ),
                ),
                migrations.AlterField(
                    model_name="passpurchase",
                    name="provider",
                    field=models.CharField(
                        choices=[
                            ("apple", "Apple"),
                            ("google", "Google Play"),
                            ("stripe", "Stripe"),
                            ("fake", "Fake store (demo and tests)"),
                        ],
                        max_length=20,
                    ),
                ),
                migrations.AlterField(
                    model_name="passpurchase",
                    name="transaction_id",
                    field=models.CharField(max_length=512),
                ),
                migrations.AlterField(
                    model_name="purchase",
                    name="provider",
                    field=models.CharField(
                        choices=[
                            ("apple", "Apple"),
                            ("google", "Google Play"),
                            ("stripe", "Stripe"),
                            ("fake", "Fake store (demo and tests)"),
                        ],
                        max_length=20,
                    ),
                ),
                migrations.AlterField(
                    model_name="purchase",
                    name="transaction_id",
                    field=models.CharField(max_length=512),
                ),
                migrations.AlterField(
                    model_name="purchaseintent",
                    name="provider",
                    field=models.CharField(
                        choices=[
                            ("apple", "Apple"),
                            ("google", "Google Play"),
                            ("stripe", "Stripe"),
                            ("fake", "Fake store (demo and tests)"),
                        ],
                        max_length=20,
                    ),
                ),
                migrations.AlterField(
                    model_name="refund",
                    name="provider",
                    field=models.CharField(
                        choices=[
                            ("apple", "Apple"),
                            ("google", "Google Play"),
                            ("stripe", "Stripe"),
                            ("fake", "Fake store (demo and tests)"),
                        ],
                        max_length=20,
                    ),
                ),
                migrations.AlterField(
                    model_name="refund",
                    name="refund_id",
                    field=models.CharField(
                        help_text="The store's name for it; `all` where it gives none",
                        max_length=512,
                    ),
                ),
                migrations.AlterField(
                    model_name="refund",
                    name="transaction_id",
                    field=models.CharField(max_length=512),
                ),
                migrations.AlterField(
                    model_name="storeproduct",
                    name="provider",
                    field=models.CharField(
                        choices=[
                            ("apple", "Apple"),
                            ("google", "Google Play"),
                            ("stripe", "Stripe"),
                            ("fake", "Fake store (demo and tests)"),
                        ],
                        max_length=20,
                    ),
                ),
                migrations.AlterField(
                    model_name="storeterms",
                    name="provider",
                    field=models.CharField(
                        choices=[
                            ("apple", "Apple"),
                            ("google", "Google Play"),
                            ("stripe", "Stripe"),
                            ("fake", "Fake store (demo and tests)"),
                        ],
                        max_length=20,
                    ),
                ),
                migrations.AlterField(
                    model_name="transfer",
                    name="code",
                    field=models.CharField(
                        choices=[
                            ("purchase", "Coins bought"),
                            ("grant", "Coins given by an operator"),
                            ("grant_reversal", "What is left of an operator's gift is taken back"),
                            ("reward", "Coins earned"),
                            ("promo", "Coins for a promo code"),
                            ("period", "Coins that come with a subscription's period"),
                            (
                                "period_reversal",
                                "What is left of a refunded period's coins is taken back",
                            ),
                            ("unlock", "Coins spent on an episode"),
                            ("unlock_reversal", "An unlock undone, its coins returned"),
                            ("expiry", "Coins lapsed"),
                            ("refund", "Coins taken back, since the money went back"),
                            ("refund_reversal", "A refund that did not stand, its coins returned"),
                            (
                                "repayment",
                                "Coins that a reversal had returned repay what is owed still",
                            ),
                        ],
                        max_length=30,
                    ),
                ),
                migrations.AlterField(
                    model_name="transfer",
                    name="reference",
                    field=models.CharField(max_length=600),
                ),
                migrations.AddConstraint(
                    model_name="passproduct",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            ("period_coins", 0),
                            models.Q(("is_renewing", True), ("period_coins__lte", 1000000)),
                            _connector="OR",
                        ),
                        name="payments_passproduct_coins",
                    ),
                ),
                migrations.AddField(
                    model_name="passpurchase",
                    name="subscription",
                    field=models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="periods",
                        to="payments.subscription",
                    ),
                ),
            ]
        ),
        AddConstraintNotValid(
            model_name="entry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("account__in", ["paid", "bonus", "debt"]),
                        ("balance_after_coins__isnull", False),
                        ("sequence__gt", 0),
                        ("wallet__isnull", False),
                    ),
                    models.Q(
                        (
                            "account__in",
                            [
                                "store",
                                "pack_bonus",
                                "grants",
                                "rewards",
                                "promos",
                                "periods",
                                "unlocks",
                                "expired",
                                "refunds",
                            ],
                        ),
                        ("balance_after_coins__isnull", True),
                        ("sequence__isnull", True),
                        ("wallet__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="payments_entry_chart",
            ),
        ),
        AddConstraintNotValid(
            model_name="transfer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "code__in",
                        [
                            "purchase",
                            "grant",
                            "grant_reversal",
                            "reward",
                            "promo",
                            "period",
                            "period_reversal",
                            "unlock",
                            "unlock_reversal",
                            "expiry",
                            "refund",
                            "refund_reversal",
                            "repayment",
                        ],
                    ),
                    ("environment__in", ["production", "sandbox"]),
                ),
                name="payments_transfer_chart",
            ),
        ),
        AddConstraintNotValid(
            model_name="passpurchase",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("cover__isnull", False), ("store_ends_at", None), ("subscription", None)
                    ),
                    models.Q(
                        ("cover", None),
                        ("store_ends_at__isnull", False),
                        ("subscription__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="payments_passpurchase_covers_or_is_a_period",
            ),
        ),
        RunStatements(install),
        RunStatements(write_chart),
        RunStatements(narrow_grants),
    ]
