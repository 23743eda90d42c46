"""API keys: what is kept, what opens the pipeline's endpoints, and what does not."""

import hashlib
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from tests.factories.viewers import (
    DeviceFactory,
    clock_headers,
    pipeline_headers,
    viewer_headers,
)
from viewers import api_keys
from viewers.models import ApiKey, Scope

URL = "/v1/for-writers"


@pytest.fixture(autouse=True)
def guarded(settings):
    settings.ROOT_URLCONF = "tests.viewers.guarded_urls"


@pytest.fixture
def issued(db, now):
    """A key that may write, and its plaintext."""
    return api_keys.issue(name="cut machine", scopes=[Scope.PIPELINE_WRITE], now=now)


def call(api, plaintext, now):
    headers = {"Authorization": f"Bearer {plaintext}"} | clock_headers(now)
    return api.get(URL, headers=headers)


def refused(response, status, code):
    return (response.status_code, response.json()["code"]) == (status, code)


def test_opens_an_endpoint_with_its_scope(api, issued, now):
    response = call(api, issued[1], now)

    assert (response.status_code, response.json()) == (200, {"name": "cut machine"})
    assert response["Cache-Control"] == "no-store"


def test_keeps_a_hash_of_the_secret_and_nothing_more(issued):
    key, plaintext = issued
    mark, prefix, secret = plaintext.split("_", 2)

    row = ApiKey.objects.values().get()
    assert (mark, prefix) == ("clf", key.prefix)
    assert len(secret) == 43
    assert bytes(row["secret_hash"]) == hashlib.sha256(secret.encode()).digest()
    assert not any(secret in str(value) for value in row.values())


def test_never_issues_the_same_secret_twice(db, now):
    keys = [api_keys.issue(name="k", scopes=[Scope.PIPELINE_READ], now=now)[1] for _ in range(20)]

    assert len({plaintext.split("_", 2)[1] for plaintext in keys}) == 20
    assert len({plaintext.split("_", 2)[2] for plaintext in keys}) == 20


def test_refuses_a_key_without_the_scope_and_names_it(api, now):
    headers = pipeline_headers(now=now, scopes=[Scope.PIPELINE_READ])
    response = api.get(URL, headers=headers)

    assert refused(response, 403, "scope_missing")
    assert response.json()["scope"] == "pipeline:write"


def test_refuses_a_revoked_key(api, issued, now):
    key, plaintext = issued
    api_keys.revoke(key=key, now=now)

    assert refused(call(api, plaintext, now), 401, "api_key_invalid")
    assert ApiKey.objects.get().last_used_at is None


def test_revoking_again_keeps_the_first_moment(issued, now):
    api_keys.revoke(key=issued[0], now=now)
    api_keys.revoke(key=issued[0], now=now + timedelta(days=1))

    assert ApiKey.objects.get().revoked_at == now


def test_refuses_a_key_from_the_moment_it_expires(api, now):
    expires_at = now + timedelta(days=1)
    _, plaintext = api_keys.issue(
        name="k", scopes=[Scope.PIPELINE_WRITE], now=now, expires_at=expires_at
    )

    assert call(api, plaintext, expires_at - timedelta(microseconds=1)).status_code == 200
    assert refused(call(api, plaintext, expires_at), 401, "api_key_invalid")


def test_refuses_a_viewers_token(api, now):
    headers = viewer_headers(DeviceFactory(), now=now)

    assert refused(api.get(URL, headers=headers), 401, "api_key_invalid")


def test_opens_no_viewers_endpoint(api, now):
    headers = pipeline_headers(now=now)

    assert refused(api.get("/v1/me", headers=headers), 401, "token_invalid")


def test_refuses_a_request_without_the_header(api, now):
    response = api.get(URL, headers=clock_headers(now))

    assert refused(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "alter",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.upper(),
        lambda text: "clf_" + "0" * 12 + text[16:],
        lambda text: text.replace("clf_", "clf-", 1),
        lambda text: text.split("_", 2)[2],
        lambda text: "clf__" + text.split("_", 2)[2],
        lambda text: text[:-1] + "é",
        lambda text: text + "\x00",
        lambda text: "A" * 100_000,
        lambda text: "",
    ],
)
def test_refuses_what_was_never_issued(api, issued, now, alter):
    assert refused(call(api, alter(issued[1]), now), 401, "api_key_invalid")
    assert ApiKey.objects.get().last_used_at is None


def test_refuses_the_secret_of_another_key(api, issued, now):
    _, other = api_keys.issue(name="k", scopes=[Scope.PIPELINE_WRITE], now=now)
    swapped = issued[1][:17] + other[17:]

    assert refused(call(api, swapped, now), 401, "api_key_invalid")


def test_notes_its_use_once_a_minute(api, issued, now, django_assert_num_queries):
    call(api, issued[1], now)
    assert ApiKey.objects.get().last_used_at == now

    soon = now + timedelta(seconds=59)
    with django_assert_num_queries(1):
        call(api, issued[1], soon)
    assert ApiKey.objects.get().last_used_at == now

    later = now + timedelta(seconds=60)
    call(api, issued[1], later)
    assert ApiKey.objects.get().last_used_at == later


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scope"),
        ({"expires_at": "now"}, "expired"),
    ],
)
def test_issues_nothing_that_could_open_nothing(db, now, wrong, message):
    if "expires_at" in wrong:
        wrong = {"expires_at": now}
    given = {"name": "k", "scopes": [Scope.PIPELINE_READ], "now": now} | wrong

    with pytest.raises(ValueError, match=message):
        api_keys.issue(**given)
    assert ApiKey.objects.count() == 0


def test_the_database_refuses_a_key_without_a_scope(issued):
    with pytest.raises(IntegrityError, match="apikey_has_scope"), transaction.atomic():
        ApiKey.objects.update(scopes=[])
