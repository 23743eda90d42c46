"""Two viewers who become one have what either had, once; and one who leaves is forgotten."""

from datetime import datetime, timedelta

import pytest

from ads.growth import belongings, check_ins, claims, referrals
from ads.models import CheckInStreak, Invite, Referral, TaskClaim, WatchDay
from payments.models import Transfer
from tests import ledger_rules
from tests.factories.growth import (
    TaskFactory,
    caller,
    check_in_task,
    claim,
    invite_of,
    newcomer,
    watch,
)

pytestmark = pytest.mark.django_db


def test_a_guest_with_a_claim_becomes_an_account_with_a_claim(now: datetime) -> None:
    both, guests_alone, calendar = TaskFactory(), TaskFactory(bonus_coins=7), check_in_task()
    guest, account = newcomer(now=now), newcomer(now=now)
    for who, end in ((guest, now), (account, now + timedelta(seconds=100))):
        watch(who.viewer.id, until=end, seconds=300)
        claim(who, both, now=now)
        claim(who, calendar, now=now)
    claim(guest, guests_alone, now=now)
    claim(guest, calendar, now=now + timedelta(days=1))
    friend = newcomer(now=now)
    referrals.bind(friend, code=invite_of(guest, now=now), address=None, now=now)
    referrals.bind(account, code=invite_of(guest, now=now), address=None, now=now)
    before = Transfer.objects.count()

    belongings.merge(
        gone_id=guest.viewer.id, kept_id=account.viewer.id, environment="production", now=now
    )

    assert not claim(account, both, now=now).is_new
    assert not claim(account, guests_alone, now=now).is_new
    tomorrow = now + timedelta(days=1)
    assert not claim(account, calendar, now=tomorrow).is_new
    assert Transfer.objects.count() == before
    assert (TaskClaim.objects.count(), WatchDay.objects.get().seconds) == (6, 400)
    streak = CheckInStreak.objects.get()
    assert (streak.viewer, streak.streak, streak.number) == (account.viewer, 2, 3)
    assert claim(account, calendar, now=now + timedelta(days=2)).streak_day == 3
    with pytest.raises(claims.TaskNotReached):
        claim(account, both, now=tomorrow)
    assert {(row.invitee, row.referrer, row.void_reason) for row in Referral.objects.all()} == {
        (friend.viewer, account.viewer, ""),
        (account.viewer, guest.viewer, "same"),
    }
    assert Invite.objects.get().viewer == account.viewer
    assert ledger_rules.broken() == []


def test_whoever_leaves_takes_a_copy_and_is_forgotten(now: datetime) -> None:
    who = caller()
    watch(who.viewer.id, until=now, seconds=300)
    claim(who, TaskFactory(code="watch-5"), now=now)
    check_ins.set_zone(
        viewer_id=who.viewer.id, environment="production", zone="Asia/Shanghai", now=now
    )
    code = invite_of(who, now=now)

    copy = belongings.export(viewer_id=who.viewer.id)
    belongings.erase(viewer_id=who.viewer.id)

    assert copy["watched_days"] == [
        {"day": now.date(), "seconds": 300, "environment": "production"}
    ]
    assert copy["task_claims"][0]["task__code"] == "watch-5"
    assert (copy["check_ins"][0]["zone"], copy["invites"][0]["code"]) == ("Asia/Shanghai", code)
    after = belongings.export(viewer_id=who.viewer.id)
    assert {name for name, rows in after.items() if rows} == {"task_claims"}
    assert ledger_rules.broken() == []
