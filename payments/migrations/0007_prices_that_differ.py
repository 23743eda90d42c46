"""Prices that rise, that differ by region, platform, link and time, and when each began."""

from datetime import UTC, datetime

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import config.ids
from config.schema_operations import Together

#: Assignments that were made before their moment was kept count from ever since.
SINCE = datetime(2000, 1, 1, tzinfo=UTC)

#: A series may have had several plans, one after the other.
DATE_ASSIGNMENTS = """
    ALTER TABLE payments_planassignment DROP CONSTRAINT payments_planassignment_pkey;
    ALTER TABLE payments_planassignment ADD COLUMN id uuid NOT NULL DEFAULT uuidv7() PRIMARY KEY;
    ALTER TABLE payments_planassignment ALTER COLUMN id DROP DEFAULT;
"""

#: The functions that write unlocks know nothing of adjustments until 0012.
UNADJUSTED = "ALTER TABLE payments_unlock ALTER COLUMN adjustments SET DEFAULT '{}'"


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_decisions_are_kept"),
        ("payments", "0006_move_money_back"),
        ("viewers", "0003_scopes_of_support_and_finance"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="PriceAdjustment",
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
                        ("free_count", models.PositiveIntegerField(null=True)),
                        ("price_coins", models.PositiveIntegerField(null=True)),
                        (
                            "scale_parts_per_million",
                            models.PositiveIntegerField(
                                help_text="800000 is 20 % off, 0 is free", null=True
                            ),
                        ),
                        ("created_at", models.DateTimeField(editable=False)),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("free_count__isnull", False),
                                    ("price_coins__isnull", False),
                                    ("scale_parts_per_million__isnull", False),
                                    _connector="OR",
                                ),
                                name="payments_priceadjustment_adjusts",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("free_count", None),
                                        ("free_count__lte", 10000),
                                        _connector="OR",
                                    ),
                                    models.Q(
                                        ("price_coins", None),
                                        models.Q(
                                            ("price_coins__gt", 0), ("price_coins__lte", 1000000)
                                        ),
                                        _connector="OR",
                                    ),
                                    models.Q(
                                        ("scale_parts_per_million", None),
                                        ("scale_parts_per_million__lte", 100000000),
                                        _connector="OR",
                                    ),
                                ),
                                name="payments_priceadjustment_sane",
                            ),
                        ]
                    },
                ),
                migrations.CreateModel(
                    name="AcquisitionLink",
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
                        ("code", models.CharField(max_length=64, unique=True)),
                        ("name", models.CharField(max_length=100)),
                        ("starts_at", models.DateTimeField()),
                        ("ends_at", models.DateTimeField(help_text="Empty: for good", null=True)),
                        ("stopped_at", models.DateTimeField(editable=False, null=True)),
                        ("created_at", models.DateTimeField(editable=False)),
                        (
                            "created_by",
                            models.ForeignKey(
                                editable=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "series",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="acquisition_links",
                                to="catalog.series",
                            ),
                        ),
                        (
                            "adjustment",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="acquisition_link",
                                to="payments.priceadjustment",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-created_at"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("code__regex", "^[0-9A-Za-z_-]{1,64}$")),
                                name="payments_acquisitionlink_code",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("ends_at", None),
                                    ("ends_at__gt", models.F("starts_at")),
                                    _connector="OR",
                                ),
                                name="payments_acquisitionlink_period",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PriceChange",
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
                        ("name", models.CharField(max_length=200)),
                        ("content", models.JSONField()),
                        ("effective_from", models.DateTimeField(null=True)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("draft", "Draft"),
                                    ("waiting", "Waiting for a second person"),
                                    ("scheduled", "Agreed to"),
                                    ("refused", "Refused"),
                                    ("withdrawn", "Withdrawn before it took effect"),
                                    ("rolled_back", "Rolled back"),
                                ],
                                default="draft",
                                max_length=12,
                            ),
                        ),
                        ("titles_count", models.PositiveIntegerField(default=0)),
                        ("given_away_count", models.PositiveIntegerField(default=0)),
                        (
                            "largest_rise_parts_per_million",
                            models.PositiveBigIntegerField(default=0),
                        ),
                        ("largest_fall_parts_per_million", models.PositiveIntegerField(default=0)),
                        ("needs_second", models.BooleanField(default=False)),
                        ("asked_at", models.DateTimeField()),
                        ("decided_at", models.DateTimeField(null=True)),
                        ("decision_note", models.CharField(blank=True, max_length=500)),
                        (
                            "ended_at",
                            models.DateTimeField(help_text="Withdrawn or rolled back", null=True),
                        ),
                        (
                            "asked_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
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
                            "ended_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-asked_at", "-id"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("state__in", ["scheduled", "rolled_back"]), _negated=True
                                    ),
                                    ("needs_second", False),
                                    models.Q(("decided_by", models.F("asked_by")), _negated=True),
                                    _connector="OR",
                                ),
                                name="payments_pricechange_second_person",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("state__in", ["scheduled", "rolled_back"]), _negated=True
                                    ),
                                    models.Q(
                                        ("decided_at__isnull", False), ("decided_by__isnull", False)
                                    ),
                                    _connector="OR",
                                ),
                                name="payments_pricechange_decided",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ChangedSeries",
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
                            "series",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="catalog.series",
                            ),
                        ),
                        (
                            "change",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="changed_series",
                                to="payments.pricechange",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("change", "series"), name="payments_changedseries_once"
                            )
                        ]
                    },
                ),
                migrations.CreateModel(
                    name="LinkArrival",
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
                        ("arrived_at", models.DateTimeField()),
                        (
                            "link",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="arrivals",
                                to="payments.acquisitionlink",
                            ),
                        ),
                        (
                            "series",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="catalog.series",
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
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                fields=["viewer", "series", "-arrived_at"], name="arrival_of_viewer"
                            )
                        ]
                    },
                ),
                migrations.CreateModel(
                    name="PlanRule",
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
                            "position",
                            models.PositiveIntegerField(help_text="Lowest first", unique=True),
                        ),
                        ("name", models.CharField(max_length=100)),
                        ("genre", models.CharField(blank=True, max_length=60)),
                        ("original_locale", models.CharField(blank=True, max_length=20)),
                        (
                            "provenance_kind",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("human", "Made by people"),
                                    ("ai_assisted", "Made with AI"),
                                    ("ai_native", "Made by AI"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("minimum_episodes", models.PositiveIntegerField(blank=True, null=True)),
                        ("maximum_episodes", models.PositiveIntegerField(blank=True, null=True)),
                        ("is_active", models.BooleanField(default=True)),
                        ("created_at", models.DateTimeField(editable=False)),
                        (
                            "plan",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="rules",
                                to="payments.priceplan",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["position"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("genre", ""),
                                    ("maximum_episodes", None),
                                    ("minimum_episodes", None),
                                    ("original_locale", ""),
                                    ("provenance_kind", ""),
                                    _negated=True,
                                ),
                                name="payments_planrule_narrows",
                                violation_error_message="This rule fits every title. Say at least one thing about the titles it is for; the default plan prices all others.",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("minimum_episodes", None),
                                    ("maximum_episodes", None),
                                    ("minimum_episodes__lte", models.F("maximum_episodes")),
                                    _connector="OR",
                                ),
                                name="payments_planrule_length",
                                violation_error_message="The least number of episodes is above the greatest.",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PriceException",
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
                            "reason",
                            models.CharField(
                                choices=[
                                    ("no_rule", "No rule fits it; the default plan prices it"),
                                    (
                                        "no_version",
                                        "Its plan has no price yet; the default plan prices it",
                                    ),
                                    (
                                        "far_off",
                                        "It costs far more or far less than titles usually do",
                                    ),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("found_at", models.DateTimeField(editable=False)),
                        ("settled_at", models.DateTimeField(editable=False, null=True)),
                        (
                            "series",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="price_exceptions",
                                to="catalog.series",
                            ),
                        ),
                        (
                            "settled_by",
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
                        "ordering": ["-found_at", "-id"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("settled_at", None)),
                                fields=("series", "reason"),
                                name="payments_priceexception_one_open",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PriceStep",
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
                        ("number", models.PositiveIntegerField()),
                        ("price_coins", models.PositiveIntegerField()),
                        (
                            "version",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="steps",
                                to="payments.priceversion",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["number"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("version", "number"), name="payments_pricestep_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("number__gt", 1),
                                    ("number__lte", 10000),
                                    ("price_coins__gt", 0),
                                    ("price_coins__lte", 1000000),
                                ),
                                name="payments_pricestep_sane",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PriceVariant",
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
                        ("position", models.PositiveIntegerField()),
                        (
                            "regions",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=2), default=list, size=None
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
                                default=list,
                                size=None,
                            ),
                        ),
                        (
                            "adjustment",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="variant",
                                to="payments.priceadjustment",
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="variants",
                                to="payments.priceversion",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["position"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("version", "position"), name="payments_pricevariant_place"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("platforms", []), ("regions", []), _negated=True
                                ),
                                name="payments_pricevariant_narrows",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Promotion",
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
                        ("starts_at", models.DateTimeField()),
                        ("ends_at", models.DateTimeField()),
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
                        (
                            "stopped_at",
                            models.DateTimeField(
                                editable=False, help_text="Before its end", null=True
                            ),
                        ),
                        ("created_at", models.DateTimeField(editable=False)),
                        (
                            "adjustment",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="promotion",
                                to="payments.priceadjustment",
                            ),
                        ),
                        (
                            "change",
                            models.ForeignKey(
                                editable=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="promotions",
                                to="payments.pricechange",
                            ),
                        ),
                        (
                            "created_by",
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
                        "ordering": ["-starts_at"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                                name="payments_promotion_period",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PromotedSeries",
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
                            "series",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="promoted",
                                to="catalog.series",
                            ),
                        ),
                        (
                            "promotion",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="promoted",
                                to="payments.promotion",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("promotion", "series"), name="payments_promotedseries_once"
                            )
                        ]
                    },
                ),
            ]
        ),
        Together(
            [
                migrations.AlterModelOptions(
                    name="planassignment",
                    options={"ordering": ["-effective_from", "-id"]},
                ),
                migrations.RemoveConstraint(
                    model_name="priceversion",
                    name="payments_priceversion_one_per_moment",
                ),
                migrations.AddField(
                    model_name="planassignment",
                    name="cancelled_at",
                    field=models.DateTimeField(editable=False, null=True),
                ),
                migrations.AddField(
                    model_name="planassignment",
                    name="created_at",
                    field=models.DateTimeField(default=SINCE, editable=False),
                    preserve_default=False,
                ),
                migrations.AddField(
                    model_name="planassignment",
                    name="created_by",
                    field=models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AddField(
                    model_name="planassignment",
                    name="effective_from",
                    field=models.DateTimeField(default=SINCE),
                    preserve_default=False,
                ),
            ]
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(DATE_ASSIGNMENTS)],
            state_operations=[
                migrations.AlterField(
                    model_name="planassignment",
                    name="series",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="plan_assignments",
                        to="catalog.series",
                    ),
                ),
                migrations.AddField(
                    model_name="planassignment",
                    name="id",
                    field=models.UUIDField(
                        default=config.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
        ),
        Together(
            [
                migrations.AddField(
                    model_name="planassignment",
                    name="source",
                    field=models.CharField(
                        choices=[
                            ("operator", "An operator"),
                            ("rule", "A rule, when the series was published"),
                        ],
                        default="operator",
                        max_length=10,
                    ),
                ),
                migrations.AddField(
                    model_name="priceplan",
                    name="own_series",
                    field=models.OneToOneField(
                        editable=False,
                        help_text="The one title that has these prices, from a price table",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="own_plan",
                        to="catalog.series",
                    ),
                ),
                migrations.AddField(
                    model_name="priceversion",
                    name="cancelled_at",
                    field=models.DateTimeField(editable=False, null=True),
                ),
                migrations.AddField(
                    model_name="unlock",
                    name="adjustments",
                    field=django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(),
                        default=list,
                        help_text="What adjusted the version's price, in order",
                        size=None,
                    ),
                ),
                migrations.RunSQL(UNADJUSTED),
                migrations.AddField(
                    model_name="planassignment",
                    name="rule",
                    field=models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payments.planrule",
                    ),
                ),
                migrations.AddField(
                    model_name="planassignment",
                    name="change",
                    field=models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="assignments",
                        to="payments.pricechange",
                    ),
                ),
                migrations.AddField(
                    model_name="planassignment",
                    name="instead_of",
                    field=models.ForeignKey(
                        editable=False,
                        help_text="The change that was rolled back, where this repeats what stood before it",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payments.pricechange",
                    ),
                ),
                migrations.AddField(
                    model_name="priceversion",
                    name="change",
                    field=models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="payments.pricechange",
                    ),
                ),
                migrations.AddField(
                    model_name="priceversion",
                    name="instead_of",
                    field=models.ForeignKey(
                        editable=False,
                        help_text="The change that was rolled back, where this repeats what stood before it",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payments.pricechange",
                    ),
                ),
                migrations.AddIndex(
                    model_name="planassignment",
                    index=models.Index(
                        condition=models.Q(("cancelled_at", None)),
                        fields=["series", "-effective_from", "-id"],
                        name="assignment_of_series",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="planassignment",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            ("cancelled_at", None),
                            ("cancelled_at__lt", models.F("effective_from")),
                            _connector="OR",
                        ),
                        name="payments_planassignment_cancelled_before",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="priceversion",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("cancelled_at", None)),
                        fields=("plan", "effective_from"),
                        name="payments_priceversion_one_per_moment",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="priceversion",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            ("cancelled_at", None),
                            ("cancelled_at__lt", models.F("effective_from")),
                            _connector="OR",
                        ),
                        name="payments_priceversion_cancelled_before",
                    ),
                ),
            ]
        ),
    ]
