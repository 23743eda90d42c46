"""POST /v1/viewers/tokens, one caller at a time."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from tests.factories.viewers import DeviceFactory, clock_headers
from viewers import refresh_tokens, tokens
from viewers.models import Environment, RefreshToken, Viewer

GRACE = timedelta(seconds=60)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def first(db, now):
    """The tokens a device got when it was registered."""
    return refresh_tokens.open_family(device=DeviceFactory(), now=now)


def refresh(api: Client, refresh_token: str, now):
    return api.post(
        "/v1/viewers/tokens",
        {"refresh_token": refresh_token},
        content_type="application/json",
        headers=clock_headers(now),
    )


def refused(response, code):
    return (response.status_code, response.json()["code"]) == (401, code)


def live_count():
    return RefreshToken.objects.filter(used_at=None, revoked_at=None).count()


def test_answers_new_tokens_for_the_same_viewer_and_device(api, first, now):
    later = now + timedelta(hours=1)
    response = refresh(api, first.refresh_token, later)

    answer = response.json()
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    access_token, refresh_token = answer.pop("access_token"), answer.pop("refresh_token")
    assert answer == {
        "viewer_id": str(first.viewer_id),
        "device_id": str(first.device_id),
        "environment": "production",
        "access_token_expires_at": "2026-03-14T13:15:00Z",
        "refresh_token_expires_at": "2026-09-10T13:00:00Z",
    }
    assert tokens.verify(access_token, now=later).viewer_id == first.viewer_id
    assert refresh_token != first.refresh_token
    assert Viewer.objects.get().last_seen_at == later


def test_follows_a_chain_of_exchanges(api, first, now):
    token = first.refresh_token
    for hour in range(1, 6):
        token = refresh(api, token, now + timedelta(hours=hour)).json()["refresh_token"]

    assert RefreshToken.objects.count() == 6
    assert len(set(RefreshToken.objects.values_list("family", flat=True))) == 1
    assert live_count() == 1


def test_revokes_the_family_when_a_used_token_comes_back(api, first, now):
    second = refresh(api, first.refresh_token, now).json()["refresh_token"]
    third = refresh(api, second, now + timedelta(minutes=15)).json()["refresh_token"]
    late = now + timedelta(minutes=20)

    assert refused(refresh(api, first.refresh_token, late), "refresh_token_reused")
    assert live_count() == 0
    assert refused(refresh(api, third, late), "refresh_token_invalid")
    assert refused(refresh(api, second, late), "refresh_token_reused")
    assert RefreshToken.objects.count() == 3


def test_revokes_one_family_only(api, first, now):
    other = refresh_tokens.open_family(device=DeviceFactory(), now=now)
    refresh(api, first.refresh_token, now)
    refresh(api, first.refresh_token, now + timedelta(hours=1))

    assert refresh(api, other.refresh_token, now + timedelta(hours=1)).status_code == 200


def test_replaces_the_successor_when_the_reply_was_lost(api, first, now):
    lost = refresh(api, first.refresh_token, now).json()["refresh_token"]
    soon = now + GRACE - INSTANT
    kept = refresh(api, first.refresh_token, soon)

    assert kept.status_code == 200
    assert live_count() == 1
    assert refused(refresh(api, lost, soon), "refresh_token_invalid")
    assert refresh(api, kept.json()["refresh_token"], soon).status_code == 200


def test_forgives_several_retries_without_stretching_the_grace(api, first, now):
    for second in (0, 25, 50):
        assert refresh(api, first.refresh_token, now + timedelta(seconds=second)).status_code == 200

    late = now + GRACE + timedelta(seconds=1)
    assert refused(refresh(api, first.refresh_token, late), "refresh_token_reused")
    assert live_count() == 0


def test_forgives_no_retry_after_the_grace(api, first, now):
    refresh(api, first.refresh_token, now)
    late = now + GRACE

    assert refused(refresh(api, first.refresh_token, late), "refresh_token_reused")
    assert live_count() == 0


def test_forgives_no_retry_once_the_successor_was_used(api, first, now):
    second = refresh(api, first.refresh_token, now).json()["refresh_token"]
    refresh(api, second, now + timedelta(seconds=1))

    soon = now + timedelta(seconds=2)
    assert refused(refresh(api, first.refresh_token, soon), "refresh_token_reused")
    assert live_count() == 0


def test_takes_the_length_of_the_grace_from_settings(api, first, now, settings):
    settings.REFRESH_GRACE_SECONDS = 0
    refresh(api, first.refresh_token, now)

    assert refused(refresh(api, first.refresh_token, now), "refresh_token_reused")


def test_refuses_an_expired_token_from_the_moment_it_expires(api, first, now):
    last = first.refresh_token_expires_at
    assert refused(refresh(api, first.refresh_token, last), "refresh_token_invalid")
    assert live_count() == 1
    assert refresh(api, first.refresh_token, last - INSTANT).status_code == 200


@pytest.mark.parametrize(
    "token",
    [
        "",
        "rt_",
        "rt_" + "A" * 43,
        "rt_" + "A" * 42,
        "rt_" + "A" * 44,
        "rt_" + "A" * 43 + "\n",
        " rt_" + "A" * 43,
        "RT_" + "A" * 43,
        "rt_" + "é" * 43,
        "rt_" + "A" * 42 + "=",
        "rt_%s" % ("A" * 42 + "'"),
        "eyJhbGciOiJub25lIn0.e30.",
    ],
)
def test_refuses_what_was_never_issued(api, first, now, token):
    assert refused(refresh(api, token, now), "refresh_token_invalid")
    assert live_count() == 1


def test_refuses_an_access_token_in_place_of_a_refresh_token(api, first, now):
    token = first.access_token[:200]
    assert refused(refresh(api, token, now), "refresh_token_invalid")


def test_refuses_the_tokens_of_an_erased_viewer(api, first, now):
    Viewer.objects.update(erased_at=now)

    assert refused(refresh(api, first.refresh_token, now), "refresh_token_invalid")


def test_carries_a_new_environment_into_the_next_access_token(api, first, now):
    Viewer.objects.update(environment=Environment.SANDBOX)
    answer = refresh(api, first.refresh_token, now).json()

    assert answer["environment"] == "sandbox"
    assert tokens.verify(answer["access_token"], now=now).environment == Environment.SANDBOX


def test_shows_no_secret_in_a_repr(first):
    assert first.access_token not in repr(first)
    assert first.refresh_token not in repr(first)


def test_the_database_refuses_a_second_live_token_of_a_family(first, now):
    row = RefreshToken.objects.get()
    with pytest.raises(IntegrityError, match="one_live_per_family"), transaction.atomic():
        RefreshToken.objects.create(
            family=row.family,
            viewer=row.viewer,
            device=row.device,
            secret_hash=uuid4().bytes * 2,
            issued_at=now,
            expires_at=now + timedelta(days=1),
        )
