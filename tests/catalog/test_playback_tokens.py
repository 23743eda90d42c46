"""A playback URL opens one version for one viewer until it expires, and nothing else does."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from catalog import playback
from catalog.playback import Grant, PlaybackRefused
from config import keyring, seals
from tests.factories.catalog import EpisodeVersionFactory, mp4, stored_video
from tests.factories.viewers import DeviceFactory, clock_headers, viewer_headers

BASE64URL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture
def version(db):
    return EpisodeVersionFactory(media=stored_video(mp4(5000)))


def _token(version, now, viewer_id: UUID | None = None) -> str:
    issued = playback.issue(version=version, viewer_id=viewer_id or uuid4(), now=now)
    return issued.url.removeprefix("/media/video/")


def test_says_what_a_player_needs(version, now, settings):
    settings.PUBLIC_URL = "https://drama.example"
    viewer_id = uuid4()

    issued = playback.issue(version=version, viewer_id=viewer_id, now=now)

    expires_at = now + timedelta(seconds=settings.PLAYBACK_SECONDS)
    token = issued.url.removeprefix("https://drama.example/media/video/")
    assert (issued.expires_at, issued.mime, issued.version_id) == (
        expires_at,
        "video/mp4",
        version.id,
    )
    assert (issued.width, issued.height, issued.duration_ms) == (360, 640, 60_000)
    assert playback.verify(token, now=now) == Grant(
        viewer_id=viewer_id,
        episode_id=version.episode_id,
        version_id=version.id,
        storage_key=version.media.storage_key,
        expires_at=expires_at,
    )


def test_plays_without_a_query(api, version, now, django_assert_num_queries):
    token = _token(version, now)

    with django_assert_num_queries(0):
        response = api.get(f"/media/video/{token}", headers=clock_headers(now))

    assert response.status_code == 200
    assert b"".join(response) == mp4(5000)
    assert response["Content-Type"] == "video/mp4"
    assert response["Cache-Control"] == "private, no-store"


def _refused(response: Any) -> bool:
    return (response.status_code, response.json()["code"], response["Content-Type"]) == (
        403,
        "playback_refused",
        "application/problem+json",
    )


def test_refuses_from_the_second_it_expires(api, version, now, settings):
    token = _token(version, now)
    end = now + timedelta(seconds=settings.PLAYBACK_SECONDS)

    last = api.get(f"/media/video/{token}", headers=clock_headers(end - timedelta(microseconds=1)))
    late = api.get(f"/media/video/{token}", headers=clock_headers(end))

    assert last.status_code == 200
    last.close()
    assert _refused(late)


def test_refuses_another_viewer_who_says_who_they_are(api, version, now):
    device, other = DeviceFactory(), DeviceFactory()
    token = _token(version, now, viewer_id=device.viewer_id)

    own = api.get(f"/media/video/{token}", headers=viewer_headers(device, now=now))
    others = api.get(f"/media/video/{token}", headers=viewer_headers(other, now=now))

    assert own.status_code == 200
    own.close()
    assert _refused(others)


def test_plays_on_when_the_access_token_expires_before_the_url(api, version, now):
    device = DeviceFactory()
    token = _token(version, now, viewer_id=device.viewer_id)
    stale = viewer_headers(device, now=now - timedelta(days=1))["Authorization"]

    for credential in (stale, "Bearer nonsense", "Basic dXNlcjpwYXNz"):
        headers = clock_headers(now) | {"Authorization": credential}
        response = api.get(f"/media/video/{token}", headers=headers)
        assert response.status_code == 200
        response.close()


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "é" * 20, "A" * 10_000, "..%2F..%2Fetc%2Fpasswd", "%00", "..."]
)
def test_refuses_what_was_never_a_token(api, db, now, token):
    response = api.get(f"/media/video/{token}", headers=clock_headers(now))

    if token in {"", "..%2F..%2Fetc%2Fpasswd"}:
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    else:
        assert _refused(response)


def test_refuses_a_seal_made_for_another_use(version, now):
    payload = seals.unseal("playback", _token(version, now))

    for purpose in ("quote", "clock", "access"):
        with pytest.raises(PlaybackRefused):
            playback.verify(seals.seal(purpose, payload), now=now)


def test_refuses_another_format(version, now):
    payload = seals.unseal("playback", _token(version, now))

    for altered in (b"\x02" + payload[1:], b""):
        with pytest.raises(PlaybackRefused):
            playback.verify(seals.seal("playback", altered), now=now)


def test_verifies_by_a_former_key_and_not_by_a_dropped_one(version, now, settings):
    former, fresh = keyring.generate("former"), keyring.generate("fresh")
    settings.KEYRING = former
    token = _token(version, now)

    settings.KEYRING = f"{fresh},{former}"
    assert playback.verify(token, now=now).version_id == version.id
    renamed = token.replace(".former.", ".fresh.")
    assert renamed != token
    with pytest.raises(PlaybackRefused):
        playback.verify(renamed, now=now)

    settings.KEYRING = fresh
    with pytest.raises(PlaybackRefused):
        playback.verify(token, now=now)


def test_a_token_tells_no_other_files_name(db, now):
    one, other = (EpisodeVersionFactory(media=stored_video(mp4(seed=n))) for n in (1, 2))
    payload = seals.unseal("playback", _token(one, now))

    assert other.media.storage_key.encode() not in payload
    assert one.media.sha256.encode() not in payload
    shared = sum(
        a == b for a, b in zip(one.media.storage_key, other.media.storage_key, strict=True)
    )
    assert shared < len("videos/") + len(".mp4") + 12


GRANT = Grant(
    viewer_id=UUID(int=1),
    episode_id=UUID(int=2),
    version_id=UUID(int=3),
    storage_key="videos/abcdefghijklmnopqrstuvwxyz012345.mp4",
    expires_at=datetime(2026, 3, 14, 12, 5, tzinfo=UTC),
)
BEFORE = GRANT.expires_at - timedelta(minutes=1)


def test_refuses_every_change_of_one_character():
    token = playback.sealed(GRANT)
    for index, character in enumerate(token.encode()):
        for other in (*BASE64URL, ord("."), ord("="), ord(" "), 0):
            if other != character:
                altered = token[:index] + chr(other) + token[index + 1 :]
                with pytest.raises(PlaybackRefused):
                    playback.verify(altered, now=BEFORE)


@given(data=st.data())
@hypothesis_settings(max_examples=500, deadline=None)
def test_refuses_every_change_of_the_sealed_bytes(data):
    payload_text, key_id, mac_text = playback.sealed(GRANT).split(".")
    part = data.draw(st.sampled_from(["payload", "mac"]))
    text = payload_text if part == "payload" else mac_text
    raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    index = data.draw(st.integers(0, len(raw) - 1))
    raw[index] ^= data.draw(st.integers(1, 255))
    altered = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
    token = (
        f"{altered}.{key_id}.{mac_text}"
        if part == "payload"
        else f"{payload_text}.{key_id}.{altered}"
    )

    with pytest.raises(PlaybackRefused):
        playback.verify(token, now=BEFORE)


@given(
    changed=st.fixed_dictionaries(
        {},
        optional={
            "viewer_id": st.uuids(),
            "episode_id": st.uuids(),
            "version_id": st.uuids(),
            "storage_key": st.text(max_size=60),
            "expires_at": st.integers(0, 4_000_000_000).map(
                lambda seconds: datetime.fromtimestamp(seconds, UTC)
            ),
        },
    ).filter(bool)
)
@hypothesis_settings(max_examples=300, deadline=None)
def test_refuses_every_changed_claim_under_an_old_signature(changed):
    token = playback.sealed(GRANT)
    forged = playback.sealed(Grant(**(vars(GRANT) | changed)))
    if forged == token:
        return
    _, key_id, mac = token.split(".")

    with pytest.raises(PlaybackRefused):
        playback.verify(f"{forged.split('.')[0]}.{key_id}.{mac}", now=BEFORE)


@given(token=st.text(max_size=700))
@hypothesis_settings(max_examples=300, deadline=None)
def test_refuses_any_other_text(token):
    with pytest.raises(PlaybackRefused):
        playback.verify(token, now=BEFORE)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_answers_no_other_method(version, now, method):
    client = Client()
    response = getattr(client, method)(
        f"/media/video/{_token(version, now)}", headers=clock_headers(now)
    )

    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
