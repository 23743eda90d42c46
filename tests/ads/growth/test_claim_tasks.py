"""A task gives its coins once in each of its periods, when enough of it is on record."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from ads.growth import automatic, claims, offered
from ads.growth.offered import Caller
from ads.models import Task, TaskClaim, TaskKind, TaskPeriod, WatchDay
from payments.ledger import wallets
from payments.models import Lot, Transfer
from tests import ledger_rules
from tests.factories.growth import (
    TaskCampaignFactory,
    TaskFactory,
    TaskTextFactory,
    caller,
    claim,
    watch,
)
from tests.factories.viewers import viewer_headers
from viewers.models import Identity

pytestmark = pytest.mark.django_db


@pytest.fixture
def who() -> Caller:
    return caller()


def coins(who: Caller, at: datetime) -> int:
    return wallets.balance(viewer_id=who.viewer.id, environment=who.environment, at=at).bonus_coins


def test_pays_once_a_day_and_answers_again_as_before(who: Caller, now: datetime) -> None:
    task = TaskFactory()
    watch(who.viewer.id, until=now, seconds=299)
    with pytest.raises(claims.TaskNotReached):
        claim(who, task, now=now)
    assert not Transfer.objects.exists()

    watch(who.viewer.id, until=now, seconds=300)
    first = claim(who, task, now=now)
    Task.objects.filter(id=task.id).update(bonus_coins=99)
    again = claim(who, task, now=now + timedelta(hours=1))

    assert (first.coins, first.period, first.is_new) == (18, "2026-03-14", True)
    assert again == claims.Claimed(**{**first.__dict__, "is_new": False})
    assert coins(who, now) == 18
    lot = Lot.objects.get()
    assert (lot.origin, lot.expires_at) == ("reward", now + timedelta(days=8))

    tomorrow = now + timedelta(days=1)
    with pytest.raises(claims.TaskNotReached):
        claim(who, task, now=tomorrow)
    assert claim(who, task, period="2026-03-14", now=tomorrow).claim_id == first.claim_id
    with pytest.raises(claims.TaskPeriodOver):
        claim(who, task, period="2026-03-13", now=tomorrow)
    watch(who.viewer.id, until=tomorrow, seconds=300)
    assert claim(who, task, now=tomorrow).coins == 99
    assert ledger_rules.broken() == []


def test_gears_of_a_ladder_count_the_same_seconds(who: Caller, now: datetime) -> None:
    gears = [
        TaskFactory(target_count=60 * m, bonus_coins=c) for m, c in ((2, 12), (5, 18), (10, 30))
    ]
    watch(who.viewer.id, until=now, seconds=310)

    standings = offered.standings(who, offered.tasks(who, now=now), now=now)

    assert [(one.progress_count, one.is_reached) for one in standings] == [
        (310, True),
        (310, True),
        (310, False),
    ]
    assert [claim(who, gear, now=now).coins for gear in gears[:2]] == [12, 18]


def test_what_is_off_or_not_for_the_viewer_is_unknown(who: Caller, now: datetime) -> None:
    watch(who.viewer.id, until=now, seconds=9999)
    hidden = [
        TaskFactory(is_active=False),
        TaskFactory(starts_at=now + timedelta(seconds=1)),
        TaskFactory(ends_at=now),
        TaskFactory(campaign=TaskCampaignFactory(regions=["DE"])),
        TaskFactory(campaign=TaskCampaignFactory(platforms=["web"])),
        TaskFactory(campaign=TaskCampaignFactory(new_viewer_days=3)),
        TaskFactory(campaign=TaskCampaignFactory(ends_at=now)),
    ]
    for task in hidden:
        with pytest.raises(claims.TaskUnknown):
            claim(who, task, now=now)
    assert offered.tasks(who, now=now) == []
    shown = TaskFactory(
        campaign=TaskCampaignFactory(regions=["US"], platforms=["ios"], new_viewer_days=30)
    )
    assert claim(who, shown, now=now).is_new


def test_a_campaign_never_gives_more_than_its_budget(now: datetime) -> None:
    campaign = TaskCampaignFactory(budget_coins=50)
    task, viewers = TaskFactory(campaign=campaign, bonus_coins=20), [caller() for _ in range(3)]
    tester = caller(environment="sandbox")
    for each in (*viewers, tester):
        watch(each.viewer.id, until=now, seconds=300, environment=each.environment)

    claim(viewers[0], task, now=now)
    claim(viewers[1], task, now=now)
    with pytest.raises(claims.TaskBudgetSpent):
        claim(viewers[2], task, now=now)
    claim(tester, task, now=now)

    campaign.refresh_from_db()
    assert (campaign.spent_coins, campaign.sandbox_spent_coins) == (40, 20)
    assert ledger_rules.broken() == []


def test_an_identity_counts_and_notifications_are_the_apps_word(who: Caller, now: datetime) -> None:
    signed_in = TaskFactory(kind=TaskKind.IDENTITY, period=TaskPeriod.ONCE, target_count=1)
    told = TaskFactory(kind=TaskKind.NOTIFICATIONS, period=TaskPeriod.ONCE, target_count=1)
    with pytest.raises(claims.TaskNotReached):
        claim(who, signed_in, now=now)
    Identity.objects.create(
        viewer=who.viewer, provider="apple", issuer_app="app", subject="s", created_at=now
    )
    assert claim(who, signed_in, now=now).is_new
    assert claim(who, told, now=now).is_new
    assert not claim(who, told, now=now + timedelta(days=40)).is_new


def test_automatic_tasks_come_without_a_claim(who: Caller, now: datetime) -> None:
    task: Task = TaskFactory(is_automatic=True)
    TaskFactory(is_automatic=True, target_count=9999)
    TaskFactory(code="by-hand")
    watch(who.viewer.id, until=now, seconds=200)
    assert automatic.settle(now=now) == 1
    assert automatic.settle(now=now) == 0
    watch(who.viewer.id, until=now, seconds=301)
    assert automatic.settle(now=now) == 1

    paid = TaskClaim.objects.get()
    assert (paid.task, paid.viewer) == (task, who.viewer)
    assert not WatchDay.objects.exclude(settled_seconds=301).exists()
    # Of somebody who is gone nothing is due.
    watch(caller(viewer__erased_at=now).viewer.id, until=now, seconds=301)
    assert automatic.settle(now=now) == 1
    assert TaskClaim.objects.count() == 1


def test_the_last_seconds_of_a_day_count_for_it_though_they_are_known_after_midnight(
    who: Caller, now: datetime
) -> None:
    daily, weekly = TaskFactory(is_automatic=True), TaskFactory(period="weekly", is_automatic=True)
    midnight = datetime(2026, 3, 16, tzinfo=UTC)  # a Monday
    later = TaskFactory(is_automatic=True, starts_at=midnight)
    watch(who.viewer.id, until=midnight, seconds=300)

    assert automatic.settle(now=midnight + timedelta(seconds=5)) == 1

    assert set(TaskClaim.objects.values_list("task", "period")) == {
        (daily.id, "2026-03-15"),
        (weekly.id, "2026-W11"),
    }
    watch(who.viewer.id, until=midnight + timedelta(hours=1), seconds=300)
    automatic.settle(now=midnight + timedelta(hours=1))
    assert TaskClaim.objects.filter(task=later).get().period == "2026-03-16"
    assert TaskClaim.objects.count() == 5
    assert ledger_rules.broken() == []


def test_weeks_and_months_are_those_of_the_reporting_zone(who: Caller, settings: Settings) -> None:
    settings.REPORTING_ZONE = ZoneInfo("Asia/Shanghai")
    monday = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)  # Monday's first moment there
    weekly, monthly = TaskFactory(period=TaskPeriod.WEEKLY), TaskFactory(period=TaskPeriod.MONTHLY)
    watch(who.viewer.id, until=monday, seconds=300)

    with pytest.raises(claims.TaskNotReached):
        claim(who, weekly, now=monday)
    assert claim(who, monthly, now=monday).period == "2026-03"
    watch(who.viewer.id, until=monday + timedelta(hours=1), seconds=300)
    assert claim(who, weekly, now=monday + timedelta(hours=1)).period == "2026-W10"


def test_apps_read_tasks_in_the_viewers_language(api: Client, who: Caller, now: datetime) -> None:
    text = TaskTextFactory()
    TaskTextFactory(task=text.task, locale="zh-Hans", title="观看五分钟")
    watch(who.viewer.id, until=now, seconds=301)
    headers = viewer_headers(who.device, now=now)

    told = api.get("/v1/tasks", {"locale": "zh-CN"}, headers=headers).json()
    url = f"/v1/tasks/{text.task.code}/claim"
    first = api.post(url, {"period": None}, "application/json", headers=headers)
    second = api.post(url, {"period": None}, "application/json", headers=headers)

    (shown,) = told["tasks"]
    assert (shown["title"], shown["locale"], shown["state"]) == (
        "观看五分钟",
        "zh-Hans",
        "claimable",
    )
    assert (shown["progress_count"], shown["resets_at"]) == (300, "2026-03-15T00:00:00Z")
    assert (told["watched_today_seconds"], told["check_in"]) == (301, None)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() | {"claimed_now": False} == second.json()
    assert second.json()["balance"]["bonus_coins"] == 18
    (after,) = api.get("/v1/tasks", headers=headers).json()["tasks"]
    assert (after["state"], after["title"]) == ("claimed", "Watch five minutes")

    entry = api.get("/v1/me/wallet/entries", headers=headers).json()["entries"][0]
    assert entry["cause"]["earned"] == {
        "by": "task",
        "what": text.task.code,
        "period": "2026-03-14",
        "row_id": first.json()["claim_id"],
    }
