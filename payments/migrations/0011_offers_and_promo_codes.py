"""Offers with stock and clock, codes that give coins, and the functions that keep both from overrunning.

Constraints on tables that are large already hold for what is written from now on; 0016 looks at the rest.
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

FILES = ("offer_0001.sql", "credit_purchase_0004.sql", "promo_0001.sql")

# The application reads these and writes none of them, except through the functions.
READ_ONLY = ("offerclaim", "promoredemption", "promoattempt")
# What operators may change of these. The counts are the functions' own.
EDITABLE = {
    "offer": (
        *("title", "bonus_coins", "starts_at", "ends_at", "stock", "per_viewer_limit"),
        *("position", "is_active"),
    ),
    "promocode": (
        *("name", "starts_at", "ends_at", "maximum_redemptions", "is_active"),
        *("asked_by_id", "asked_at", "needs_second", "agreed_by_id", "agreed_at"),
    ),
}
ADD_ONLY = ("offer", "promocode", "promobatch")
CALLABLE = (
    "payments_claim_offer",
    "payments_release_offers",
    "payments_redeem_promo_code",
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
        ("GRANT DELETE ON {table} TO {role}", ("promoattempt",)),
    ]
    with schema_editor.connection.cursor() as cursor:
        for statement, tables in statements:
            for table in tables:
                cursor.execute(
                    sql.SQL(statement).format(table=sql.Identifier(f"payments_{table}"), role=role)
                )
        for table, columns in EDITABLE.items():
            cursor.execute(
                sql.SQL("GRANT UPDATE ({columns}) ON {table} TO {role}").format(
                    columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                    table=sql.Identifier(f"payments_{table}"),
                    role=role,
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
        ("payments", "0010_placements"),
        ("viewers", "0003_scopes_of_support_and_finance"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="Offer",
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
                            "kind",
                            models.CharField(
                                choices=[("first_top_up", "First top-up"), ("limited", "Limited")],
                                max_length=20,
                            ),
                        ),
                        (
                            "bonus_coins",
                            models.PositiveIntegerField(
                                help_text="In place of the pack's own bonus"
                            ),
                        ),
                        ("starts_at", models.DateTimeField()),
                        (
                            "ends_at",
                            models.DateTimeField(
                                blank=True, help_text="Empty: until further notice", null=True
                            ),
                        ),
                        (
                            "stock",
                            models.PositiveIntegerField(
                                blank=True,
                                help_text="How often it is sold to all viewers; empty: no limit",
                                null=True,
                            ),
                        ),
                        (
                            "per_viewer_limit",
                            models.PositiveIntegerField(
                                default=1, help_text="How often one viewer may have it"
                            ),
                        ),
                        (
                            "position",
                            models.PositiveIntegerField(
                                default=0, help_text="Order in the list, among packs, lowest first"
                            ),
                        ),
                        (
                            "is_active",
                            models.BooleanField(default=True, help_text="Offered to viewers"),
                        ),
                        ("taken_count", models.PositiveIntegerField(default=0, editable=False)),
                        (
                            "sandbox_taken_count",
                            models.PositiveIntegerField(default=0, editable=False),
                        ),
                        ("created_at", models.DateTimeField(editable=False)),
                        (
                            "pack",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="offers",
                                to="payments.coinpack",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["position", "id"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("bonus_coins__gt", 0),
                                    ("bonus_coins__lte", 10000000),
                                    ("kind__in", ["first_top_up", "limited"]),
                                    ("per_viewer_limit__gte", 1),
                                    ("per_viewer_limit__lte", 1000),
                                ),
                                name="payments_offer_sane",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("ends_at", None),
                                    ("ends_at__gt", models.F("starts_at")),
                                    _connector="OR",
                                ),
                                name="payments_offer_period",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("kind", "first_top_up"), _negated=True),
                                    ("per_viewer_limit", 1),
                                    _connector="OR",
                                ),
                                name="payments_offer_first_is_once",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("stock", None),
                                    models.Q(
                                        ("sandbox_taken_count__lte", models.F("stock")),
                                        ("stock__gt", 0),
                                        ("stock__lte", 10000000),
                                        ("taken_count__lte", models.F("stock")),
                                    ),
                                    _connector="OR",
                                ),
                                name="payments_offer_never_overrun",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="OfferClaim",
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
                                choices=[("first_top_up", "First top-up"), ("limited", "Limited")],
                                max_length=20,
                            ),
                        ),
                        ("bonus_coins", models.PositiveIntegerField()),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("held", "Held while the viewer pays"),
                                    ("used", "Sold"),
                                    ("released", "Given back"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("held_until", models.DateTimeField()),
                        ("kept_until", models.DateTimeField()),
                        ("created_at", models.DateTimeField()),
                        (
                            "settled_at",
                            models.DateTimeField(
                                help_text="When it was sold or given back", null=True
                            ),
                        ),
                        (
                            "offer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="claims",
                                to="payments.offer",
                            ),
                        ),
                        (
                            "purchase",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="offer_claim",
                                to="payments.purchase",
                            ),
                        ),
                        (
                            "viewer",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="offer_claims",
                                to="viewers.viewer",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["viewer", "offer"], name="offerclaim_of_viewer"),
                            models.Index(
                                condition=models.Q(("state", "held")),
                                fields=["kept_until"],
                                name="offerclaim_lapsing",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(
                                    ("kind", "first_top_up"), ("state__in", ["held", "used"])
                                ),
                                fields=("viewer", "environment"),
                                name="payments_offerclaim_one_first_top_up",
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(("state", "held")),
                                fields=("offer", "viewer", "environment"),
                                name="payments_offerclaim_one_held",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("environment__in", ["production", "sandbox"]),
                                    ("state__in", ["held", "used", "released"]),
                                ),
                                name="payments_offerclaim_chart",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("purchase", None), ("settled_at", None), ("state", "held")
                                    ),
                                    models.Q(
                                        ("purchase__isnull", False),
                                        ("settled_at__isnull", False),
                                        ("state", "used"),
                                    ),
                                    models.Q(
                                        ("purchase", None),
                                        ("settled_at__isnull", False),
                                        ("state", "released"),
                                    ),
                                    _connector="OR",
                                ),
                                name="payments_offerclaim_settled",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("kept_until__gte", models.F("held_until"))),
                                name="payments_offerclaim_kept",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PromoAttempt",
                    fields=[
                        (
                            "subject",
                            models.CharField(max_length=64, primary_key=True, serialize=False),
                        ),
                        ("day", models.DateField(db_index=True)),
                        ("wrong_count", models.PositiveIntegerField(default=0)),
                    ],
                ),
                migrations.CreateModel(
                    name="PromoBatch",
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
                        ("name", models.CharField(max_length=100)),
                        ("prefix", models.CharField(blank=True, max_length=12)),
                        ("code_count", models.PositiveIntegerField()),
                        ("created_at", models.DateTimeField()),
                        (
                            "made_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "verbose_name_plural": "promo batches",
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="PromoCode",
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
                        ("code", models.CharField(max_length=32, unique=True)),
                        (
                            "name",
                            models.CharField(
                                help_text="What it is for; operators alone see it", max_length=100
                            ),
                        ),
                        ("bonus_coins", models.PositiveIntegerField()),
                        (
                            "coins_expire_after_seconds",
                            models.PositiveIntegerField(
                                blank=True, help_text="Empty: the coins never lapse", null=True
                            ),
                        ),
                        (
                            "maximum_redemptions",
                            models.PositiveIntegerField(help_text="By all viewers together"),
                        ),
                        ("starts_at", models.DateTimeField()),
                        (
                            "ends_at",
                            models.DateTimeField(
                                blank=True, help_text="Empty: until further notice", null=True
                            ),
                        ),
                        ("is_active", models.BooleanField(default=True)),
                        ("redeemed_count", models.PositiveIntegerField(default=0, editable=False)),
                        (
                            "sandbox_redeemed_count",
                            models.PositiveIntegerField(default=0, editable=False),
                        ),
                        ("asked_at", models.DateTimeField(editable=False)),
                        (
                            "needs_second",
                            models.BooleanField(
                                default=False,
                                editable=False,
                                help_text="Gives more than one person may let codes give",
                            ),
                        ),
                        ("agreed_at", models.DateTimeField(editable=False, null=True)),
                        ("created_at", models.DateTimeField(editable=False)),
                        (
                            "agreed_by",
                            models.ForeignKey(
                                editable=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "asked_by",
                            models.ForeignKey(
                                db_index=False,
                                editable=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "batch",
                            models.ForeignKey(
                                editable=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="codes",
                                to="payments.promobatch",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "indexes": [
                            models.Index(
                                fields=["asked_by", "asked_at"], name="promocode_of_operator"
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                models.Func(
                                    models.F("code"),
                                    models.Value("OIL"),
                                    models.Value("011"),
                                    function="translate",
                                ),
                                name="payments_promocode_unambiguous",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("code__regex", "^[A-Z0-9]{4,32}$")),
                                name="payments_promocode_letters",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("bonus_coins__gt", 0),
                                    ("bonus_coins__lte", 1000000),
                                    ("maximum_redemptions__gt", 0),
                                    ("maximum_redemptions__lte", 100000000),
                                    models.Q(
                                        ("coins_expire_after_seconds", None),
                                        models.Q(
                                            ("coins_expire_after_seconds__gt", 0),
                                            ("coins_expire_after_seconds__lte", 316224000),
                                        ),
                                        _connector="OR",
                                    ),
                                ),
                                name="payments_promocode_sane",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("ends_at", None),
                                    ("ends_at__gt", models.F("starts_at")),
                                    _connector="OR",
                                ),
                                name="payments_promocode_period",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("redeemed_count__lte", models.F("maximum_redemptions")),
                                    (
                                        "sandbox_redeemed_count__lte",
                                        models.F("maximum_redemptions"),
                                    ),
                                ),
                                name="payments_promocode_never_overrun",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("agreed_at", None), ("agreed_by", None)),
                                    models.Q(
                                        ("agreed_at__isnull", False),
                                        ("agreed_by__isnull", False),
                                        ("needs_second", True),
                                        models.Q(
                                            ("agreed_by", models.F("asked_by")), _negated=True
                                        ),
                                    ),
                                    _connector="OR",
                                ),
                                name="payments_promocode_second_person",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PromoRedemption",
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
                        ("coins", models.PositiveIntegerField()),
                        ("coins_expire_at", models.DateTimeField(null=True)),
                        ("created_at", models.DateTimeField()),
                        (
                            "promo_code",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="redemptions",
                                to="payments.promocode",
                            ),
                        ),
                        (
                            "transfer",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="promo_redemption",
                                to="payments.transfer",
                            ),
                        ),
                        (
                            "viewer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="promo_redemptions",
                                to="viewers.viewer",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("promo_code", "viewer", "environment"),
                                name="payments_promoredemption_once",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("coins__gt", 0), ("environment__in", ["production", "sandbox"])
                                ),
                                name="payments_promoredemption_sane",
                            ),
                        ]
                    },
                ),
                migrations.RemoveConstraint(
                    model_name="entry",
                    name="payments_entry_chart",
                ),
                migrations.RemoveConstraint(
                    model_name="transfer",
                    name="payments_transfer_chart",
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
                            ("promo", "Coins for a promo code"),
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
            model_name="purchaseintent",
            name="offer_claim",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="intents",
                to="payments.offerclaim",
            ),
        ),
        RunStatements(install),
        RunStatements(write_chart),
        RunStatements(narrow_grants),
    ]
