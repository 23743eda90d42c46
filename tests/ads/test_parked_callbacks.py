"""What networks said and nobody was paid for waits for an operator, who pays it once or dismisses it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from ads import parked
from ads.models import AdSession, Callback, Placement, Resolution, Reward
from ads.parked import Outcome
from catalog.models import Series
from payments.models import Entitlement
from payments.support import why
from tests.factories.ads import ad_session, report, watch
from tests.factories.operators import operator, signed_in
from tests.factories.payments import as_owner
from tests.payments.calls import episode
from viewers.models import Device

PAGE = "/admin/ads/parkedcallback"


@pytest.fixture
def session(placement: Placement, series: Series, device: Device, now: datetime) -> AdSession:
    return ad_session(placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now)


@pytest.fixture
def support(db: None) -> Client:
    return signed_in(operator(role="support"))


def park(session: AdSession, now: datetime, **said: Any) -> Callback:
    settled = watch(session, now=now, **said)
    assert settled.verdict not in {"paid", "late"}
    return Callback.objects.latest("id")


def decide(client: Client, callback: Callback, kind: str, **more: Any) -> Any:
    given = {"kind": kind, "reason": "The network's console shows the view."} | more
    return client.post(f"{PAGE}/{callback.id}/resolve/", given)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"custom_data": uuid4().hex}, "orphan"),
        ({"user_id": uuid4().hex}, "other_viewer"),
        ({"ad_unit_id": "their-app/their-unit"}, "other_placement"),
        ({"late": True}, "expired"),
    ],
)
def test_an_operator_pays_what_waits_through_the_door_of_all_rewards(
    support: Client, session: AdSession, now: datetime, said: dict[str, Any], verdict: str
) -> None:
    at = now + timedelta(days=3) if said.pop("late", False) else now
    callback = park(session, at, **said)
    assert (callback.verdict, callback.is_parked) == (verdict, True)
    query = bytes(callback.raw_query).decode()

    more = {"session_id": str(session.id)} if verdict == "orphan" else {}
    response = decide(support, callback, "settled", **more)

    assert (response.status_code, response.headers["Location"]) == (302, f"{PAGE}/")
    resolution, reward = Resolution.objects.get(), Reward.objects.get()
    assert (resolution.reward_id, resolution.callback_id) == (reward.id, callback.id)
    assert (resolution.kind, resolution.resolved_by.username) == ("settled", "dana")
    assert resolution.reason == "The network's console shows the view."
    assert (reward.session_id, reward.transaction_id) == (session.id, callback.transaction_id)
    callback.refresh_from_db()
    assert (callback.verdict, callback.is_parked) == (verdict, False)  # the first verdict is kept
    assert "console" in LogEntry.objects.get().get_change_message()
    again = report(query, now=at)
    assert (again.verdict, again.first) == ("replayed", "paid")
    told = why.why(
        viewer_id=session.viewer_id,
        environment="production",
        episode_id=session.episode_id,
        at=reward.created_at,
    )
    cause: Any = told.entitlement and told.entitlement.cause
    assert (cause.settled_by, cause.settled_because) == ("dana", resolution.reason)


def test_nothing_is_paid_twice(support: Client, session: AdSession, now: datetime) -> None:
    first = park(session, now, user_id=uuid4().hex)
    second = park(session, now, user_id=uuid4().hex)

    decide(support, first, "settled")
    for callback in (first, second):
        decide(support, callback, "settled")
    assert watch(session, now=now).verdict == "session_used"

    assert (Reward.objects.count(), Entitlement.objects.count()) == (1, 1)
    second.refresh_from_db()
    assert second.is_parked
    for _ in range(2):
        assert decide(support, second, "dismissed").status_code == 302
    assert list(Resolution.objects.order_by("id").values_list("kind", flat=True)) == [
        "settled",
        "dismissed",
    ]


def test_what_cannot_be_paid_stays_parked_and_says_why(
    support: Client,
    placement: Placement,
    series: Series,
    session: AdSession,
    device: Device,
    now: datetime,
) -> None:
    orphan = park(session, now, custom_data=uuid4().hex)
    page = decide(support, orphan, "settled")
    assert (page.status_code, Reward.objects.count()) == (200, 0)
    assert "Name the session" in page.text
    assert "reason" in decide(support, orphan, "settled", reason="").context["form"].errors

    Placement.objects.update(daily_cap=1)
    watch(session, now=now)
    later = ad_session_at_cap(placement, series, device, now)
    whose: Any = {"reason": "x", "operator_id": operator("eve").id, "now": now}
    assert parked.settle(orphan.id, session_id=later.id, **whose) is Outcome.OVER_CAP
    assert parked.settle(orphan.id, session_id=session.id, **whose) is Outcome.SESSION_USED
    assert parked.settle(orphan.id, session_id=uuid4(), **whose) is Outcome.SESSION_UNKNOWN
    tomorrow = whose | {"now": now + timedelta(days=1)}
    assert parked.settle(orphan.id, session_id=later.id, **tomorrow) is Outcome.SETTLED


def ad_session_at_cap(
    placement: Placement, series: Series, device: Device, now: datetime
) -> AdSession:
    """A session that the cap of today leaves no room for."""
    Placement.objects.update(daily_cap=2)
    opened = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 10), now=now
    )
    Placement.objects.update(daily_cap=1)
    return opened


def test_those_that_wait_are_listed_and_counted_on_the_first_page(
    support: Client, session: AdSession, now: datetime
) -> None:
    assert "Parked callbacks</a></td>" not in support.get("/admin/").text
    park(session, now, custom_data=uuid4().hex)
    dismissed = park(session, now, user_id=uuid4().hex)
    watch(session, now=now)

    assert "2 words of ad networks" in support.get("/admin/").text
    decide(support, dismissed, "dismissed")

    assert "1 word of ad networks" in support.get("/admin/").text
    assert len(support.get(f"{PAGE}/").context["cl"].result_list) == 1
    for verdict, number in (("orphan", 1), ("other_viewer", 0)):
        page = support.get(f"{PAGE}/?verdict__exact={verdict}")
        assert len(page.context["cl"].result_list) == number
    assert support.get(f"{PAGE}/{dismissed.id}/resolve/").status_code == 200
    assert (
        "Not to be paid, by dana" in support.get(f"/admin/ads/callback/{dismissed.id}/change/").text
    )


def test_what_is_of_no_session_and_no_ad_unit_of_ours_waits_for_nobody(
    session: AdSession, now: datetime
) -> None:
    """Any publisher's ad unit may call our address, and its network signs that."""
    theirs = park(session, now, custom_data=uuid4().hex, ad_unit_id="their-app/their-unit")

    assert (theirs.verdict, theirs.is_parked) == ("orphan", False)
    assert parked.settle(
        theirs.id, session_id=session.id, reason="x", operator_id=operator().id, now=now
    ) is (Outcome.RESOLVED_BEFORE)


