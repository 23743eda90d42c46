"""POST /v1/viewers."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.test import Client

from tests.factories.viewers import clock_headers
from viewers import tokens
from viewers.models import Device, Environment, RefreshToken, Viewer

INSTALL_ID = "0d9a2c52-5a0e-4f0b-a5a7-3f0c7cf2a001"


def register(api: Client, now: datetime, **body):
    return api.post(
        "/v1/viewers",
        {"install_id": INSTALL_ID, "platform": "ios"} | body,
        content_type="application/json",
        headers=clock_headers(now),
    )


def test_answers_everything_the_app_keeps(api, now, settings):
    response = register(api, now, app_version="1.4.2", locale="pt-BR", region="BR")

    viewer, device = Viewer.objects.get(), Device.objects.get()
    answer = response.json()
    access_token, refresh_token = answer.pop("access_token"), answer.pop("refresh_token")
    assert response.status_code == 201
    assert answer == {
        "viewer_id": str(viewer.id),
        "device_id": str(device.id),
        "environment": "production",
        "access_token_expires_at": "2026-03-14T12:15:00Z",
        "refresh_token_expires_at": "2026-09-10T12:00:00Z",
    }
    assert tokens.verify(access_token, now=now) == tokens.AccessToken(
        viewer_id=viewer.id,
        device_id=device.id,
        environment=Environment.PRODUCTION,
        expires_at=datetime(2026, 3, 14, 12, 15, tzinfo=UTC),
    )
    assert refresh_token.startswith("rt_")


def test_keeps_what_the_app_says_of_itself(api, now):
    register(api, now, app_version="1.4.2", locale="pt-BR", region="BR")

    viewer = Viewer.objects.get()
    assert (viewer.locale, viewer.region) == ("pt-BR", "BR")
    assert (viewer.created_at, viewer.last_seen_at, viewer.erased_at) == (now, now, None)
    device = Device.objects.get()
    assert (device.viewer_id, device.install_id) == (viewer.id, UUID(INSTALL_ID))
    assert (device.platform, device.app_version, device.created_at) == ("ios", "1.4.2", now)


def test_fills_in_what_the_app_leaves_out(api, now):
    assert register(api, now).status_code == 201

    viewer = Viewer.objects.get()
    assert (viewer.locale, viewer.region) == ("en", "")
    assert Device.objects.get().app_version == ""


def test_makes_another_guest_for_an_install_id_seen_before(api, now):
    first = register(api, now).json()
    second = register(api, now + timedelta(seconds=1)).json()

    assert first["viewer_id"] != second["viewer_id"]
    assert first["device_id"] != second["device_id"]
    assert Viewer.objects.count() == 2


@pytest.mark.parametrize("field", ["environment", "viewer_id", "created_at"])
def test_refuses_what_only_operators_and_the_server_decide(api, now, field):
    response = register(api, now, **{field: "sandbox"})

    assert (response.status_code, response.json()["code"]) == (400, "malformed_body")
    assert Viewer.objects.count() == 0


def test_lets_no_cache_keep_the_tokens(api, now):
    assert register(api, now)["Cache-Control"] == "no-store"


def test_keeps_no_secret_in_readable_form(api, now):
    secret = register(api, now).json()["refresh_token"]

    row = RefreshToken.objects.values().get()
    assert not any(secret.encode() in str(value).encode() for value in row.values())
    assert secret.removeprefix("rt_").encode() not in bytes(row["secret_hash"])
    assert len(bytes(row["secret_hash"])) == 32
