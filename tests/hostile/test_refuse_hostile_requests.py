"""Methods, hosts, headers and credentials that nobody should send: each answered as a problem."""

import base64
import re
from collections.abc import Mapping

import pytest
from django.test import Client

from config import clock
from tests.contracts import document
from tests.contracts.document import Operation
from tests.contracts.world import Call, World, calls
from tests.hostile.sending import (
    address,
    complaint,
    everything,
    send,
    share,
    shown,
)

OPERATIONS = document.operations()
WITH_CREDENTIAL = [operation for operation in OPERATIONS if operation.credential]
READS = [operation for operation in OPERATIONS if operation.method == "GET"]
PATHS = sorted({operation.path for operation in OPERATIONS})
METHODS = [
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "FOO",
]
NOWHERE = [
    *("/v1", "/v1/", "/v1/nothing", "/v1/me/", "/v1//me", "/V1/me", "/v1/ME", "/v2/me", "/v1/me/x"),
    *("/v1/../v1/me", "/v1/%6de/x", "/v1/me;x=1/", "/v1/me.json", "/v1/series/", "/v1/\x00"),
    *(
        "/nothing",
        "/media/",
        "/media/video/",
        "/fake-store",
        "/.env",
        "/wp-login.php",
        "/%FF",
        "/%",
    ),
    *("/v1/" + "x/" * 2000, "/" + "x" * 20_000),
]
HOSTS = [
    *("evil.example", "", " ", "a b", "[::1", "[x]", "testserver:x", "*"),
    *("testserver@evil.example", "testserver/", "testserver\x00", "\xff", ".", "-", "x" * 10_000),
    "evil.example#testserver",
]
_PRINTABLE = re.compile(r"[ -~]{1,100}")
NOISE = ["", "\x00", "\xff\xfe", "x" * 60_000, '"', ",", "a=b; " * 5000, "\x7f\x01"]
#: Headers that somebody reads, and what only an attacker puts there besides noise.
HEADERS: Mapping[str, list[str]] = {
    "Accept": ["text/html", "application/xml", "*/*;q=0", "application/json;version=9", "a/b/c"],
    "Accept-Language": [
        "*",
        "-",
        "zh-Hant-" + "x-" * 200,
        "en;q=x",
        "en;q=1e9",
        "%00",
        "en," * 3000,
    ],
    "Accept-Encoding": ["br;q=9", "*"],
    "Accept-Charset": ["utf-7"],
    "Content-Encoding": ["gzip"],
    "Cookie": ["sessionid=x; csrftoken=y", "sessionid=\xff", "=;=;="],
    "Expect": ["200-ok"],
    "Forwarded": ["for=127.0.0.1;host=evil.example"],
    "If-Match": ["*", '"x"'],
    "If-Modified-Since": ["yesterday", "Thu, 01 Jan 1970 00:00:00 GMT"],
    "If-None-Match": ['W/"', '"' * 999, '"x",' * 5000],
    "If-Range": ["x"],
    "Origin": ["null", "https://evil.example"],
    "Range": ["bytes=0-0,-1", "bytes=-", "bytes=9" + "9" * 5000 + "-", "items=0-5", "bytes=5-2"],
    "Referer": ["javascript:alert(1)"],
    "X-Forwarded-Host": ["evil.example"],
    "X-Forwarded-Proto": ["gopher"],
    "X-HTTP-Method-Override": ["DELETE"],
    "X-Original-URL": ["/admin/"],
}


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


#: JOSE headers of forged tokens: another algorithm, another key, and what breaks a parser.
FORGED_HEADERS = [
    *(b"", b"null", b'"x"', b"1", b"[]", b"\xff", b"[" * 1400, b'{"a":' * 280, b"9" * 1400),
    *(b'{"alg":"none"}', b'{"alg":"HS256"}', b'{"alg":{}}', b'{"alg":["HS256"]}', b'{"alg":NaN}'),
    *(b'{"alg":"HS256","kid":{}}', b'{"alg":"HS256","kid":["a"]}', b'{"alg":"HS256","kid":1}'),
    *(b'{"alg":"HS256","kid":"\\ud800"}', b'{"alg":"HS256","kid":"../../dev/null"}'),
    *(b'{"alg":"ES256","jwk":{"kty":"EC"}}', b'{"alg":"HS256","crit":["b64"],"b64":false}'),
    b'{"alg":"HS256","kid":"a","x5u":"https://evil.example/"}',
]
CREDENTIALS = [
    *("", "x", "Bearer", "Bearer ", "Bearer  x", "Bearer\tx", "bearer x", "Basic eDp5", "Digest x"),
    *("Bearer null", "Bearer undefined", "Bearer \x00", "Bearer \xff", "Bearer é", "Bearer a.b.c"),
    *("Bearer .", "Bearer ..", "Bearer ...", "Bearer " + "." * 2000, "Bearer " + "x" * 100_000),
    *("Bearer a.b.c, Bearer d.e.f", "Bearer clf_", "Bearer clf_000000000000_" + "A" * 43),
    *(f"Bearer {_b64(header)}.e30.AA" for header in FORGED_HEADERS),
    *(f"Bearer e30.{_b64(header)}.AA" for header in FORGED_HEADERS),
]


def _first_call(operation: Operation, world: World) -> tuple[str, Call]:
    call = calls(world, operation.name)[0]
    return address(operation, call.path, call.query), call


