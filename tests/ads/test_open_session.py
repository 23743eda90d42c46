"""POST /v1/ads/sessions: what could not pay after the ad is refused before it."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.http import HttpResponse
from django.test import Client

from ads.models import AdSession, Placement
from catalog.models import Series
from payments.models import Wallet
from tests.factories.ads import PlacementFactory, ad_session, watch
from tests.factories.payments import fund
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import episode, unlock
from viewers.models import Device

IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")


def open_ad(api: Client, headers: Any, episode_id: UUID, **body: Any) -> HttpResponse:
    given = {"placement": "paywall", "episode_id": str(episode_id)} | body
    return api.post("/v1/ads/sessions", given, "application/json", headers=headers)


def state(api: Client, headers: Any, session_id: Any) -> dict[str, Any]:
    body: dict[str, Any] = api.get(f"/v1/ads/sessions/{session_id}", headers=headers).json()
    return body


def test_answers_what_the_networks_sdk_needs(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    playback = uuid4()
    response = open_ad(
        api, headers, episode(series, 9), playback_session_id=str(playback), position_ms=58_000
    )

    body, session = response.json(), AdSession.objects.get()
    assert response.status_code == 201
    assert body == {
        "ad_session_id": str(session.id),
        "network": "fake",
        "ad_unit_id": placement.ad_unit_id,
        "custom_data": session.id.hex,
        "user_id": device.viewer_id.hex,
        "expires_at": "2026-03-14T13:00:00Z",
    }
    assert IDENTIFIER.fullmatch(body["custom_data"])
    assert IDENTIFIER.fullmatch(body["user_id"])
    assert (session.viewer_id, session.episode_id) == (device.viewer_id, episode(series, 9))
    assert (session.playback_session_id, session.position_ms) == (playback, 58_000)
    assert session.opened_at == now


def test_lengthens_an_open_session_for_the_same_episode(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    first = open_ad(api, headers, episode(series, 9))
    later = viewer_headers(device, now=now + timedelta(minutes=50))
    second = open_ad(api, later, episode(series, 9))

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["ad_session_id"] == first.json()["ad_session_id"]
    assert second.json()["expires_at"] == "2026-03-14T13:50:00Z"
    assert AdSession.objects.count() == 1


def test_opens_a_new_session_once_the_old_one_has_expired(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    first = open_ad(api, headers, episode(series, 9)).json()
    later = viewer_headers(device, now=now + timedelta(hours=1))
    second = open_ad(api, later, episode(series, 9))

    assert second.status_code == 201
    assert state(api, later, first["ad_session_id"])["state"] == "expired"
    assert state(api, later, second.json()["ad_session_id"])["state"] == "open"


def test_refuses_a_second_session_for_the_episode_at_another_placement(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    """Both ads would be watched, and one of them would open nothing."""
    PlacementFactory(code="home")
    first = open_ad(api, headers, episode(series, 9)).json()

    response = open_ad(api, headers, episode(series, 9), placement="home")

    body = response.json()
    assert (response.status_code, body["code"]) == (409, "ad_session_elsewhere")
    assert (body["placement"], body["expires_at"]) == ("paywall", "2026-03-14T13:00:00Z")
    assert AdSession.objects.count() == 1
    assert open_ad(api, headers, episode(series, 10), placement="home").status_code == 201
    others = viewer_headers(DeviceFactory(), now=now)
    assert open_ad(api, others, episode(series, 9), placement="home").status_code == 201
    later = viewer_headers(device, now=now + timedelta(hours=1))
    assert open_ad(api, later, episode(series, 9), placement="home").status_code == 201
    assert state(api, later, first["ad_session_id"])["state"] == "expired"


@pytest.mark.parametrize("change", [{"is_active": False}, {"code": "elsewhere"}])
def test_refuses_a_placement_that_shows_no_ads(
    api: Client, placement: Placement, series: Series, headers: Any, change: dict[str, Any]
) -> None:
    Placement.objects.update(**change)

    response = open_ad(api, headers, episode(series, 9))

    assert (response.status_code, response.json()["code"]) == (422, "placement_unknown")
    assert not AdSession.objects.exists()


def test_refuses_a_network_that_may_not_call(
    api: Client, placement: Placement, series: Series, headers: Any, no_fake_network: None
) -> None:
    response = open_ad(api, headers, episode(series, 9))

    assert (response.status_code, response.json()["code"]) == (422, "placement_unknown")


def test_refuses_an_episode_that_is_free(
    api: Client, placement: Placement, series: Series, headers: Any
) -> None:
    response = open_ad(api, headers, episode(series, 8))

    assert (response.status_code, response.json()["code"]) == (409, "episode_not_locked")
    assert not AdSession.objects.exists()


def test_refuses_an_episode_that_the_viewer_has(
    api: Client,
    placement: Placement,
    series: Series,
    device: Device,
    headers: Any,
    now: datetime,
) -> None:
    fund(device.viewer_id, now=now)
    quote = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()["quote"]
    unlock(api, episode(series, 9), headers, quote=quote)

    response = open_ad(api, headers, episode(series, 9))

    assert (response.status_code, response.json()["code"]) == (409, "episode_not_locked")
    assert not AdSession.objects.exists()


@pytest.mark.parametrize("what", ["episode", "series", "nothing"])
def test_refuses_an_episode_that_is_not_there(
    api: Client, placement: Placement, series: Series, headers: Any, what: str
) -> None:
    episode_id = episode(series, 9) if what != "nothing" else uuid4()
    if what == "series":
        Series.objects.update(state="withdrawn")
    if what == "episode":
        series.episodes.update(state="withdrawn")

    response = open_ad(api, headers, episode_id)

    assert (response.status_code, response.json()["code"]) == (404, "episode_unavailable")
    assert not Wallet.objects.exists()


def test_an_open_session_takes_a_place_of_the_cap(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    Placement.objects.update(daily_cap=2)
    watch(
        ad_session(placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now),
        now=now,
    )
    open_ad(api, headers, episode(series, 10))

    response = open_ad(api, headers, episode(series, 11))

    assert (response.status_code, response.json()["code"]) == (429, "ad_cap_reached")
    assert response.json()["resets_at"] == "2026-03-14T13:00:00Z"  # the open session expires
    assert response.headers["Retry-After"] == "3600"
    assert AdSession.objects.count() == 2


def test_the_cap_is_full_until_midnight_once_every_ad_was_watched(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    Placement.objects.update(daily_cap=1)
    watch(
        ad_session(placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now),
        now=now,
    )

    response = open_ad(api, headers, episode(series, 10))

    assert response.json()["code"] == "ad_cap_reached"
    assert response.json()["resets_at"] == "2026-03-15T00:00:00Z"


def test_the_cap_is_each_viewers_and_each_placements(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    Placement.objects.update(daily_cap=1)
    PlacementFactory(code="home", daily_cap=1)
    open_ad(api, headers, episode(series, 9))
    others = viewer_headers(DeviceFactory(), now=now)

    assert open_ad(api, others, episode(series, 9)).status_code == 201
    assert open_ad(api, headers, episode(series, 10), placement="home").status_code == 201
    assert open_ad(api, headers, episode(series, 11)).status_code == 429


@pytest.mark.parametrize("is_watched", [True, False])
def test_waits_for_the_cooldown(
    api: Client,
    placement: Placement,
    series: Series,
    device: Device,
    headers: Any,
    now: datetime,
    is_watched: bool,
) -> None:
    Placement.objects.update(cooldown_seconds=90)
    session = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now
    )
    if is_watched:
        watch(session, now=now)

    response = open_ad(api, headers, episode(series, 10))

    assert (response.status_code, response.json()["code"]) == (429, "ad_cooling_down")
    assert response.json()["available_at"] == "2026-03-14T12:01:30Z"
    assert response.headers["Retry-After"] == "90"
    for seconds, status in ((89.999, 429), (90, 201)):
        later = viewer_headers(device, now=now + timedelta(seconds=seconds))
        assert open_ad(api, later, episode(series, 10)).status_code == status


def test_another_viewers_session_is_not_found(
    api: Client, placement: Placement, series: Series, headers: Any, now: datetime
) -> None:
    session_id = open_ad(api, headers, episode(series, 9)).json()["ad_session_id"]
    others = viewer_headers(DeviceFactory(), now=now)

    response = api.get(f"/v1/ads/sessions/{session_id}", headers=others)

    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert state(api, headers, session_id)["state"] == "open"