def test_who_may_only_look_decides_nothing(session: AdSession, now: datetime) -> None:
    callback = park(session, now, user_id=uuid4().hex)
    pricing = signed_in(operator(role="pricing"))

    assert pricing.get(f"{PAGE}/").status_code == 200
    assert decide(pricing, callback, "settled").status_code == 403
    assert not Resolution.objects.exists()


def test_a_session_of_another_network_cannot_be_paid(session: AdSession, now: datetime) -> None:
    callback = park(session, now, custom_data=uuid4().hex)
    with as_owner() as cursor:
        cursor.execute("UPDATE ads_adsession SET network = 'admob'")

    outcome = parked.settle(
        callback.id,
        session_id=session.id,
        reason="x",
        operator_id=operator().id,
        now=now,
    )

    assert outcome is Outcome.OTHER_NETWORK


def test_many_are_dismissed_at_once_for_one_reason(
    support: Client, session: AdSession, now: datetime
) -> None:
    parked_ones = [park(session, now, custom_data=uuid4().hex) for _ in range(3)]
    paid_before = park(session, now, user_id=uuid4().hex)
    chosen = {
        "action": "dismiss",
        "_selected_action": [str(one.id) for one in [*parked_ones[:2], paid_before]],
    }
    decide(support, paid_before, "settled")

    asked = support.post(f"{PAGE}/", chosen)
    assert "Dismiss parked callbacks" in asked.text
    assert "reason" in support.post(f"{PAGE}/", chosen | {"confirm": "1"}).context["form"].errors
    done = support.post(f"{PAGE}/", chosen | {"confirm": "1", "reason": "A test build."})

    assert done.status_code == 302
    resolved = Resolution.objects.filter(kind="dismissed")
    assert {one.callback_id for one in resolved} == {one.id for one in parked_ones[:2]}
    assert {(one.reason, one.resolved_by.username) for one in resolved} == {
        ("A test build.", "dana")
    }
    assert LogEntry.objects.filter(change_message__contains="A test build.").count() == 2
    assert list(Callback.objects.filter(is_parked=True)) == [parked_ones[2]]


def test_who_only_looks_is_offered_no_dismissal(session: AdSession, now: datetime) -> None:
    callback = park(session, now, custom_data=uuid4().hex)
    analyst = signed_in(operator(role="analyst"))
    chosen = {"action": "dismiss", "_selected_action": [str(callback.id)], "confirm": "1"}

    analyst.post(f"{PAGE}/", chosen | {"reason": "No."})

    assert not Resolution.objects.exists()
