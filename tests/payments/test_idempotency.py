"""Idempotency-Key on unlock: one effect, one answer, whatever happens in between."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from catalog.models import Series
from payments.models import CoinPack, IdempotencyRecord, Unlock
from tests.factories.payments import fund
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import episode, movements, unlock
from viewers.models import Device

KEY = {"Idempotency-Key": "4b0f6c1e-unlock-9"}


def test_the_same_key_answers_as_the_first_time(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    first = unlock(api, episode(series, 9), headers | KEY, quote=quote)

    again = unlock(api, episode(series, 9), headers | KEY, quote=quote)

    assert again.content == first.content
    assert again.status_code == first.status_code
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Unlock.objects.count() == 1


def test_a_refusal_stays_refused_after_a_top_up_and_an_edit_of_the_offers(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=50)
    first = unlock(api, episode(series, 9), headers | KEY, quote=quote)
    fund(device.viewer_id, now=now, paid=500)
    CoinPack.objects.update(title="Renamed")

    again = unlock(api, episode(series, 9), headers | KEY, quote=quote)

    assert (first.status_code, again.status_code) == (402, 402)
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Unlock.objects.count() == 0


def test_an_answer_outlives_the_quote_it_was_given_for(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    first = unlock(api, episode(series, 9), headers | KEY, quote=quote)
    tomorrow = viewer_headers(device, now=now + timedelta(days=1))

    again = unlock(api, episode(series, 9), tomorrow | KEY, quote=quote)

    assert again.content == first.content


def test_another_body_under_the_same_key_is_refused(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    unlock(api, episode(series, 9), headers | KEY, quote=quote)
    before = movements()

    same_episode = unlock(api, episode(series, 9), headers | KEY, quote=quote, position_ms=1)
    other_episode = unlock(api, episode(series, 10), headers | KEY, quote=quote)

    for response in (same_episode, other_episode):
        assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert movements() == before


def test_spacing_and_order_of_members_do_not_make_another_request(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    url = f"/v1/episodes/{episode(series, 9)}/unlock"
    bodies = [
        f'{{"quote":"{quote}","position_ms":5}}',
        f'{{ "position_ms": 5,\n "quote": "{quote}" }}',
    ]

    answers = [
        api.post(url, body, "application/json", headers=headers | KEY).content for body in bodies
    ]

    assert answers[0] == answers[1]


def test_two_viewers_may_use_the_same_key(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    unlock(api, episode(series, 9), headers | KEY, quote=quote)
    other = viewer_headers(DeviceFactory(), now=now)
    shown = api.get(f"/v1/series/{series.id}/paywall", headers=other).json()

    response = unlock(api, episode(series, 9), other | KEY, quote=shown["quote"])

    assert response.status_code == 402


@pytest.mark.parametrize("key", ["", "k" * 101, "tab\there", "naïve"])
def test_a_malformed_key_is_refused_and_nothing_moves(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime, key: str
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    before = movements()

    response = unlock(api, episode(series, 9), headers | {"Idempotency-Key": key}, quote=quote)

    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_invalid")
    assert movements() == before
    assert not IdempotencyRecord.objects.exists()
