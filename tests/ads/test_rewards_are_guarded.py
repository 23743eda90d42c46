"""What the database itself refuses of rewarded ads, and what verification finds."""

from datetime import datetime

import pytest
from django.db import Error, IntegrityError, connection, transaction

from ads.models import AdSession, Placement, Reward
from catalog.models import Series
from payments.ledger.verification import rules, violations
from tests.factories.ads import ad_session, watch
from tests.factories.payments import as_owner
from tests.payments.calls import episode
from viewers.models import Device

UNGUARDED = "ALTER TABLE ads_reward DROP CONSTRAINT ads_reward_within_cap"
READ_ONLY = ("adsession", "reward", "callback", "goal", "opening", "resolution")


@pytest.fixture(autouse=True)
def reward(placement: Placement, series: Series, device: Device, now: datetime) -> Reward:
    """Two watched ads of one day, and an open session."""
    for number in (9, 10, 11):
        session = ad_session(
            placement, viewer_id=device.viewer_id, episode_id=episode(series, number), now=now
        )
        if number < 11:
            watch(session, now=now)
    return Reward.objects.order_by("number")[0]


def test_the_application_cannot_write_what_ads_earned() -> None:
    for table in READ_ONLY:
        for statement in (
            "UPDATE {} SET id = id",
            "INSERT INTO {} DEFAULT VALUES",
            "DELETE FROM {}",
        ):
            _refused(statement.format(f"ads_{table}"))
    for statement in ("UPDATE {} SET id = id", "INSERT INTO {} DEFAULT VALUES"):
        _refused(statement.format("ads_adorigin"))
    _refused("DELETE FROM ads_placement")


def _refused(statement: str) -> None:
    with (
        pytest.raises(Error, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.parametrize(
    "function",
    [
        "ads_reward_session",
        "ads_terms_of_next",
        "ads_taken_of_cap",
        "ads_resume_session",
        "ads_count_towards_goal",
        "ads_grant",
        "ads_repeat_callback",
        "payments_open_episode",
        "payments_lock_wallet",
        "payments_live_entitlement",
    ],
)
def test_the_application_cannot_call_the_inner_functions(function: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT oid::regprocedure::text FROM pg_proc WHERE proname = %s", [function])
        (signature,) = cursor.fetchone()
        cursor.execute("SELECT has_function_privilege(current_user, %s, 'execute')", [signature])
        assert cursor.fetchone() == (False,)


@pytest.mark.parametrize(
    "function",
    [
        "ads_open_session",
        "ads_settle_callback",
        "ads_keep_callback",
        "ads_settle_parked",
        "ads_dismiss_parked",
        "ads_take_origins",
    ],
)
def test_the_functions_it_may_call_have_a_path_of_their_own(function: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosecdef, proconfig FROM pg_proc WHERE proname = %s", [function])
        assert {(definer, *path) for definer, path in cursor.fetchall()} == {
            (True, "search_path=public, pg_temp")
        }


@pytest.mark.parametrize(
    ("damage", "constraint"),
    [
        ("UPDATE ads_reward SET number = 11 WHERE number = 2", "ads_reward_within_cap"),
        ("UPDATE ads_reward SET number = 0 WHERE number = 2", "ads_reward_within_cap"),
        ("UPDATE ads_reward SET number = 1", "ads_reward_numbered"),
        ("UPDATE ads_reward SET transaction_id = 'same'", "ads_reward_pays_once"),
        ("UPDATE ads_reward SET revenue_micros = -1", "ads_reward_within_cap"),
        ("UPDATE ads_adsession SET refusal = 'over_cap'", "ads_adsession_closed_once"),
        ("UPDATE ads_adsession SET closed_at = NULL", "ads_adsession_closed_once"),
        ("UPDATE ads_placement SET daily_cap = 0", "ads_placement_sane"),
    ],
)
def test_not_even_the_owner_can_write_what_must_never_be(damage: str, constraint: str) -> None:
    with (
        pytest.raises(IntegrityError, match=constraint),
        transaction.atomic(),
        as_owner() as cursor,
    ):
        cursor.execute(damage)


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (
            "UPDATE payments_entitlement SET source = 'coins'",
            "a reward has its entitlement by ad, for the same viewer, episode and environment",
        ),
        (
            "UPDATE ads_reward SET environment = 'sandbox'",
            "a reward has its entitlement by ad, for the same viewer, episode and environment",
        ),
        (
            "UPDATE ads_reward SET episode_id = (SELECT id FROM catalog_episode WHERE number = 1)",
            "a reward has its entitlement by ad, for the same viewer, episode and environment",
        ),
        ("DELETE FROM ads_reward WHERE number = 2", "an entitlement by ad has exactly one reward"),
        (
            f"{UNGUARDED}; UPDATE ads_reward SET daily_cap = 1",
            "no viewer is over a placement's cap on any day",
        ),
        (
            "UPDATE ads_reward SET number = 5 WHERE number = 2",
            "no viewer is over a placement's cap on any day",
        ),
        (
            "UPDATE ads_reward SET day = day + 2",
            "a reward's day is the day of its moment, in some time zone",
        ),
        (
            "UPDATE ads_adsession SET rewarded_at = NULL, closed_at = NULL",
            "a reward is its session's, and a rewarded session has its reward",
        ),
        (
            "UPDATE ads_adsession SET rewarded_at = opened_at, closed_at = opened_at",
            "a reward is its session's, and a rewarded session has its reward",
        ),
        (
            "UPDATE ads_reward SET place = 2",
            "a goal counts its ads, each of its own viewer, placement and title",
        ),
        (
            "DELETE FROM ads_opening",
            "a goal opened what it promised, by its last ad alone, and nothing before",
        ),
        (
            "UPDATE ads_callback SET is_parked = true",
            "only what paid nothing is parked, and nothing that somebody has ended",
        ),
        (
            "UPDATE ads_callback SET verdict = 'orphan'",
            "a callback that paid has its reward, and a reward its callback",
        ),
    ],
)
def test_verification_names_the_rule_that_damage_breaks(damage: str, rule: str) -> None:
    assert rule in rules()
    with transaction.atomic():
        savepoint = transaction.savepoint()
        with as_owner() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
            cursor.execute(damage)
        found = {violation.rule for violation in violations()}
        transaction.savepoint_rollback(savepoint)

    assert rule in found


def test_the_ledgers_own_rules_are_still_held(reward: Reward) -> None:
    assert "a transfer's entries sum to zero" in rules()
    assert AdSession.objects.count() == 3
    assert list(violations()) == []
