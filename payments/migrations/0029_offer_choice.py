"""Which ways past the paywall viewers are shown, by a policy that is immutable once it decided."""

from pathlib import Path

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from psycopg import sql

import config.ids
import payments.models.offer_choices
from config.schema_operations import RunStatements, Together


def install(schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql"
    text = (folder / "offer_choice_0001.sql").read_text(encoding="utf-8")
    schema_editor.execute(text, params=None)


def narrow_grants(schema_editor):
    """What was decided for whom is never forgotten. A decision is written again only as it is."""
    if not settings.DATABASE_ROLE:
        return
    with schema_editor.connection.cursor() as cursor:
        for statement in (
            "REVOKE DELETE, TRUNCATE ON payments_offerdecision FROM {role}",
            "REVOKE UPDATE, DELETE, TRUNCATE ON payments_offertaken FROM {role}",
        ):
            cursor.execute(sql.SQL(statement).format(role=sql.Identifier(settings.DATABASE_ROLE)))


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_decisions_are_kept"),
        ("payments", "0024_titles_that_ads_alone_open"),
        ("viewers", "0005_what_stores_may_hear"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="OfferPolicy",
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
                        (
                            "holdout_percent",
                            models.PositiveSmallIntegerField(
                                default=5,
                                help_text="So many of a hundred viewers are always shown everything in the default order: what the policy brings is measured against them",
                                validators=[
                                    django.core.validators.MinValueValidator(1),
                                    django.core.validators.MaxValueValidator(50),
                                ],
                            ),
                        ),
                        (
                            "salt",
                            models.CharField(
                                default=payments.models.offer_choices.new_salt,
                                editable=False,
                                max_length=64,
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("draft", "Draft"),
                                    ("in_force", "In force"),
                                    ("retired", "Retired"),
                                ],
                                default="draft",
                                editable=False,
                                max_length=10,
                            ),
                        ),
                        ("created_at", models.DateTimeField(editable=False)),
                        ("in_force_at", models.DateTimeField(editable=False, null=True)),
                        ("retired_at", models.DateTimeField(editable=False, null=True)),
                        (
                            "put_by",
                            models.ForeignKey(
                                editable=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "offer policy",
                        "verbose_name_plural": "offer policies",
                        "ordering": ["-id"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("state", "in_force")),
                                fields=("state",),
                                name="payments_offerpolicy_one_in_force",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("holdout_percent__gte", 1), ("holdout_percent__lte", 50)
                                ),
                                name="payments_offerpolicy_holds_out",
                                violation_error_message="The holdout is 1 to 50 percent, never nobody.",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("in_force_at", None),
                                        ("retired_at", None),
                                        ("state", "draft"),
                                    ),
                                    models.Q(
                                        ("in_force_at__isnull", False),
                                        ("retired_at", None),
                                        ("state", "in_force"),
                                    ),
                                    models.Q(
                                        ("in_force_at__isnull", False),
                                        ("retired_at__gte", models.F("in_force_at")),
                                        ("state", "retired"),
                                    ),
                                    _connector="OR",
                                ),
                                name="payments_offerpolicy_state",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="OfferRule",
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
                            "policy",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="rules",
                                to="payments.offerpolicy",
                            ),
                        ),
                        ("position", models.PositiveIntegerField(help_text="Lowest first")),
                        ("name", models.CharField(max_length=100)),
                        (
                            "payers",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(
                                    choices=[
                                        ("never_paid", "Never paid"),
                                        ("payer", "Payer: has bought coins, never a pass"),
                                        (
                                            "subscriber",
                                            "Subscriber: has had a pass or subscription",
                                        ),
                                    ],
                                    max_length=12,
                                ),
                                blank=True,
                                default=list,
                                size=None,
                            ),
                        ),
                        (
                            "has_enough_coins",
                            models.BooleanField(
                                blank=True, help_text="For the next locked episode", null=True
                            ),
                        ),
                        (
                            "encounters_from",
                            models.PositiveIntegerField(
                                blank=True,
                                help_text="From which locked episode of the title on that the viewer meets, the first being 1",
                                null=True,
                                validators=[django.core.validators.MinValueValidator(1)],
                            ),
                        ),
                        ("encounters_to", models.PositiveIntegerField(blank=True, null=True)),
                        (
                            "regions",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=2),
                                blank=True,
                                default=list,
                                size=None,
                            ),
                        ),
                        (
                            "platforms",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(
                                    choices=[
                                        ("ios", "iOS"),
                                        ("android", "Android"),
                                        ("web", "Web"),
                                        ("wechat", "WeChat"),
                                        ("douyin", "Douyin"),
                                    ],
                                    max_length=10,
                                ),
                                blank=True,
                                default=list,
                                size=None,
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "offer rule",
                        "ordering": ["position"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("policy", "position"),
                                name="payments_offerrule_place",
                                violation_error_message="Another rule of this policy has this position.",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("encounters_from", None),
                                    ("encounters_to", None),
                                    ("encounters_to__gte", models.F("encounters_from")),
                                    _connector="OR",
                                ),
                                name="payments_offerrule_encounters",
                                violation_error_message="It ends before it starts.",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="OfferArm",
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
                            "rule",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="arms",
                                to="payments.offerrule",
                            ),
                        ),
                        ("position", models.PositiveIntegerField()),
                        ("code", models.SlugField(max_length=40)),
                        (
                            "shown",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(
                                    choices=[
                                        ("coins", "Coins"),
                                        ("packs", "Coin packs"),
                                        ("subscription", "Subscriptions"),
                                        ("ad", "An ad"),
                                    ],
                                    max_length=12,
                                ),
                                size=None,
                            ),
                        ),
                        ("weight", models.PositiveIntegerField(default=1)),
                    ],
                    options={
                        "verbose_name": "offer arm",
                        "ordering": ["position"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("rule", "code"), name="payments_offerarm_once"
                            ),
                            models.UniqueConstraint(
                                fields=("rule", "position"), name="payments_offerarm_place"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("code__regex", "^[a-z0-9][a-z0-9-]*$"),
                                    (
                                        "shown__contained_by",
                                        ["coins", "packs", "subscription", "ad"],
                                    ),
                                    ("shown__len__gte", 1),
                                    ("weight__gte", 1),
                                    ("weight__lte", 1000),
                                ),
                                name="payments_offerarm_sane",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="OfferDecision",
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
                                related_name="+",
                                to="viewers.viewer",
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
                            "series",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="catalog.series",
                            ),
                        ),
                        (
                            "episode",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="catalog.episode",
                            ),
                        ),
                        (
                            "policy",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="payments.offerpolicy",
                            ),
                        ),
                        (
                            "rule",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to="payments.offerrule",
                            ),
                        ),
                        (
                            "arm",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to="payments.offerarm",
                            ),
                        ),
                        ("is_holdout", models.BooleanField()),
                        (
                            "shown",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(
                                    choices=[
                                        ("coins", "Coins"),
                                        ("packs", "Coin packs"),
                                        ("subscription", "Subscriptions"),
                                        ("ad", "An ad"),
                                    ],
                                    max_length=12,
                                ),
                                size=None,
                            ),
                        ),
                        ("propensity_parts_per_billion", models.PositiveIntegerField()),
                        ("ad_propensity_parts_per_billion", models.PositiveIntegerField()),
                        (
                            "encounter",
                            models.PositiveIntegerField(
                                help_text="Which locked episode of the title that the viewer has met"
                            ),
                        ),
                        ("decided_at", models.DateTimeField()),
                    ],
                    options={
                        "verbose_name": "offer decision",
                        "indexes": [
                            models.Index(
                                fields=["policy", "decided_at"], name="offerdecision_of_policy"
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("viewer", "environment", "series", "episode"),
                                name="payments_offerdecision_once",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("ad_propensity_parts_per_billion__gte", 0),
                                    ("ad_propensity_parts_per_billion__lte", 1000000000),
                                    ("propensity_parts_per_billion__gt", 0),
                                    ("propensity_parts_per_billion__lte", 1000000000),
                                ),
                                name="payments_offerdecision_has_a_chance",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("arm", None),
                                    models.Q(("is_holdout", False), ("rule__isnull", False)),
                                    _connector="OR",
                                ),
                                name="payments_offerdecision_arm",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="OfferTaken",
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
                            "decision",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="taken",
                                to="payments.offerdecision",
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("unlock", "An unlock"),
                                    ("bundle", "An unlock of the rest of a series"),
                                    ("ad_session", "An ad session"),
                                    ("purchase_intent", "A purchase of coins announced"),
                                    ("pass_intent", "A purchase of a pass announced"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("subject_id", models.UUIDField(help_text="The id of what was done")),
                        ("taken_at", models.DateTimeField()),
                    ],
                    options={
                        "verbose_name": "offer taken",
                        "verbose_name_plural": "offers taken",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("kind", "subject_id"), name="payments_offertaken_once"
                            )
                        ],
                    },
                ),
            ]
        ),
        RunStatements(install),
        RunStatements(narrow_grants),
    ]
