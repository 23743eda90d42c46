"""The fake network's server: from an announced ad to an open episode, as a client sees it."""

from datetime import datetime
from typing import Any

from django.test import Client

from ads.models import Placement
from catalog.models import Series
from tests.factories.viewers import clock_headers
from tests.payments.calls import episode


def view(api: Client, body: dict[str, Any], *, now: datetime) -> Any:
    return api.post("/fake-ads/views", body, "application/json", headers=clock_headers(now))


def test_an_ad_is_watched_from_the_paywall_to_the_video(
    api: Client, placement: Placement, series: Series, headers: Any, now: datetime
) -> None:
    shown = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()
    option = next(option for option in shown["options"] if option["kind"] == "ad")
    wanted = {"placement": option["placement"], "episode_id": option["episode_id"]}
    locked = api.post(f"/v1/episodes/{option['episode_id']}/play", headers=headers)
    assert locked.status_code == 402

    opened = api.post("/v1/ads/sessions", wanted, "application/json", headers=headers).json()
    told = {name: opened[name] for name in ("ad_unit_id", "custom_data", "user_id")}
    callback = view(api, told, now=now).json()["callback"]
    settled = api.get(f"/v1/ssv/fake?{callback}", headers=clock_headers(now))

    assert settled.json() == {"verdict": "paid"}
    state = api.get(f"/v1/ads/sessions/{opened['ad_session_id']}", headers=headers).json()
    assert (state["state"], state["episode_id"]) == ("rewarded", option["episode_id"])
    play = api.post(f"/v1/episodes/{option['episode_id']}/play", headers=headers)
    assert play.json()["playback"]["number"] == 9
    after = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()
    assert after["next_locked_episode_id"] == str(episode(series, 10))


def test_signs_nothing_that_it_would_not_read(api: Client, db: None, now: datetime) -> None:
    good = {"ad_unit_id": "a/b", "custom_data": "x", "user_id": "y"}
    assert view(api, good, now=now).status_code == 200
    for name, value in (("custom_data", "a&b"), ("user_id", "é"), ("ad_unit_id", "a b")):
        response = view(api, good | {name: value}, now=now)
        assert (response.status_code, response.json()["code"]) == (400, "malformed_body")
