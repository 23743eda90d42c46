"""What went back, what was given away, and the days of the ledger."""

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

import config.ids
from config.schema_operations import Together


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_decisions_are_kept"),
        ("payments", "0004_episode_door"),
        ("viewers", "0002_scope_of_reports"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="Cover",
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
                        (
                            "source",
                            models.CharField(
                                choices=[("grant", "Given by an operator")], max_length=20
                            ),
                        ),
                        ("reference", models.CharField(max_length=200)),
                        ("starts_at", models.DateTimeField()),
                        ("ends_at", models.DateTimeField()),
                        (
                            "closed_at",
                            models.DateTimeField(help_text="Taken back before its end", null=True),
                        ),
                        ("created_at", models.DateTimeField()),
                        (
                            "viewer",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="viewers.viewer",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                fields=["viewer", "environment", "ends_at"], name="cover_of_viewer"
                            ),
                            django.contrib.postgres.indexes.BrinIndex(
                                fields=["created_at"], name="cover_by_time"
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("source", "reference", "environment"),
                                name="payments_cover_once",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                                name="payments_cover_period",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ExpiryNotice",
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
                        (
                            "coins",
                            models.BigIntegerField(help_text="Left in the lot at that moment"),
                        ),
                        ("expires_at", models.DateTimeField()),
                        ("created_at", models.DateTimeField()),
                        (
                            "lot",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="expiry_notice",
                                to="payments.lot",
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
                        "indexes": [
                            models.Index(fields=["created_at", "id"], name="expirynotice_feed")
                        ]
                    },
                ),
                migrations.CreateModel(
                    name="Grant",
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
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("coins", "Coins"),
                                    ("episode", "One episode"),
                                    ("pass", "A pass for some days"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("coins", models.BigIntegerField(null=True)),
                        ("coins_expire_at", models.DateTimeField(null=True)),
                        ("pass_days", models.PositiveIntegerField(null=True)),
                        ("worth_coins", models.BigIntegerField()),
                        (
                            "needs_second",
                            models.BooleanField(help_text="Above what one person may give"),
                        ),
                        (
                            "reason",
                            models.CharField(
                                choices=[
                                    ("fault", "Something of ours did not work"),
                                    ("goodwill", "Goodwill"),
                                    ("campaign", "Campaign"),
                                    ("test", "Testing"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("note", models.CharField(max_length=500)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "Waiting for a second person"),
                                    ("given", "Given"),
                                    ("refused", "Refused"),
                                    ("revoked", "Taken back"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("asked_at", models.DateTimeField()),
                        ("decided_at", models.DateTimeField(null=True)),
                        ("decision_note", models.CharField(blank=True, max_length=500)),
                        ("revoked_at", models.DateTimeField(null=True)),
                        (
                            "asked_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "cover",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="grant",
                                to="payments.cover",
                            ),
                        ),
                        (
                            "decided_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "entitlement",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="grant",
                                to="payments.entitlement",
                            ),
                        ),
                        (
                            "episode",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="catalog.episode",
                            ),
                        ),
                        (
                            "revocation",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="revoked_grant",
                                to="payments.transfer",
                            ),
                        ),
                        (
                            "revoked_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "transfer",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="grant",
                                to="payments.transfer",
                            ),
                        ),
                        (
                            "viewer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="grants",
                                to="viewers.viewer",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["asked_by", "asked_at"], name="grant_of_operator")
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("coins__gt", 0),
                                        ("episode", None),
                                        ("kind", "coins"),
                                        ("pass_days", None),
                                    ),
                                    models.Q(
                                        ("coins", None),
                                        ("episode__isnull", False),
                                        ("kind", "episode"),
                                        ("pass_days", None),
                                    ),
                                    models.Q(
                                        ("coins", None),
                                        ("episode", None),
                                        ("kind", "pass"),
                                        ("pass_days__gt", 0),
                                    ),
                                    _connector="OR",
                                ),
                                name="payments_grant_one_kind",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("note", ""), _negated=True),
                                name="payments_grant_says_why",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("decided_by", None), ("state", "waiting")),
                                    ("decided_by__isnull", False),
                                    _connector="OR",
                                ),
                                name="payments_grant_decided",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("state__in", ["given", "revoked"]), _negated=True),
                                    ("needs_second", False),
                                    models.Q(("decided_by", models.F("asked_by")), _negated=True),
                                    _connector="OR",
                                ),
                                name="payments_grant_second_person",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("worth_coins__gt", 0),
                                    models.Q(
                                        models.Q(("kind", "coins"), _negated=True),
                                        ("worth_coins", models.F("coins")),
                                        _connector="OR",
                                    ),
                                ),
                                name="payments_grant_worth",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="LedgerDigest",
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
                        ("day", models.DateField(unique=True)),
                        ("entry_count", models.BigIntegerField()),
                        ("digest", models.CharField(max_length=64)),
                        ("previous_digest", models.CharField(blank=True, max_length=64)),
                        ("created_at", models.DateTimeField()),
                    ],
                    options={
                        "ordering": ["-day"],
                    },
                ),
                migrations.CreateModel(
                    name="LotMovement",
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
                        ("coins", models.BigIntegerField()),
                        ("value_micros", models.BigIntegerField()),
                        ("created_at", models.DateTimeField()),
                        (
                            "lot",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="movements",
                                to="payments.lot",
                            ),
                        ),
                        (
                            "transfer",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="lot_movements",
                                to="payments.transfer",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            django.contrib.postgres.indexes.BrinIndex(
                                fields=["created_at"], name="lotmovement_by_time"
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("transfer", "lot"), name="payments_lotmovement_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("coins__lt", 0), ("value_micros__lte", 0)),
                                    models.Q(("coins__gt", 0), ("value_micros__gte", 0)),
                                    _connector="OR",
                                ),
                                name="payments_lotmovement_one_way",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="MoneyDay",
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
                        ("day", models.DateField()),
                        (
                            "gross_micros",
                            models.BigIntegerField(help_text="Paid by viewers, tax included"),
                        ),
                        ("tax_micros", models.BigIntegerField()),
                        (
                            "fee_micros",
                            models.BigIntegerField(
                                help_text="Kept by stores, estimated by their terms"
                            ),
                        ),
                        (
                            "refunds_micros",
                            models.BigIntegerField(help_text="Net of what went back"),
                        ),
                        (
                            "net_micros",
                            models.BigIntegerField(help_text="Gross − tax − fee − refunds"),
                        ),
                        (
                            "coins_micros",
                            models.BigIntegerField(
                                help_text="Recognised: coins spent, less what was undone"
                            ),
                        ),
                        (
                            "breakage_micros",
                            models.BigIntegerField(
                                help_text="Recognised: bought coins that lapsed"
                            ),
                        ),
                        (
                            "difference_micros",
                            models.BigIntegerField(help_text="Recognised: what refunds leave over"),
                        ),
                        ("ads_micros", models.BigIntegerField(help_text="Recognised: ads watched")),
                        ("recognised_micros", models.BigIntegerField(help_text="All four")),
                        (
                            "deferred_micros",
                            models.BigIntegerField(
                                help_text="The value of unspent coins at the day's end"
                            ),
                        ),
                        ("titles_micros", models.BigIntegerField(help_text="Attributed to titles")),
                        ("unattributed_micros", models.BigIntegerField()),
                        (
                            "violations",
                            models.JSONField(help_text="Invariants that do not hold, as sentences"),
                        ),
                        ("computed_at", models.DateTimeField()),
                    ],
                    options={
                        "ordering": ["-day", "environment"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("environment", "day"), name="payments_moneyday_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="RefundBooking",
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
                            "due_coins",
                            models.BigIntegerField(
                                help_text="Coins that the refunded money had bought"
                            ),
                        ),
                        (
                            "taken_coins",
                            models.BigIntegerField(help_text="Of these, taken out of lots"),
                        ),
                        (
                            "debt_coins",
                            models.BigIntegerField(help_text="Of these, spent and owed since"),
                        ),
                        (
                            "deferred_micros",
                            models.BigIntegerField(help_text="The value of the coins taken"),
                        ),
                        (
                            "recognised_micros",
                            models.BigIntegerField(
                                help_text="Revenue of unlocks that is revenue no more"
                            ),
                        ),
                        (
                            "difference_micros",
                            models.BigIntegerField(
                                help_text="Value of coins that had lapsed, and what a partial refund's whole coins leave over"
                            ),
                        ),
                        ("created_at", models.DateTimeField()),
                        (
                            "purchase",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="refund_bookings",
                                to="payments.purchase",
                            ),
                        ),
                        (
                            "transfer",
                            models.OneToOneField(
                                help_text="Empty where no coin moved",
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="refund_booking",
                                to="payments.transfer",
                            ),
                        ),
                        (
                            "undoes",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="undone_by",
                                to="payments.refundbooking",
                            ),
                        ),
                        (
                            "asked_micros",
                            models.BigIntegerField(
                                help_text="The refund's amount at that time", null=True
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            django.contrib.postgres.indexes.BrinIndex(
                                fields=["created_at"], name="refundbooking_by_time"
                            )
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    (
                                        "net_micros",
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                models.F("deferred_micros"),
                                                "+",
                                                models.F("recognised_micros"),
                                            ),
                                            "+",
                                            models.F("difference_micros"),
                                        ),
                                    )
                                ),
                                name="payments_refundbooking_adds_up",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Refund",
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
                        (
                            "refund_id",
                            models.CharField(
                                help_text="The store's name for it; `all` where it gives none",
                                max_length=200,
                            ),
                        ),
                        (
                            "origin",
                            models.CharField(
                                choices=[
                                    ("store", "The store"),
                                    ("chargeback", "The buyer's bank"),
                                    ("operator", "An operator"),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "amount_micros",
                            models.BigIntegerField(
                                help_text="Gross, in the purchase's currency; empty for all that was paid",
                                null=True,
                            ),
                        ),
                        ("reason", models.CharField(blank=True, max_length=500)),
                        ("refunded_at", models.DateTimeField(null=True)),
                        ("reversed_at", models.DateTimeField(null=True)),
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
                            "purchase",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="refunds",
                                to="payments.purchase",
                            ),
                        ),
                        (
                            "booking",
                            models.OneToOneField(
                                help_text="What it took, while it stands",
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="standing_for",
                                to="payments.refundbooking",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("provider", "environment", "transaction_id", "refund_id"),
                                name="payments_refund_once",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("amount_micros__isnull", True),
                                    ("amount_micros__gt", 0),
                                    _connector="OR",
                                ),
                                name="payments_refund_amount",
                            ),
                        ]
                    },
                ),
                migrations.CreateModel(
                    name="UnlockCorrection",
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
                        ("coins", models.BigIntegerField(help_text="Negative: no longer earned")),
                        ("value_micros", models.BigIntegerField()),
                        ("attribution_micros", models.BigIntegerField()),
                        ("created_at", models.DateTimeField()),
                        (
                            "lot",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="payments.lot",
                            ),
                        ),
                        (
                            "transfer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="unlock_corrections",
                                to="payments.transfer",
                            ),
                        ),
                        (
                            "unlock",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="corrections",
                                to="payments.unlock",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            django.contrib.postgres.indexes.BrinIndex(
                                fields=["created_at"], name="unlockcorrection_by_time"
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("transfer", "unlock", "lot"),
                                name="payments_unlockcorrection_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="UnlockReversal",
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
                        ("reason", models.CharField(blank=True, max_length=500)),
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
                            "booking",
                            models.ForeignKey(
                                help_text="The refund that took its coins, if one did",
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="unlock_reversals",
                                to="payments.refundbooking",
                            ),
                        ),
                        (
                            "restored_as",
                            models.OneToOneField(
                                help_text="The unlock in its place, since the refund was reversed",
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="restores",
                                to="payments.unlock",
                            ),
                        ),
                        (
                            "transfer",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="unlock_reversal",
                                to="payments.transfer",
                            ),
                        ),
                        (
                            "unlock",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="reversal",
                                to="payments.unlock",
                            ),
                        ),
                    ],
                ),
            ]
        ),
        Together(
            [
                migrations.AddField(
                    model_name="refundbooking",
                    name="refund",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bookings",
                        to="payments.refund",
                    ),
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
                    model_name="transfer",
                    name="reverses",
                    field=models.ForeignKey(
                        db_index=False,
                        help_text="The transfer that this one undoes",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversals",
                        to="payments.transfer",
                    ),
                ),
                migrations.AddField(
                    model_name="unlock",
                    name="attribution_micros",
                    field=models.BigIntegerField(
                        default=0,
                        help_text="What rewarded ads had earned with the coins spent, for the title's account only",
                    ),
                ),
                migrations.AddField(
                    model_name="unlock",
                    name="number",
                    field=models.PositiveIntegerField(
                        help_text="The episode's number at that time", null=True
                    ),
                ),
                migrations.AddField(
                    model_name="unlock",
                    name="numbering",
                    field=models.PositiveIntegerField(
                        help_text="Which numbering was quoted", null=True
                    ),
                ),
                migrations.AddField(
                    model_name="unlock",
                    name="quote_expires_at",
                    field=models.DateTimeField(null=True),
                ),
                migrations.AddField(
                    model_name="wallet",
                    name="covered_until",
                    field=models.DateTimeField(
                        help_text="The end of the last cover: after it no cover is looked for",
                        null=True,
                    ),
                ),
                migrations.AlterField(
                    model_name="entitlement",
                    name="source",
                    field=models.CharField(
                        choices=[
                            ("coins", "Coins"),
                            ("ad", "Rewarded ad"),
                            ("subscription", "Covered by a subscription or pass"),
                            ("grant", "Given by an operator"),
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
                            ("debt_returned", "Had repaid a debt that did not stand"),
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
                migrations.AddIndex(
                    model_name="lot",
                    index=models.Index(
                        condition=models.Q(
                            ("expires_at__isnull", False), ("remaining_coins__gt", 0)
                        ),
                        fields=["expires_at"],
                        name="lot_lapsing",
                    ),
                ),
                migrations.AddIndex(
                    model_name="lot",
                    index=django.contrib.postgres.indexes.BrinIndex(
                        fields=["granted_at"], name="lot_by_time"
                    ),
                ),
                migrations.AddIndex(
                    model_name="purchase",
                    index=django.contrib.postgres.indexes.BrinIndex(
                        fields=["created_at"], name="purchase_by_time"
                    ),
                ),
                migrations.AddIndex(
                    model_name="transfer",
                    index=django.contrib.postgres.indexes.BrinIndex(
                        fields=["created_at"], name="transfer_by_time"
                    ),
                ),
                migrations.AddIndex(
                    model_name="unlock",
                    index=django.contrib.postgres.indexes.BrinIndex(
                        fields=["created_at"], name="unlock_by_time"
                    ),
                ),
                migrations.AddConstraint(
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
                migrations.AddConstraint(
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
                migrations.AddField(
                    model_name="entitlement",
                    name="cover",
                    field=models.ForeignKey(
                        db_index=False,
                        help_text="What covered the episode, if a subscription or pass did",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entitlements",
                        to="payments.cover",
                    ),
                ),
                migrations.AddIndex(
                    model_name="entitlement",
                    index=models.Index(
                        condition=models.Q(("cover__isnull", False)),
                        fields=["cover"],
                        name="entitlement_of_cover",
                    ),
                ),
                migrations.AddField(
                    model_name="wallet",
                    name="held_at",
                    field=models.DateTimeField(
                        help_text="Nothing is spent since then: a rule of the ledger would have broken",
                        null=True,
                    ),
                ),
                migrations.AddField(
                    model_name="wallet",
                    name="held_because",
                    field=models.CharField(db_default="", max_length=500),
                ),
            ]
        ),
    ]
