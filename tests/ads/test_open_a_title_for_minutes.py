"""An ad opens a whole title for some minutes, and then it is locked again."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from ads.causes import AdCause
from ads.models import Goal, Placement
from catalog import playback
from catalog.models import Series
from catalog.playback import PlaybackRefused
from payments.models import Entitlement
from payments.support import why
from tests.ads.calls import ad_option, session_of, watch_one
from tests.ads.conftest import EPISODES, LOCKED
from tests.factories.payments import fund
from tests.factories.viewers import viewer_headers
from tests.payments.calls import episode, unlock
from viewers.models import Device

MINUTES = 30


@pytest.fixture(autouse=True)
def _half_an_hour(placement: Placement) -> None:
    Placement.objects.update(reward="minutes", reward_amount=MINUTES)
    placement.refresh_from_db()


def in_state(api: Client, series: Series, headers: Any, state: str) -> dict[int, Any]:
    shown = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()
    return {one["number"]: one["ends_at"] for one in shown["episodes"] if one["state"] == state}


def test_opens_all_that_is_locked_until_its_end(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    session = watch_one(placement, device, series, 12, now)

    ends_at = "2026-03-14T12:30:00Z"
    assert in_state(api, series, headers, "owned") == dict.fromkeys(
        range(LOCKED, EPISODES + 1), ends_at
    )
    told = session_of(api, headers, session)
    assert (told["access_ends_at"], told["opened_episode_ids"]) == (ends_at, [])
    assert ad_option(api, series, headers) is None  # nothing is locked
    play = api.post(f"/v1/episodes/{episode(series, 9)}/play", headers=headers).json()
    assert play["playback"]["access_ends_at"] == ends_at


def test_is_over_at_its_end_for_paywall_and_player_alike(
    api: Client, placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    watch_one(placement, device, series, 9, now)
    before = viewer_headers(device, now=now + timedelta(minutes=MINUTES, seconds=-5))
    after = viewer_headers(device, now=now + timedelta(minutes=MINUTES))

    play = api.post(f"/v1/episodes/{episode(series, 9)}/play", headers=before).json()["playback"]
    assert play["expires_at"] == play["access_ends_at"] == "2026-03-14T12:30:00Z"
    with pytest.raises(PlaybackRefused):
        playback.verify(play["url"].rpartition("/")[2], now=now + timedelta(minutes=MINUTES))
    locked = api.post(f"/v1/episodes/{episode(series, 9)}/play", headers=after)
    assert (locked.status_code, locked.json()["code"]) == (402, "episode_locked")
    assert len(in_state(api, series, after, "locked")) == EPISODES - LOCKED + 1


def test_another_ad_opens_it_again(
    placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    watch_one(placement, device, series, 9, now)
    later = now + timedelta(minutes=MINUTES)
    watch_one(placement, device, series, 9, later)

    live = Entitlement.objects.filter(closed_at=None)
    assert {one.ends_at for one in live} == {later + timedelta(minutes=MINUTES)}
    assert Goal.objects.count() == 2


def test_leaves_alone_what_the_viewer_owns_and_is_charged_by_nobody_meanwhile(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=120)
    quote = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()["quote"]
    unlock(api, episode(series, 10), headers, quote=quote)
    watch_one(placement, device, series, 9, now)

    again = unlock(api, episode(series, 9), headers, quote=quote).json()

    assert (again["outcome"], again["ends_at"]) == ("already_unlocked", "2026-03-14T12:30:00Z")
    assert again["balance"]["coins"] == 60
    later = viewer_headers(device, now=now + timedelta(hours=1))
    assert in_state(api, series, later, "owned") == {10: None}
    renewed = api.get(f"/v1/series/{series.id}/paywall", headers=later).json()["quote"]
    bought = unlock(api, episode(series, 9), later, quote=renewed).json()
    assert (bought["outcome"], bought["ends_at"]) == ("unlocked", None)


def test_an_explanation_says_for_how_long(
    placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    watch_one(placement, device, series, 9, now)
    whose: Any = {"viewer_id": device.viewer_id, "environment": "production"}

    told = why.why(**whose, episode_id=episode(series, 15), at=now)
    over = why.why(**whose, episode_id=episode(series, 15), at=now + timedelta(hours=1))

    assert told.entitlement is not None
    cause = told.entitlement.cause
    assert isinstance(cause, AdCause)
    assert (cause.reward, cause.reward_amount) == ("minutes", MINUTES)
    assert cause.access_ends_at == told.entitlement.ends_at == now + timedelta(minutes=MINUTES)
    assert (over.may_watch, [one.closing.how for one in over.earlier if one.closing]) == (
        False,
        ["lapsed"],
    )
