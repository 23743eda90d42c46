"""POST /v1/episodes/{id}/play: a URL for what may be watched, and none for what may not."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from django.test import Client

from catalog.models import Series
from payments.models import Entitlement
from tests.factories.catalog import EpisodeFactory
from tests.factories.payments import fund
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import episode, unlock
from viewers.models import Device


def play(api: Client, episode_id: Any, headers: Any) -> Any:
    return api.post(f"/v1/episodes/{episode_id}/play", headers=headers)


def test_opens_a_free_episode_and_the_next_ones(api: Client, series: Series, headers: Any) -> None:
    response = play(api, episode(series, 1), headers)

    assert response.status_code == 200
    body = response.json()
    assert body["playback"]["number"] == 1
    assert [following["number"] for following in body["next"]] == [2, 3]
    assert body["playback"]["url"].startswith("/media/video/")


def test_does_not_open_the_locked_episode_after_a_free_one(
    api: Client, series: Series, headers: Any
) -> None:
    assert play(api, episode(series, 8), headers).json()["next"] == []


def test_refuses_a_locked_episode_with_its_price_and_a_quote_that_works(
    api: Client, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=60)

    response = play(api, episode(series, 9), headers)

    assert (response.status_code, response.json()["code"]) == (402, "episode_locked")
    assert response.json()["price_coins"] == 60
    assert "/media/" not in response.content.decode()
    bought = unlock(api, episode(series, 9), headers, quote=response.json()["quote"])
    assert bought.json()["outcome"] == "unlocked"


def test_opens_an_unlocked_episode_and_keeps_the_moment_of_the_first_url(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    unlock(api, episode(series, 9), headers, quote=quote)
    assert Entitlement.objects.get().first_played_at is None

    assert play(api, episode(series, 9), headers).status_code == 200

    assert Entitlement.objects.get().first_played_at == now


def test_does_not_open_what_another_viewer_unlocked(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    unlock(api, episode(series, 9), headers, quote=quote)

    response = play(api, episode(series, 9), viewer_headers(DeviceFactory(), now=now))

    assert response.status_code == 402


def test_keeps_what_was_unlocked_playable_when_the_series_is_withdrawn(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    unlock(api, episode(series, 9), headers, quote=quote)
    series.state = Series.State.WITHDRAWN
    series.save()

    assert play(api, episode(series, 9), headers).status_code == 200
    assert play(api, episode(series, 1), headers).status_code == 404
    assert play(api, episode(series, 10), headers).status_code == 404


def test_answers_the_asked_episode_although_another_has_its_number_now(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    owned = series.episodes.get(number=9)
    unlock(api, owned.id, headers, quote=quote)
    owned.state = owned.State.WITHDRAWN
    owned.save()
    EpisodeFactory(series=series, number=9, external_id="replacement")

    body = play(api, owned.id, headers).json()

    assert body["playback"]["episode_id"] == str(owned.id)
    assert body["next"] == []


def test_an_unknown_episode_is_not_found(api: Client, headers: Any, db: None) -> None:
    response = play(api, uuid4(), headers)

    assert (response.status_code, response.json()["code"]) == (404, "not_found")
