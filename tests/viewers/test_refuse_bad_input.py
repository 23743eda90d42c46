"""Bodies that are not what the endpoint takes: a problem with a code, and nothing moves."""

import json

import pytest

from tests.factories.viewers import DeviceFactory, clock_headers, viewer_headers
from viewers import refresh_tokens
from viewers.models import Device, RefreshToken, Viewer

GUEST = {"install_id": "0d9a2c52-5a0e-4f0b-a5a7-3f0c7cf2a001", "platform": "ios"}
REFRESH = {"refresh_token": "rt_" + "A" * 43}
ENDPOINTS = {"/v1/viewers": GUEST, "/v1/viewers/tokens": REFRESH}

BODIES_NOBODY_TAKES = {
    "empty": b"",
    "malformed": b'{"install_id": ',
    "a list": b"[]",
    "a string": b'"rt_x"',
    "null": b"null",
    "NaN": b'{"install_id": NaN}',
    "not UTF-8": b'{"install_id": "\xff\xfe"}',
    "UTF-16": '{"platform": "ios"}'.encode("utf-16"),
    "form data": b"install_id=1&platform=ios",
    "deep objects": b'{"a":' * 2700 + b"1" + b"}" * 2700,
    "deep lists": b'{"platform":' + b"[" * 7000 + b"]" * 7000 + b"}",
    "trailing data": b'{"platform":"ios"} {}',
}
FIELDS_NOBODY_TAKES = {
    "a NUL": '"a\\u0000b"',
    "a lone high surrogate": '"\\ud800"',
    "a lone low surrogate": '"\\udc00x"',
    "a raw control character": '"a\x01b"',
    "a number": "7",
    "a huge number": "1" + "0" * 400,
    "a float": "1e999",
    "true": "true",
    "null": "null",
    "a list": '["ios"]',
    "an object": '{"ios": 1}',
    "far too long": json.dumps("x" * 5000),
}


def counts():
    return Viewer.objects.count(), RefreshToken.objects.count()


def send(api, url, body, now, content_type="application/json"):
    return api.post(url, body, content_type=content_type, headers=clock_headers(now))


def refused(response, status, code):
    return (response.status_code, response["Content-Type"], response.json()["code"]) == (
        status,
        "application/problem+json",
        code,
    )


@pytest.fixture(autouse=True)
def rows_that_must_not_move(db, now):
    refresh_tokens.open_family(device=DeviceFactory(), now=now)
    before = list(RefreshToken.objects.values()), list(Viewer.objects.values())
    yield
    assert (list(RefreshToken.objects.values()), list(Viewer.objects.values())) == before


@pytest.mark.parametrize("url", ENDPOINTS)
@pytest.mark.parametrize("body", BODIES_NOBODY_TAKES.values(), ids=BODIES_NOBODY_TAKES.keys())
def test_refuses_a_body_that_is(api, url, body, now):
    assert refused(send(api, url, body, now), 400, "malformed_body")


@pytest.mark.parametrize(
    ("url", "field"), [(url, field) for url, body in ENDPOINTS.items() for field in body]
)
@pytest.mark.parametrize("value", FIELDS_NOBODY_TAKES.values(), ids=FIELDS_NOBODY_TAKES.keys())
def test_refuses_a_required_field_that_is(api, url, field, value, now):
    body = json.dumps(ENDPOINTS[url] | {field: "@"}).replace('"@"', value)

    assert refused(send(api, url, body, now), 400, "malformed_body")


@pytest.mark.parametrize("field", ["app_version", "locale", "region"])
@pytest.mark.parametrize("value", FIELDS_NOBODY_TAKES.values(), ids=FIELDS_NOBODY_TAKES.keys())
def test_refuses_an_optional_field_that_is(api, field, value, now):
    body = json.dumps(GUEST | {field: "@"}).replace('"@"', value)

    assert refused(send(api, "/v1/viewers", body, now), 400, "malformed_body")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("install_id", ""),
        ("install_id", "not-a-uuid"),
        ("install_id", "0d9a2c52-5a0e-4f0b-a5a7-3f0c7cf2a001\n"),
        ("platform", "iOS"),
        ("platform", "symbian"),
        ("app_version", "1.0\n"),
        ("app_version", "1.0; DROP"),
        ("app_version", "版本一"),
        ("app_version", "1" * 41),
        ("locale", ""),
        ("locale", "e"),
        ("locale", "en_US"),
        ("locale", "en\n"),
        ("locale", "en--US"),
        ("locale", "en-" + "a" * 40),
        ("region", "us"),
        ("region", "U"),
        ("region", "USA"),
        ("region", "U1"),
        ("region", "\n"),
        ("region", "U\n"),
        ("region", "ÜS"),
    ],
)
def test_refuses_a_guest_who_says(api, field, value, now):
    assert refused(
        send(api, "/v1/viewers", json.dumps(GUEST | {field: value}), now), 400, "malformed_body"
    )


@pytest.mark.parametrize(("url", "body"), ENDPOINTS.items(), ids=ENDPOINTS.keys())
def test_refuses_an_unknown_field(api, url, body, now):
    response = send(api, url, json.dumps(body | {"coins": 1}), now)

    assert refused(response, 400, "malformed_body")
    assert "coins" in response.json()["detail"]


@pytest.mark.parametrize(
    ("url", "field"), [(url, field) for url, body in ENDPOINTS.items() for field in body]
)
def test_refuses_a_missing_field(api, url, field, now):
    body = {name: value for name, value in ENDPOINTS[url].items() if name != field}

    response = send(api, url, json.dumps(body), now)
    assert refused(response, 400, "malformed_body")
    assert field in response.json()["detail"]


@pytest.mark.parametrize("url", ENDPOINTS)
def test_refuses_more_than_the_endpoint_takes(api, url, now):
    body = b'{"platform": "' + b"x" * (16 * 1024) + b'"}'

    assert refused(send(api, url, body, now), 413, "body_too_large")


@pytest.mark.parametrize("url", ENDPOINTS)
def test_refuses_far_more_than_the_server_reads(api, url, now):
    body = b" " * (9 * 1024 * 1024)

    assert refused(send(api, url, body, now), 413, "body_too_large")


@pytest.mark.parametrize("url", ENDPOINTS)
def test_reads_no_body_from_another_method(api, url, now):
    response = api.get(url, headers=clock_headers(now))

    assert refused(response, 405, "method_not_allowed")


@pytest.mark.parametrize("url", [*ENDPOINTS, "/v1/me"])
@pytest.mark.parametrize("header", ["yesterday", "", "a.b.c", "2026-03-14T12:00:00Z", "é", "." * 9])
def test_refuses_a_clock_that_nobody_signed(api, url, header, now):
    headers = viewer_headers(DeviceFactory.build(), now=now) | {"X-Clock": header}
    method = api.get if url == "/v1/me" else api.post
    extra = {} if url == "/v1/me" else {"data": {}, "content_type": "application/json"}

    assert refused(method(url, headers=headers, **extra), 400, "clock_refused")


@pytest.mark.parametrize("query", ["x=1", "x=%00", "viewer_id=1&viewer_id=2"])
def test_refuses_a_query_string_it_did_not_ask_for(api, query, now):
    response = api.get(f"/v1/me?{query}", headers=viewer_headers(Device.objects.get(), now=now))

    assert refused(response, 400, "bad_parameter")
