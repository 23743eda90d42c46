"""Each reward that there is was a goal of one ad, which has opened one episode."""

from django.db import migrations

from config.schema_operations import RunStatements

GOALS = """
    INSERT INTO ads_goal
        (id, viewer_id, environment, placement_id, series_id, ads_watched, begun_at, granted_at)
    SELECT id, viewer_id, environment, placement_id, series_id, 1, created_at, created_at
    FROM ads_reward WHERE goal_id IS NULL
"""
OPENINGS = """
    INSERT INTO ads_opening (id, reward_id, entitlement_id)
    SELECT id, id, entitlement_id FROM ads_reward WHERE goal_id IS NULL
"""
REWARDS = "UPDATE ads_reward SET goal_id = id WHERE goal_id IS NULL"


def give_goals(schema_editor):
    for statement in (GOALS, OPENINGS, REWARDS):
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("ads", "0006_settle_by_terms")]

    operations = [RunStatements(give_goals)]
