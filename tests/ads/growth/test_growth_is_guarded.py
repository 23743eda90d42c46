"""What the database itself refuses of tasks and referrals, and what verification finds."""

from datetime import datetime, timedelta

import pytest
from django.db import Error, IntegrityError, connection, transaction

from ads.growth import referrals
from payments.ledger.verification import rules, violations
from tests.factories.growth import (
    TaskCampaignFactory,
    TaskFactory,
    caller,
    check_in_task,
    claim,
    invite_of,
    newcomer,
    watch,
)
from tests.factories.payments import as_owner

pytestmark = pytest.mark.django_db

DOORS = {
    "ads_open_session",
    "ads_settle_callback",
    "ads_keep_callback",
    "ads_settle_parked",
    "ads_dismiss_parked",
    "ads_take_origins",
    "ads_settle_revenue",
    "ads_record_watching",
    "ads_seconds_in",
    "ads_task_progress",
    "ads_is_proven",
    "ads_claim_task",
    "ads_check_in",
    "ads_set_zone",
    "ads_bind_referral",
    "ads_vest_referral",
    "ads_void_referral",
}
READ_ONLY = ("taskclaim", "checkinstreak", "watchday", "referral", "limitcount")


@pytest.fixture(autouse=True)
def _something_was_earned(now: datetime) -> None:
    """A task of a campaign, two check-ins and a referral."""
    who, guest = caller(), newcomer(now=now)
    for each in (who, guest):
        watch(each.viewer.id, until=now, seconds=1800)
    claim(who, TaskFactory(campaign=TaskCampaignFactory()), now=now)
    calendar = check_in_task()
    for days in (0, 1):
        claim(who, calendar, now=now + timedelta(days=days))
    referrals.bind(guest, code=invite_of(who, now=now), address=None, now=now)
    referrals.vest_due(now=now + timedelta(days=7))


def test_the_application_writes_nothing_that_was_earned() -> None:
    for table in READ_ONLY:
        for statement in ("UPDATE {} SET id = id", "INSERT INTO {} DEFAULT VALUES", "TRUNCATE {}"):
            _refused(statement.format(f"ads_{table}"))
    for table in ("task", "taskcampaign", "taskclaim", "referral", "invite", "watchday"):
        _refused(f"DELETE FROM ads_{table}")
    _refused("UPDATE ads_taskcampaign SET spent_coins = 0")
    _refused("UPDATE ads_watchday SET seconds = 9")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ads_watchday SET settled_seconds = seconds")
        cursor.execute("UPDATE ads_taskcampaign SET budget_coins = budget_coins + 1")


def _refused(statement: str) -> None:
    with (
        pytest.raises(Error, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_the_application_calls_the_doors_and_no_other_function() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE proname LIKE 'ads\\_%%'"
            " AND has_function_privilege(current_user, oid, 'execute')",
            [],
        )
        assert {name for (name,) in cursor.fetchall()} == DOORS
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE proname LIKE 'ads\\_%%' AND prosecdef"
            " AND NOT 'search_path=public, pg_temp' = ANY(coalesce(proconfig, '{}'))",
            [],
        )
        assert cursor.fetchall() == []


@pytest.mark.parametrize(
    ("damage", "constraint"),
    [
        ("UPDATE ads_taskclaim SET period = '2026-03-14'", "ads_taskclaim_once"),
        ("UPDATE ads_taskcampaign SET spent_coins = budget_coins + 1", "within_budget"),
        ("UPDATE ads_watchday SET seconds = seconds + 1", "counts_what_it_covers"),
        ("UPDATE ads_referral SET transfer_id = NULL", "ads_referral_closed_once"),
        ("UPDATE ads_referral SET invitee_id = referrer_id", "ads_referral_of_another"),
        ("UPDATE ads_task SET bonus_coins = 0 WHERE kind = 'watch'", "ads_task_gives"),
        ("UPDATE ads_checkinstreak SET last_zone = ''", "ads_checkin_whole"),
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
            "UPDATE ads_taskclaim SET coins = coins + 1",
            "a claim and a vested referral have their reward, of the same coins and environment",
        ),
        (
            "UPDATE ads_referral SET transfer_id = (SELECT transfer_id FROM ads_taskclaim LIMIT 1)",
            "a claim and a vested referral have their reward, of the same coins and environment",
        ),
        (
            "DELETE FROM ads_taskclaim WHERE streak_day = 2",
            "a task's or a referral's reward has its row",
        ),
        (
            "UPDATE ads_taskcampaign SET spent_coins = 1",
            "a campaign has spent what its claims gave",
        ),
        (
            "UPDATE ads_taskclaim SET created_at = created_at - interval '9 days' WHERE streak_day = 2",
            "check-ins are for dates that follow each other",
        ),
    ],
)
def test_verification_names_the_rule_that_damage_breaks(damage: str, rule: str) -> None:
    assert rule in rules()
    assert list(violations()) == []
    with transaction.atomic():
        savepoint = transaction.savepoint()
        with as_owner() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
            cursor.execute(damage)
        found = {violation.rule for violation in violations()}
        transaction.savepoint_rollback(savepoint)

    assert rule in found
