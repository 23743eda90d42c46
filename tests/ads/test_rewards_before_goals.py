"""Rewards from before there were goals: the migration gives each the goal that it was."""

import importlib
from datetime import datetime

from django.db import connection

from ads.models import Goal, Opening, Placement, Reward
from catalog.models import Series
from tests.ads.calls import watch_one
from tests.factories.payments import as_owner
from viewers.models import Device

MIGRATION = importlib.import_module("ads.migrations.0007_rewards_have_goals")
AS_IT_WAS = """
    SET CONSTRAINTS ALL IMMEDIATE;
    ALTER TABLE ads_reward ALTER COLUMN goal_id DROP NOT NULL;
    UPDATE ads_reward SET goal_id = NULL;
    DELETE FROM ads_opening;
    DELETE FROM ads_goal;
"""


def test_each_was_a_goal_of_one_ad_that_has_opened_one_episode(
    placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    for number in (9, 10):
        watch_one(placement, device, series, number, now)
    with as_owner() as cursor:
        cursor.execute(AS_IT_WAS)
        for _ in range(2):  # once more changes nothing
            MIGRATION.give_goals(connection.schema_editor(atomic=False))

    assert set(Goal.objects.values_list("reward", "reward_amount", "ads_needed", "granted_at")) == {
        ("episodes", 1, 1, now)
    }
    opened = Opening.objects.values_list("reward__goal", "entitlement")
    assert set(opened) == set(Reward.objects.values_list("goal", "entitlement"))
    assert len(opened) == 2  # and every rule of rewards holds: see the fixture
