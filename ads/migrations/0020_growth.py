"""Tasks, check-ins, verified watching, referrals, and what limits them."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import config.ids
from config.schema_operations import Together


class Migration(migrations.Migration):
    dependencies = [
        ("ads", "0011_settle_revenue"),
        ("payments", "0023_what_stores_leave_open"),
        ("viewers", "0005_what_stores_may_hear"),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="LimitCount",
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
                        ("name", models.CharField(max_length=30)),
                        ("subject", models.CharField(max_length=64)),
                        ("since", models.DateField(db_index=True)),
                        ("count", models.PositiveIntegerField(default=0)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("environment", "name", "subject", "since"),
                                name="ads_limitcount_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TaskCampaign",
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
                        ("name", models.CharField(max_length=100, unique=True)),
                        (
                            "budget_coins",
                            models.BigIntegerField(
                                help_text="What all of its tasks may give together",
                                validators=[
                                    django.core.validators.MinValueValidator(1),
                                    django.core.validators.MaxValueValidator(10000000000),
                                ],
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
                            "regions",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(max_length=2),
                                blank=True,
                                default=list,
                                help_text="ISO 3166-1 alpha-2, comma separated. Empty: everywhere",
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
                                help_text="Empty: all",
                                size=None,
                            ),
                        ),
                        (
                            "new_viewer_days",
                            models.PositiveIntegerField(
                                blank=True,
                                help_text="Only so many days after they came. Empty: everybody",
                                null=True,
                            ),
                        ),
                        ("spent_coins", models.BigIntegerField(default=0, editable=False)),
                        ("sandbox_spent_coins", models.BigIntegerField(default=0, editable=False)),
                        ("created_at", models.DateTimeField(editable=False)),
                    ],
                    options={
                        "ordering": ["-id"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("budget_coins__gte", 1),
                                    ("budget_coins__lte", 10000000000),
                                    ("sandbox_spent_coins__gte", 0),
                                    ("sandbox_spent_coins__lte", models.F("budget_coins")),
                                    ("spent_coins__gte", 0),
                                    ("spent_coins__lte", models.F("budget_coins")),
                                ),
                                name="ads_taskcampaign_within_budget",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("ends_at", None),
                                    ("ends_at__gt", models.F("starts_at")),
                                    _connector="OR",
                                ),
                                name="ads_taskcampaign_period",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Task",
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
                        ("code", models.SlugField(help_text="What apps call it", unique=True)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    (
                                        "check_in",
                                        "Coming back: one check-in for each of the viewer's own days",
                                    ),
                                    ("watch", "Seconds watched"),
                                    ("ads", "Ads watched"),
                                    ("unlocks", "Episodes unlocked by coins"),
                                    ("identity", "Signed in with an identity"),
                                    ("notifications", "Notifications switched on, as the app says"),
                                    (
                                        "sign_up",
                                        "New here, and real: seconds watched, or an identity",
                                    ),
                                ],
                                max_length=20,
                            ),
                        ),
                        (
                            "period",
                            models.CharField(
                                choices=[
                                    ("once", "Once"),
                                    ("daily", "Daily"),
                                    ("weekly", "Weekly"),
                                    ("monthly", "Monthly"),
                                ],
                                max_length=10,
                            ),
                        ),
                        (
                            "target_count",
                            models.PositiveIntegerField(
                                default=1,
                                help_text="How many; seconds, where watching counts",
                                validators=[
                                    django.core.validators.MinValueValidator(1),
                                    django.core.validators.MaxValueValidator(10000000),
                                ],
                            ),
                        ),
                        (
                            "bonus_coins",
                            models.PositiveIntegerField(
                                default=0,
                                help_text="Bonus coins; 0 for a check-in, whose days say what they give",
                            ),
                        ),
                        (
                            "coins_expire_after_days",
                            models.PositiveIntegerField(
                                blank=True,
                                help_text="Empty: the coins never lapse",
                                null=True,
                                validators=[
                                    django.core.validators.MinValueValidator(1),
                                    django.core.validators.MaxValueValidator(3660),
                                ],
                            ),
                        ),
                        (
                            "is_automatic",
                            models.BooleanField(
                                default=False,
                                help_text="Given as soon as enough was watched, without a claim",
                            ),
                        ),
                        ("original_locale", models.CharField(default="en", max_length=20)),
                        (
                            "position",
                            models.PositiveIntegerField(
                                default=0, help_text="Smaller ones come first"
                            ),
                        ),
                        ("starts_at", models.DateTimeField()),
                        (
                            "ends_at",
                            models.DateTimeField(
                                blank=True, help_text="Empty: until further notice", null=True
                            ),
                        ),
                        ("is_active", models.BooleanField(default=True)),
                        ("created_at", models.DateTimeField(editable=False)),
                        (
                            "campaign",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="tasks",
                                to="ads.taskcampaign",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["position", "code"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    (
                                        "kind__in",
                                        [
                                            "check_in",
                                            "watch",
                                            "ads",
                                            "unlocks",
                                            "identity",
                                            "notifications",
                                            "sign_up",
                                        ],
                                    ),
                                    ("period__in", ["once", "daily", "weekly", "monthly"]),
                                ),
                                name="ads_task_known",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("bonus_coins__lte", 100000),
                                    ("target_count__gte", 1),
                                    ("target_count__lte", 10000000),
                                    models.Q(
                                        ("coins_expire_after_days", None),
                                        models.Q(
                                            ("coins_expire_after_days__gte", 1),
                                            ("coins_expire_after_days__lte", 3660),
                                        ),
                                        _connector="OR",
                                    ),
                                ),
                                name="ads_task_sane",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("bonus_coins", 0),
                                        ("kind", "check_in"),
                                        ("period", "daily"),
                                    ),
                                    models.Q(
                                        models.Q(("kind", "check_in"), _negated=True),
                                        ("bonus_coins__gt", 0),
                                    ),
                                    _connector="OR",
                                ),
                                name="ads_task_gives",
                                violation_error_message="A check-in is daily and its days say what they give; every other task gives at least one coin.",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("kind__in", ("identity", "notifications", "sign_up")),
                                        _negated=True,
                                    ),
                                    ("period", "once"),
                                    _connector="OR",
                                ),
                                name="ads_task_once_only",
                                violation_error_message="This can be earned once only.",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("is_automatic", False), ("kind", "watch"), _connector="OR"
                                ),
                                name="ads_task_automatic",
                                violation_error_message="Only watching is given without a claim.",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("ends_at", None),
                                    ("ends_at__gt", models.F("starts_at")),
                                    _connector="OR",
                                ),
                                name="ads_task_period",
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(
                                    ("is_active", True), ("kind__in", ("check_in", "sign_up"))
                                ),
                                fields=("kind",),
                                name="ads_task_one_at_a_time",
                                violation_error_message="Another one of this kind is on: switch it off first.",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TaskClaim",
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
                            "period",
                            models.CharField(
                                help_text="2026-03-14, 2026-W11, 2026-03 or once", max_length=10
                            ),
                        ),
                        ("coins", models.BigIntegerField()),
                        ("coins_expire_at", models.DateTimeField(null=True)),
                        ("streak_day", models.PositiveIntegerField(null=True)),
                        ("created_at", models.DateTimeField()),
                        (
                            "campaign",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="claims",
                                to="ads.taskcampaign",
                            ),
                        ),
                        (
                            "task",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="claims",
                                to="ads.task",
                            ),
                        ),
                        (
                            "transfer",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="task_claim",
                                to="payments.transfer",
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
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("viewer", "environment", "task", "period"),
                                name="ads_taskclaim_once",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("coins__gt", 0)), name="ads_taskclaim_gives"
                            ),
                        ],
                        "indexes": [models.Index(fields=["created_at"], name="taskclaim_by_time")],
                    },
                ),
                migrations.CreateModel(
                    name="TaskText",
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
                        ("locale", models.CharField(max_length=20)),
                        ("title", models.CharField(max_length=100)),
                        (
                            "task",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="texts",
                                to="ads.task",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("task", "locale"), name="ads_tasktext_unique"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="WatchDay",
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
                        ("seconds", models.PositiveIntegerField()),
                        ("settled_seconds", models.PositiveIntegerField(default=0)),
                        (
                            "viewer",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to="viewers.viewer",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("viewer", "environment", "day"), name="ads_watchday_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("seconds__gte", 1), ("seconds__lte", 90000)),
                                name="ads_watchday_fits",
                            ),
                        ],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("seconds__gt", models.F("settled_seconds"))),
                                fields=["day"],
                                name="watchday_unsettled",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="CheckInStreak",
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
                        ("zone", models.CharField(help_text="IANA name", max_length=64)),
                        ("zone_set_at", models.DateTimeField(null=True)),
                        ("number", models.PositiveIntegerField(default=0)),
                        ("streak", models.PositiveIntegerField(default=0)),
                        (
                            "last_date",
                            models.DateField(help_text="In the zone of that time", null=True),
                        ),
                        ("last_at", models.DateTimeField(null=True)),
                        ("last_zone", models.CharField(blank=True, max_length=64)),
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
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("viewer", "environment"), name="ads_checkin_of_viewer"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("last_at", None),
                                        ("last_date", None),
                                        ("last_zone", ""),
                                        ("number", 0),
                                        ("streak", 0),
                                    ),
                                    models.Q(
                                        ("last_at__isnull", False),
                                        ("last_date__isnull", False),
                                        ("number__gte", 1),
                                        ("streak__gte", 1),
                                        models.Q(("last_zone", ""), _negated=True),
                                    ),
                                    _connector="OR",
                                ),
                                name="ads_checkin_whole",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Invite",
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
                        ("code", models.CharField(max_length=8, unique=True)),
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
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("viewer", "environment"), name="ads_invite_of_viewer"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("code__regex", "^[A-Z2-9]{8}$")),
                                name="ads_invite_letters",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Referral",
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
                            "state",
                            models.CharField(
                                choices=[
                                    (
                                        "pending",
                                        "Waits until the invited viewer has proven to be one",
                                    ),
                                    ("vested", "Paid"),
                                    ("voided", "Pays nothing"),
                                ],
                                max_length=10,
                            ),
                        ),
                        (
                            "void_reason",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("erased", "One of the two is gone"),
                                    ("refunded", "The invited viewer had money back"),
                                    ("suspect", "One of the two is suspected of fraud"),
                                    ("idle", "The invited viewer did not stay"),
                                    ("limit", "More than is paid for"),
                                    ("operator", "An operator said so"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("bound_at", models.DateTimeField()),
                        ("due_at", models.DateTimeField()),
                        ("closed_at", models.DateTimeField(null=True)),
                        (
                            "invitee",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="viewers.viewer",
                            ),
                        ),
                        (
                            "referrer",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="viewers.viewer",
                            ),
                        ),
                        (
                            "transfer",
                            models.OneToOneField(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="referral",
                                to="payments.transfer",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                fields=["referrer", "environment", "bound_at"],
                                name="referral_of_referrer",
                            ),
                            models.Index(
                                condition=models.Q(("state", "pending")),
                                fields=["due_at"],
                                name="referral_due",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("invitee", "environment"), name="ads_referral_bound_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("invitee", models.F("referrer")), _negated=True
                                ),
                                name="ads_referral_of_another",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("closed_at", None),
                                        ("state", "pending"),
                                        ("transfer", None),
                                        ("void_reason", ""),
                                    ),
                                    models.Q(
                                        ("closed_at__isnull", False),
                                        ("state", "vested"),
                                        ("transfer__isnull", False),
                                        ("void_reason", ""),
                                    ),
                                    models.Q(
                                        ("closed_at__isnull", False),
                                        ("state", "voided"),
                                        ("transfer", None),
                                        (
                                            "void_reason__in",
                                            [
                                                "erased",
                                                "refunded",
                                                "suspect",
                                                "idle",
                                                "limit",
                                                "operator",
                                            ],
                                        ),
                                    ),
                                    _connector="OR",
                                ),
                                name="ads_referral_closed_once",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="CheckInDay",
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
                        ("bonus_coins", models.PositiveIntegerField()),
                        (
                            "task",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="days",
                                to="ads.task",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["number"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("task", "number"), name="ads_checkinday_unique"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("bonus_coins__gte", 1),
                                    ("bonus_coins__lte", 100000),
                                    ("number__gte", 1),
                                    ("number__lte", 366),
                                ),
                                name="ads_checkinday_sane",
                            ),
                        ],
                    },
                ),
            ]
        )
    ]
