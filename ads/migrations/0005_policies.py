"""What ads are watched for, how many it takes, who sees them and for which titles; callbacks that are parked.

The release before goes on while this one is rolled out: what it does not know has defaults here.
"""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import config.ids
from config.schema_operations import RunStatements, Together

PROTECT = django.db.models.deletion.PROTECT
NETWORKS = ["admob", "applovin", "levelplay", "unity", "pangle", "wechat", "douyin", "fake"]
VERDICTS = [
    ("paid", "The ad counts"),
    ("late", "The ad counts, although the session had expired"),
    ("replayed", "Came before; nothing was done again"),
    ("probe", "The network's console tried our address"),
    ("orphan", "Names no session of ours"),
    ("other_placement", "Of another network or ad unit than the session's"),
    ("other_viewer", "Names another viewer than the session's"),
    ("session_used", "The session was settled before"),
    ("expired", "Came too long after the session had expired"),
    ("already_open", "The viewer had the episode by then"),
    ("over_cap", "The day's cap was reached"),
    ("refused", "The signature or the shape is wrong"),
]


def ids():
    return models.UUIDField(
        default=config.ids.uuid7, editable=False, primary_key=True, serialize=False
    )


def terms():
    """The fields of whatever has terms, by name."""
    return {
        "reward": models.CharField(
            choices=[
                ("episodes", "Episodes, opened for good"),
                ("minutes", "The whole title, open for some minutes"),
                ("coins", "Bonus coins"),
            ],
            db_default="episodes",
            default="episodes",
            max_length=20,
        ),
        "reward_amount": models.PositiveIntegerField(
            db_default=1,
            default=1,
            help_text="Up to 10 episodes: the one that the ad is watched for and the next locked ones."
            " Up to 10,080 minutes, or 10,000 coins.",
            validators=[django.core.validators.MinValueValidator(1)],
            verbose_name="How many",
        ),
        "coins_expire_after_days": models.PositiveIntegerField(
            blank=True,
            help_text="Of coins: how long they can be spent. Empty: for good",
            null=True,
            validators=[
                django.core.validators.MinValueValidator(1),
                django.core.validators.MaxValueValidator(366),
            ],
        ),
        "ads_needed": models.PositiveSmallIntegerField(
            db_default=1,
            default=1,
            help_text="How many ads are watched for it. The last one opens or pays.",
            validators=[
                django.core.validators.MinValueValidator(1),
                django.core.validators.MaxValueValidator(10),
            ],
        ),
    }


def terms_are_sane():
    kept = ("coins_expire_after_days__isnull", True)
    lapsing = models.Q(("coins_expire_after_days__gte", 1), ("coins_expire_after_days__lte", 366))
    return models.Q(
        models.Q(
            models.Q(
                ("reward", "coins"),
                ("reward_amount__lte", 10000),
                models.Q(kept, lapsing, _connector="OR"),
            ),
            models.Q(kept, ("reward", "episodes"), ("reward_amount__lte", 10)),
            models.Q(kept, ("reward", "minutes"), ("reward_amount__lte", 10080)),
            _connector="OR",
        ),
        ("ads_needed__gte", 1),
        ("ads_needed__lte", 10),
        ("reward_amount__gte", 1),
    )


def reference(to, **more):
    return models.ForeignKey(to=to, on_delete=PROTECT, related_name="+", db_index=False, **more)


def rename_reward(schema_editor):
    """One episode was all that there was."""
    schema_editor.execute("UPDATE ads_placement SET reward = 'episodes' WHERE reward = 'episode'")


