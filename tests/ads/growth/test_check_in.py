"""A check-in a day, with a streak, kept by the functions of the database."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client

from ads.growth import check_ins, claims
from ads.growth.offered import Caller
from ads.models import CheckInStreak, TaskClaim
from payments.ledger import wallets
from tests import ledger_rules
from tests.factories.growth import caller, check_in_task, claim
from tests.factories.viewers import viewer_headers

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def who() -> Caller:
    return caller()


def move(who: Caller, zone: str, *, now: datetime) -> datetime:
    return check_ins.set_zone(
        viewer_id=who.viewer.id, environment=who.environment, zone=zone, now=now
    )


def test_each_day_of_a_streak_gives_its_own_and_the_first_comes_again(
    who: Caller, now: datetime
) -> None:
    task = check_in_task(10, 20, 70)
    given = [claim(who, task, now=now + place * DAY) for place in range(4)]
    again = claim(who, task, now=now + 3 * DAY + timedelta(minutes=1))
    late = claim(who, task, now=now + 6 * DAY)

    assert [one.coins for one in given] == [10, 20, 70, 10]
    assert [one.streak_day for one in given] == [1, 2, 3, 1]
    assert (again.claim_id, again.is_new) == (given[3].claim_id, False)
    assert (late.coins, late.streak_day, late.period) == (10, 1, "2026-03-20")
    assert CheckInStreak.objects.get().streak == 1
    with pytest.raises(claims.TaskPeriodOver):
        claim(who, task, period="2026-03-19", now=now + 6 * DAY)
    assert claim(who, task, period="2026-03-14", now=now + 6 * DAY).claim_id == given[0].claim_id
    assert ledger_rules.broken() == []


def test_a_zone_is_changed_once_in_a_fortnight_and_earns_no_second_check_in(
    who: Caller, now: datetime
) -> None:
    task = check_in_task()
    assert move(who, "Pacific/Pago_Pago", now=now) == now + 14 * DAY  # 01:00 there
    assert move(who, "Pacific/Pago_Pago", now=now + DAY) == now + 14 * DAY
    with pytest.raises(check_ins.ZoneUnknown):
        move(who, "Mars/Olympus", now=now)
    with pytest.raises(check_ins.ZoneSetBefore) as refused:
        move(who, "Pacific/Kiritimati", now=now + DAY)
    assert refused.value.extra["available_at"] == now + 14 * DAY

    then = now + 14 * DAY
    assert claim(who, task, now=then).period == "2026-03-28"
    move(who, "Pacific/Kiritimati", now=then)  # where it is the 29th
    with pytest.raises(check_ins.CheckInNotYet) as early:
        claim(who, task, now=then + timedelta(hours=1))
    assert early.value.extra["available_at"] == then + timedelta(hours=20)
    assert claim(who, task, now=then + timedelta(hours=20)).streak_day == 2
    assert TaskClaim.objects.count() == 2


def test_the_database_refuses_what_a_caller_got_wrong(who: Caller, now: datetime) -> None:
    """The decision is made before the lock: what it was made on may be another by then."""
    task = check_in_task()
    claim(who, task, now=now)

    def decide(number: int, zone: str, date: str, at: datetime) -> str:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT ads_check_in(%s, 'production', %s, %s, %s, %s, 2, '20 h', %s)->>'outcome'",
                [who.viewer.id, task.id, number, zone, date, at],
            )
            return str(cursor.fetchone()[0])

    assert decide(0, "UTC", "2026-03-15", now + DAY) == "changed"
    assert decide(1, "Asia/Shanghai", "2026-03-15", now + DAY) == "changed"
    assert decide(1, "UTC", "2026-03-13", now) == "too_soon"
    move(who, "Asia/Shanghai", now=now)
    assert decide(1, "Asia/Shanghai", "2026-03-15", now + timedelta(hours=19)) == "too_soon"
    assert decide(1, "Asia/Shanghai", "2026-03-15", now + timedelta(hours=20)) == "paid"


def test_no_clock_of_the_client_is_read(api: Client, who: Caller, now: datetime) -> None:
    """48 hours ahead or behind, by whatever a client may send: it checks in for the server's day."""
    check_in_task()
    headers = viewer_headers(who.device, now=now)
    url = "/v1/tasks/check-in/claim"
    for name, value in (("Date", "Mon, 16 Mar 2026 12:00:00 GMT"), ("X-Time", "2026-03-16")):
        told = api.post(url, {"period": None}, "application/json", headers=headers | {name: value})
        assert told.json()["period"] == "2026-03-14"
    for period in ("2026-03-12", "2026-03-15", "2026-03-16"):
        refused = api.post(url, {"period": period}, "application/json", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "task_period_over")
    assert TaskClaim.objects.count() == 1


def test_apps_read_the_calendar(api: Client, who: Caller, now: datetime) -> None:
    check_in_task(10, 30)
    headers = viewer_headers(who.device, now=now)
    body = {"zone": "Asia/Shanghai"}

    before = api.get("/v1/tasks", headers=headers).json()
    zone = api.put("/v1/me/zone", body, "application/json", headers=headers)
    claimed = api.post(
        "/v1/tasks/check-in/claim", {"period": None}, "application/json", headers=headers
    )
    after = api.get("/v1/tasks", headers=headers).json()["check_in"]

    assert before["tasks"] == []
    assert (before["check_in"]["state"], before["check_in"]["streak"]) == ("open", 0)
    assert before["check_in"]["zone_changes_at"] is None
    assert zone.json() == {"zone": "Asia/Shanghai", "zone_changes_at": "2026-03-28T12:00:00Z"}
    assert (claimed.status_code, claimed.json()["streak_day"]) == (201, 1)
    assert after == {
        "code": "check-in",
        "title": "check-in",
        "locale": "en",
        "state": "done",
        "streak": 1,
        "days": [{"day": 1, "coins": 10}, {"day": 2, "coins": 30}],
        "next_day": 2,
        "next_date": "2026-03-15",
        "available_at": "2026-03-14T16:00:00Z",
        "coins_expire_after_days": 8,
        "zone": "Asia/Shanghai",
        "zone_changes_at": "2026-03-28T12:00:00Z",
    }
    spendable = wallets.balance(viewer_id=who.viewer.id, environment="production", at=now)
    assert spendable.bonus_coins == 10
