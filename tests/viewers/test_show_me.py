"""GET /v1/me."""

from datetime import timedelta

import pytest

from tests.factories.viewers import DeviceFactory, ViewerFactory, viewer_headers
from viewers import privacy
from viewers.models import Viewer


@pytest.fixture
def device(db):
    return DeviceFactory(viewer=ViewerFactory(locale="th", region="TH"), platform="android")


def test_answers_the_viewer_and_the_device_that_ask(api, device, now, django_assert_num_queries):
    DeviceFactory(viewer=device.viewer)
    DeviceFactory()
    headers = viewer_headers(device, now=now)
    with django_assert_num_queries(1):
        response = api.get("/v1/me", headers=headers)

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert response.json() == {
        "viewer_id": str(device.viewer_id),
        "environment": "production",
        "locale": "th",
        "region": "TH",
        "shares_consumption": False,
        "created_at": "2026-03-01T09:30:00Z",
        "device": {
            "device_id": str(device.id),
            "platform": "android",
            "app_version": "1.4.2",
            "created_at": "2026-03-01T09:30:00Z",
        },
    }


def test_refuses_a_viewer_who_was_erased(api, device, now):
    headers = viewer_headers(device, now=now)
    Viewer.objects.update(erased_at=now)

    response = api.get("/v1/me", headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")


def test_refuses_an_expired_token(api, device, now):
    headers = viewer_headers(device, now=now)
    later = viewer_headers(device, now=now + timedelta(hours=1))
    headers["X-Clock"] = later["X-Clock"]

    response = api.get("/v1/me", headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "token_expired")


def test_takes_no_other_method(api, device, now):
    response = api.delete("/v1/me", headers=viewer_headers(device, now=now))

    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert Viewer.objects.count() == 1


def test_nobody_has_agreed_to_anything_until_they_say_so(api, device, now):
    shown = api.get("/v1/me", headers=viewer_headers(device, now=now)).json()

    assert shown["shares_consumption"] is False
    assert not privacy.shares_consumption(device.viewer_id)


def test_a_viewers_word_counts_until_they_take_it_back(api, device, now):
    headers = viewer_headers(device, now=now)
    for word in (True, False):
        answer = api.patch(
            "/v1/me", {"shares_consumption": word}, "application/json", headers=headers
        )

        assert (answer.status_code, answer.json()["shares_consumption"]) == (200, word)
        assert api.get("/v1/me", headers=headers).json() == answer.json()
        assert privacy.shares_consumption(device.viewer_id) is word


@pytest.mark.parametrize("word", ["yes", 1, None])
def test_what_is_neither_yes_nor_no_changes_nothing(api, device, now, word):
    headers = viewer_headers(device, now=now)

    answer = api.patch("/v1/me", {"shares_consumption": word}, "application/json", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_body")
    assert not privacy.shares_consumption(device.viewer_id)