@pytest.mark.matrix(4)
@pytest.mark.parametrize("path", PATHS)
def test_refuses_a_method_that_is_not_documented(path: str, world: World, stranger: Client) -> None:
    documented = [operation for operation in OPERATIONS if operation.path == path]
    offered = {operation.method for operation in documented}
    url = address(documented[0], calls(world, documented[0].name)[0].path)
    headers = world.headers(documented[0].credential)
    before, wrong = everything(), []

    for method in METHODS:
        if method in offered:
            continue
        response = stranger.generic(method, url, b"{}", "application/json", headers=headers)
        allowed = set(response.headers.get("Allow", "").split(", ")) - {"HEAD"}
        if complaint(response, codes={"method_not_allowed"}) or allowed != offered:
            wrong.append((method, shown(response), allowed))

    assert wrong == []
    assert everything() == before


@pytest.mark.matrix(4)
@pytest.mark.parametrize("operation", READS, ids=str)
def test_answers_head_as_get_without_a_body(
    operation: Operation, world: World, stranger: Client
) -> None:
    url, _ = _first_call(operation, world)
    headers = world.headers(operation.credential)
    got = send(stranger, operation, url, headers=headers)
    head = stranger.head(url, headers=headers)

    assert (head.status_code, b"".join(head)) == (got.status_code, b"")
    assert head.headers["Content-Type"] == got.headers["Content-Type"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "FOO"])
def test_answers_an_address_that_does_not_exist_with_a_problem(
    method: str, world: World, stranger: Client
) -> None:
    headers, wrong = world.headers("viewerToken"), []

    for path in NOWHERE:
        response = stranger.generic(method, path, b"{}", "application/json", headers=headers)
        if complaint(response, codes={"not_found"}):
            wrong.append((path[:100], shown(response)))

    assert wrong == []


@pytest.mark.matrix(4)
@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_refuses_a_host_that_is_not_ours(
    operation: Operation, world: World, stranger: Client
) -> None:
    url, call = _first_call(operation, world)
    (body, content_type), headers = call.wire(), world.headers(operation.credential)
    before, wrong = everything(), []

    for host in share(HOSTS, operation, OPERATIONS):
        response = send(
            stranger,
            operation,
            url,
            body=body,
            content_type=content_type,
            headers=headers,
            HTTP_HOST=host,
        )
        if complaint(response, codes={"bad_parameter"}):
            wrong.append((host[:100], shown(response)))

    assert wrong == []
    assert everything() == before


@pytest.mark.matrix(4)
@pytest.mark.parametrize("operation", READS, ids=str)
def test_reads_the_same_whatever_else_the_headers_say(
    operation: Operation, world: World, stranger: Client
) -> None:
    url, _ = _first_call(operation, world)
    credential = world.headers(operation.credential)
    sent = [(name, value) for name, own in HEADERS.items() for value in [*own, *NOISE[:4]]]
    alike = [one for one in READS if one.runs_a_report == operation.runs_a_report]
    every = len(alike) if operation.runs_a_report else 8
    wrong = []

    for name, value in share(sent, operation, alike, every=every):
        response = send(stranger, operation, url, headers=credential | {name: value})
        is_read = response.status_code in {*operation.success_statuses, 304, 206, 416}
        if not is_read:
            wrong.append((name, value[:60], shown(response)))

    assert wrong == []


@pytest.mark.matrix(4)
@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_refuses_a_clock_and_a_key_that_are_noise(
    operation: Operation, world: World, stranger: Client
) -> None:
    url, call = _first_call(operation, world)
    (body, content_type), right = call.wire(), world.headers(operation.credential)
    sent = [(clock.HEADER, value, "clock_refused") for value in share(NOISE, operation, OPERATIONS)]
    if "Idempotency-Key" in operation.parameters("header"):
        keys = [value for value in NOISE if not _PRINTABLE.fullmatch(value)]
        sent += [("Idempotency-Key", value, "idempotency_key_invalid") for value in keys]
    before, wrong = everything(), []

    for name, value, code in sent:
        response = send(
            stranger,
            operation,
            url,
            body=body,
            content_type=content_type,
            headers=right | {name: value},
        )
        if complaint(response, codes={code}):
            wrong.append((name, value[:60], shown(response)))

    assert wrong == []
    assert everything() == before


@pytest.mark.matrix(4)
@pytest.mark.parametrize("operation", WITH_CREDENTIAL, ids=str)
def test_refuses_credentials_that_nobody_issued(
    operation: Operation, world: World, stranger: Client
) -> None:
    url, call = _first_call(operation, world)
    body, content_type = call.wire()
    refusals = {"not_authenticated", "token_invalid", "api_key_invalid"} & operation.codes
    alike = [one for one in WITH_CREDENTIAL if one.credential == operation.credential]
    before, wrong = everything(), []

    for credential in share(CREDENTIALS, operation, alike):
        headers = world.headers(None) | {"Authorization": credential}
        response = send(
            stranger, operation, url, body=body, content_type=content_type, headers=headers
        )
        if complaint(response, codes=refusals):
            wrong.append((credential[:100], shown(response)))
        elif response.headers.get("WWW-Authenticate") != "Bearer":
            wrong.append((credential[:100], "no challenge", response.headers))

    assert wrong == []
    assert everything() == before


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/schema", "/docs"])
def test_keeps_serving_what_is_not_an_operation(path: str, stranger: Client) -> None:
    wrong = []

    for url in (path, f"{path}/", f"{path}?format=x", f"{path}?x=%00&lang=%FF&version={'9' * 99}"):
        for method in METHODS:
            for value in ["text/html", *NOISE]:
                headers = {"Accept": value, "Accept-Language": value, "Cookie": value}
                response = stranger.generic(method, url, b"\x00", "text/plain", headers=headers)
                if response.status_code >= 500:
                    wrong.append((method, url, value[:60], shown(response)))

    assert wrong == []
