"""What the database holds of goals, sessions and rewards from now on."""

import importlib

import django.db.models.deletion
from django.db import migrations, models

from config.schema_operations import Together

terms_are_sane = importlib.import_module("ads.migrations.0005_policies").terms_are_sane


class Migration(migrations.Migration):
    dependencies = [("ads", "0007_rewards_have_goals")]

    operations = [
        Together(
            [
                migrations.AlterField(
                    "reward",
                    "goal",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rewards",
                        to="ads.goal",
                    ),
                ),
                migrations.AddConstraint(
                    "reward",
                    models.UniqueConstraint(fields=("goal", "place"), name="ads_reward_placed"),
                ),
                migrations.AddConstraint(
                    "reward",
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("entitlement__isnull", True),
                                ("episode__isnull", True),
                                ("series__isnull", True),
                            ),
                            models.Q(("episode__isnull", False), ("series__isnull", False)),
                            _connector="OR",
                        ),
                        name="ads_reward_target",
                    ),
                ),
                migrations.AddConstraint(
                    "adsession",
                    models.CheckConstraint(condition=terms_are_sane(), name="ads_adsession_terms"),
                ),
                migrations.AddConstraint(
                    "adsession",
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("reward", "coins"),
                                ("series__isnull", True),
                                ("episode__isnull", True),
                            ),
                            models.Q(
                                models.Q(("reward", "coins"), _negated=True),
                                ("series__isnull", False),
                                ("episode__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="ads_adsession_target",
                    ),
                ),
            ]
        )
    ]
