"""Operators make tasks and campaigns within limits, and see what was earned without touching it."""

from datetime import datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from ads.growth import referrals
from ads.models import Referral, Task, TaskCampaign, TaskClaim
from tests.factories.growth import (
    TaskCampaignFactory,
    TaskFactory,
    caller,
    claim,
    invite_of,
    newcomer,
    watch,
)
from tests.factories.operators import operator, signed_in

pytestmark = pytest.mark.django_db
INLINES = {
    f"{prefix}-{name}": "0"
    for prefix in ("texts", "days")
    for name in ("TOTAL_FORMS", "INITIAL_FORMS")
}
FORM = {
    **INLINES,
    "code": "watch-5",
    "kind": "watch",
    "period": "daily",
    "target_count": "300",
    "bonus_coins": "18",
    "coins_expire_after_days": "8",
    "original_locale": "en",
    "position": "1",
    "starts_at_0": "2026-03-01",
    "starts_at_1": "00:00:00",
    "is_active": "on",
}
CALENDAR = FORM | {
    "code": "check-in",
    "kind": "check_in",
    "target_count": "1",
    "bonus_coins": "0",
    "texts-TOTAL_FORMS": "1",
    "texts-0-locale": "zh-Hans",
    "texts-0-title": "签到",
    "days-TOTAL_FORMS": "1",
    "days-0-number": "1",
    "days-0-bonus_coins": "10",
}


@pytest.fixture
def pricing(db: None) -> Client:
    return signed_in(operator(role="pricing"))


def test_tasks_are_made_within_limits_and_keep_what_they_count(pricing: Client) -> None:
    assert pricing.post("/admin/ads/task/add/", FORM).status_code == 302
    assert pricing.post("/admin/ads/task/add/", CALENDAR).status_code == 302
    for wrong in (
        FORM | {"code": "dear", "bonus_coins": "1001"},
        FORM | {"code": "free", "bonus_coins": "0"},
        FORM | {"code": "often", "kind": "sign_up"},
        FORM | {"code": "by-itself", "kind": "ads", "is_automatic": "on"},
        CALENDAR | {"code": "second"},
        CALENDAR | {"code": "dear-day", "is_active": "", "days-0-bonus_coins": "1001"},
    ):
        answer = pricing.post("/admin/ads/task/add/", wrong)
        assert answer.status_code == 200, wrong
    task = Task.objects.get(code="watch-5")
    page = f"/admin/ads/task/{task.id}/change/"
    changed = FORM | {"kind": "ads", "period": "once", "bonus_coins": "20"}
    assert pricing.post(page, changed).status_code == 302

    task.refresh_from_db()
    assert (task.kind, task.period, task.bonus_coins) == ("watch", "daily", 20)
    calendar = Task.objects.get(code="check-in")
    assert [day.bonus_coins for day in calendar.days.all()] == [10]
    assert [text.title for text in calendar.texts.all()] == ["签到"]
    assert pricing.post(f"/admin/ads/task/{task.id}/delete/", {"post": "yes"}).status_code == 403


def test_a_campaign_is_edited_while_it_is_spent(pricing: Client, now: datetime) -> None:
    form = {
        "name": "Spring",
        "budget_coins": "100",
        "starts_at_0": "2026-03-01",
        "starts_at_1": "00:00:00",
        "regions": "us,DE",
        "platforms": "ios",
    }
    numbered = pricing.post("/admin/ads/taskcampaign/add/", form | {"regions": "49"})
    assert numbered.status_code == 200
    assert pricing.post("/admin/ads/taskcampaign/add/", form).status_code == 302
    campaign, who = TaskCampaign.objects.get(), caller()
    watch(who.viewer.id, until=now, seconds=300)
    claim(who, TaskFactory(campaign=campaign), now=now)
    page = f"/admin/ads/taskcampaign/{campaign.id}/change/"

    assert pricing.post(page, form | {"budget_coins": "17"}).status_code == 200
    assert pricing.post(page, form | {"budget_coins": "500"}).status_code == 302

    campaign.refresh_from_db()
    assert (campaign.budget_coins, campaign.spent_coins) == (500, 18)
    assert (campaign.regions, campaign.platforms) == (["US", "DE"], ["ios"])


def test_referrals_are_voided_by_those_who_may(pricing: Client, now: datetime) -> None:
    host, guests = caller(), [newcomer(now=now) for _ in range(2)]
    for guest in guests:
        referrals.bind(guest, code=invite_of(host, now=now), address=None, now=now)
        watch(guest.viewer.id, until=now, seconds=1800)
    first, second = Referral.objects.order_by("id")
    action = {"action": "void_selected", "_selected_action": [str(first.id)]}
    support = signed_in(operator("sam", role="support"))

    support.post("/admin/ads/referral/", action)
    assert Referral.objects.filter(state="pending").count() == 2
    pricing.post("/admin/ads/referral/", action)
    referrals.vest_due(now=now + timedelta(days=7))
    pricing.post("/admin/ads/referral/", action | {"_selected_action": [str(second.id)]})

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.void_reason, second.state) == ("operator", "vested")
    assert LogEntry.objects.filter(object_id=str(first.id)).count() == 1
    page = support.get(f"/admin/ads/referral/{second.id}/change/")
    assert (page.status_code, str(second.transfer_id)[-12:] in page.text) == (200, True)


def test_claims_are_read_only(pricing: Client, now: datetime) -> None:
    who = caller()
    watch(who.viewer.id, until=now, seconds=300)
    claim(who, TaskFactory(campaign=TaskCampaignFactory()), now=now)
    row = TaskClaim.objects.get()

    found = pricing.get("/admin/ads/taskclaim/", {"q": str(who.viewer.id)})
    assert found.status_code == 200
    assert pricing.get(f"/admin/ads/taskclaim/{row.id}/change/").status_code == 200
    assert pricing.post(f"/admin/ads/taskclaim/{row.id}/change/", {}).status_code == 403
    assert pricing.get("/admin/ads/taskclaim/add/").status_code == 403