class Migration(migrations.Migration):
    dependencies = [
        ("ads", "0004_one_cap_for_claims"),
        ("catalog", "0004_access_modes"),
        ("payments", "0024_titles_that_ads_alone_open"),
        ("viewers", "0005_what_stores_may_hear"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        Together(
            [
                migrations.RemoveConstraint(model_name="placement", name="ads_placement_known"),
                migrations.AlterField("placement", "reward", terms()["reward"]),
                *(
                    migrations.AddField("placement", name, field)
                    for name, field in terms().items()
                    if name != "reward"
                ),
                *(migrations.AddField("adsession", name, field) for name, field in terms().items()),
                migrations.AddField(
                    "placement",
                    "audience",
                    models.CharField(
                        choices=[
                            ("not_covered", "All whom no subscription or pass covers"),
                            ("never_paid", "Only those who have never paid"),
                            ("everyone", "Everybody, subscribers too"),
                        ],
                        db_default="not_covered",
                        default="not_covered",
                        max_length=20,
                    ),
                ),
                migrations.AddField(
                    "placement",
                    "titles",
                    models.CharField(
                        choices=[
                            ("all", "All titles"),
                            ("listed", "Only the titles listed"),
                            ("all_but_listed", "All but the titles listed"),
                        ],
                        db_default="all",
                        default="all",
                        max_length=20,
                    ),
                ),
                migrations.AddField(
                    "placement",
                    "listed",
                    models.ManyToManyField(blank=True, related_name="+", to="catalog.series"),
                ),
                migrations.AddField(
                    "adsession",
                    "free_numbers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveIntegerField(),
                        db_default=[],
                        default=list,
                        size=None,
                    ),
                ),
                migrations.AlterField(
                    "adsession", "series", reference("catalog.series", null=True)
                ),
                migrations.AlterField(
                    "adsession", "episode", reference("catalog.episode", null=True)
                ),
                migrations.AlterField(
                    "callback", "verdict", models.CharField(choices=VERDICTS, max_length=20)
                ),
                migrations.AddField(
                    "callback",
                    "is_parked",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="Paid nothing, and waits for an operator",
                    ),
                ),
                migrations.AddIndex(
                    "callback",
                    models.Index(
                        condition=models.Q(("is_parked", True)),
                        fields=["received_at"],
                        name="callback_parked",
                    ),
                ),
                migrations.AddField(
                    "reward", "place", models.PositiveSmallIntegerField(db_default=1, default=1)
                ),
                migrations.AlterField(
                    "reward",
                    "session",
                    models.OneToOneField(
                        on_delete=PROTECT, related_name="earned", to="ads.adsession"
                    ),
                ),
                migrations.AlterField(
                    "reward",
                    "series",
                    reference(
                        "catalog.series",
                        null=True,
                        help_text="The title that the ad was watched for; none where it was for coins",
                    ),
                ),
                migrations.AlterField("reward", "episode", reference("catalog.episode", null=True)),
                migrations.AlterField(
                    "reward",
                    "entitlement",
                    models.OneToOneField(
                        help_text="To that episode, where this ad opened it",
                        null=True,
                        on_delete=PROTECT,
                        related_name="+",
                        to="payments.entitlement",
                    ),
                ),
                RunStatements(rename_reward),
                migrations.AddConstraint(
                    "placement",
                    models.CheckConstraint(
                        condition=models.Q(
                            ("audience__in", ["not_covered", "never_paid", "everyone"]),
                            ("network__in", NETWORKS),
                            ("titles__in", ["all", "listed", "all_but_listed"]),
                        ),
                        name="ads_placement_known",
                    ),
                ),
                migrations.AddConstraint(
                    "placement",
                    models.CheckConstraint(
                        condition=terms_are_sane(),
                        name="ads_placement_terms",
                        violation_error_message="No ad may be watched for so much, or only coins"
                        " expire.",
                    ),
                ),
                migrations.AddConstraint(
                    "placement",
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reward", "coins"), _negated=True),
                            ("titles", "all"),
                            _connector="OR",
                        ),
                        name="ads_placement_coins_of_no_title",
                        violation_error_message="Coins are spent on any title: their ads are of"
                        " none.",
                    ),
                ),
                migrations.CreateModel(
                    name="Goal",
                    fields=[
                        *terms().items(),
                        ("id", ids()),
                        (
                            "environment",
                            models.CharField(
                                choices=[("production", "Production"), ("sandbox", "Sandbox")],
                                max_length=10,
                            ),
                        ),
                        ("ads_watched", models.PositiveSmallIntegerField()),
                        (
                            "begun_at",
                            models.DateTimeField(help_text="When its first ad was watched"),
                        ),
                        ("granted_at", models.DateTimeField(null=True)),
                        (
                            "access_ends_at",
                            models.DateTimeField(help_text="When timed access ends", null=True),
                        ),
                        ("placement", reference("ads.placement")),
                        ("series", reference("catalog.series", null=True)),
                        (
                            "transfer",
                            models.OneToOneField(
                                help_text="That gave the coins",
                                null=True,
                                on_delete=PROTECT,
                                related_name="+",
                                to="payments.transfer",
                            ),
                        ),
                        ("viewer", reference("viewers.viewer")),
                    ],
                    options={
                        "indexes": [models.Index(fields=["viewer", "-id"], name="goal_of_viewer")],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(
                                    ("granted_at__isnull", True), ("series__isnull", False)
                                ),
                                fields=("viewer", "environment", "placement", "reward", "series"),
                                name="ads_goal_one_open",
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(
                                    ("granted_at__isnull", True), ("series__isnull", True)
                                ),
                                fields=("viewer", "environment", "placement", "reward"),
                                name="ads_goal_one_open_for_coins",
                            ),
                            models.CheckConstraint(
                                condition=terms_are_sane(), name="ads_goal_terms"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("reward", "coins"), ("series__isnull", True)),
                                    models.Q(
                                        models.Q(("reward", "coins"), _negated=True),
                                        ("series__isnull", False),
                                    ),
                                    _connector="OR",
                                ),
                                name="ads_goal_target",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("ads_watched__lt", models.F("ads_needed")),
                                        ("granted_at__isnull", True),
                                    ),
                                    models.Q(
                                        ("ads_watched", models.F("ads_needed")),
                                        ("granted_at__isnull", False),
                                    ),
                                    _connector="OR",
                                ),
                                name="ads_goal_granted_by_the_last",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("transfer__isnull", True),
                                    models.Q(("granted_at__isnull", False), ("reward", "coins")),
                                    _connector="OR",
                                ),
                                name="ads_goal_gives_coins",
                            ),
                        ],
                    },
                ),
                migrations.AddField(
                    "reward",
                    "goal",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=PROTECT,
                        related_name="rewards",
                        to="ads.goal",
                    ),
                ),
                migrations.CreateModel(
                    name="Opening",
                    fields=[
                        ("id", ids()),
                        (
                            "entitlement",
                            models.OneToOneField(
                                on_delete=PROTECT, related_name="+", to="payments.entitlement"
                            ),
                        ),
                        (
                            "reward",
                            models.ForeignKey(
                                on_delete=PROTECT, related_name="openings", to="ads.reward"
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="ParkedCallback",
                    fields=[],
                    options={"proxy": True, "indexes": [], "constraints": []},
                    bases=("ads.callback",),
                ),
                migrations.CreateModel(
                    name="Resolution",
                    fields=[
                        ("id", ids()),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("settled", "Paid after all"),
                                    ("dismissed", "Not to be paid"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("reason", models.CharField(max_length=500)),
                        ("resolved_at", models.DateTimeField()),
                        (
                            "callback",
                            models.OneToOneField(
                                on_delete=PROTECT, related_name="resolution", to="ads.callback"
                            ),
                        ),
                        (
                            "resolved_by",
                            models.ForeignKey(
                                on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                            ),
                        ),
                        (
                            "reward",
                            models.OneToOneField(
                                null=True,
                                on_delete=PROTECT,
                                related_name="resolution",
                                to="ads.reward",
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("kind", "settled"), ("reward__isnull", False)),
                                    models.Q(("kind", "dismissed"), ("reward__isnull", True)),
                                    _connector="OR",
                                ),
                                name="ads_resolution_pays",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("reason", ""), _negated=True),
                                name="ads_resolution_says_why",
                            ),
                        ]
                    },
                ),
            ]
        ),
    ]
