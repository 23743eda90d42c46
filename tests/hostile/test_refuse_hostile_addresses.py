"""Anything at all in an address: in the parts of its path, in its query string, in a cursor."""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes
from uuid import uuid4

import pytest
from django.test import Client

from tests.contracts import document
from tests.contracts.document import Operation
from tests.contracts.world import World, calls
from tests.hostile.sending import address, complaint, everything, send, share

OPERATIONS = document.operations()
WITH_PATH = [operation for operation in OPERATIONS if operation.parameters("path")]
WITH_CURSOR = [operation for operation in OPERATIONS if "cursor" in operation.parameters("query")]
#: Players and image caches add parameters of their own to the address of a file.
#: Stores call whatever address they were told, with whatever is behind it.
FREE_QUERY = frozenset({"get_poster", "get_video", "post_webhook"})

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]+)?([eE][0-9]{1,2})?")

#: Parts of a path, as they go over the wire.
PARTS = [
    *(str(uuid4()), str(uuid4()).upper(), "{" + str(uuid4()) + "}", f"urn:uuid:{uuid4()}"),
    *(
        uuid4().hex,
        f"{uuid4()}0",
        f"{uuid4()}%0A",
        "0" * 36,
        "g" * 8 + "-0000-0000-0000-" + "g" * 12,
    ),
    *("0", "-1", "1e400", "null", "undefined", "true", "NaN", "__proto__", "9" * 100),
    *("%00", "a%00b", "%00" * 36, "%01", "%7F", "%0D%0AX-Injected:%201", "%0A"),
    *("%FF", "%ED%A0%80", "%C0%AF", "%E2%82", "%F8%88%80%80%80", "%EF%BF%BF", "%EF%BB%BF"),
    *("%", "%%", "%zz", "%u0000", "%25", "%2500", "+", "%20", "%09"),
    *(".", "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2F", "a%2Fb", "%5C", "a/b", "~", "*"),
    *(
        "'",
        "%22",
        "' OR 1=1 --",
        "%27%3BDROP%20TABLE",
        "{{7*7}}",
        "%24%7Bx%7D",
        "<script>",
        ";",
        "a;b",
    ),
    *("%E6%B5%B7%E4%BC%A6", "%F0%9F%98%80", "e%CC%81", "%E2%80%AE", "intents", "x" * 20_000),
]
#: Values of query parameters, as they go over the wire.
VALUES = [
    *(
        "",
        "0",
        "1",
        "-1",
        "+5",
        "05",
        "5.0",
        "1e2",
        "0x10",
        "1_0",
        "%D9%A5",
        "NaN",
        "Infinity",
        "true",
    ),
    *(
        "null",
        "[]",
        "{}",
        "2147483648",
        "9223372036854775808",
        "9" * 400,
        "9" * 6000,
        "1" + "0" * 30,
    ),
    *(
        "%00",
        "a%00b",
        "%FF",
        "%ED%A0%80",
        "%C0%AF",
        "%E2%82",
        "%EF%BF%BE",
        "%F0%9F%98%80",
        "%01",
        "%0A",
    ),
    *(
        "%",
        "%zz",
        "%u0000",
        "%25",
        "%",
        "'",
        "%22",
        "%5C",
        "' OR 1=1 --",
        "%3Cscript%3E",
        "*",
        "%25%25",
    ),
    *("en", "en-US", "xx-", "-", "e", "%E6%B5%B7%E4%BC%A6", "a" * 36, "a" * 101, "x" * 50_000),
    *(
        "%21%26%7C",
        "a%20%26%20b",
        "a%3A*",
        "%28",
        "%3C-%3E",
        "and%20or%20not",
        "%E2%80%AE",
        "e%CC%81",
    ),
]
#: Query strings that no operation asked for.
STRAY = [
    *("x=1", "x", "=", "=1", "%00=1", "%FF=1", "__proto__=1", "debug=1", "format=html", "_=1"),
    *("limit[]=1", "limit%5B%5D=1", "LIMIT=1", " limit=1", "viewer_id=1", "environment=sandbox"),
    *("x=1&x=2", "&".join(f"p{n}=1" for n in range(1200)), "x=" + "y" * 100_000),
]
#: What a cursor may be forged to hold: JSON, before it is encoded.
POSITIONS = [
    *(
        b"",
        b"null",
        b"1",
        b'"x"',
        b"{}",
        b"[]",
        b"[null]",
        b"[1]",
        b'["x"]',
        b"[true, false]",
        b"\xff",
    ),
    *(
        b"[1e400]",
        b"[NaN]",
        b"[-1]",
        b"[2147483648]",
        b"[9223372036854775808]",
        b"[" + b"9" * 90 + b"]",
    ),
    *(b'["\\u0000"]', b'["\\ud800"]', b"[" * 140, b'["00000000-0000-0000-0000-000000000000"]'),
    *(b'["9999-12-31T23:59:59-23:59","00000000-0000-0000-0000-000000000000"]',),
    *(b'["0001-01-01T00:00:00+23:59","ffffffff-ffff-ffff-ffff-ffffffffffff"]',),
    *(b'["2026-03-01T09:00:00","00000000-0000-0000-0000-000000000000"]',),
    *(b'["2026-02-30T09:00:00Z","00000000-0000-0000-0000-000000000000"]',),
    *(
        b'[0,"00000000-0000-0000-0000-000000000000"]',
        b'[-1,"00000000-0000-0000-0000-000000000000"]',
    ),
    *(b'["0\' OR 1=1 --"]', b'["ffffffff-ffff-ffff-ffff-ffffffffffff"]'),
]


def _wrong(
    client: Client, operation: Operation, world: World, attempts: Iterator[tuple[str, bool]]
) -> list[object]:
    """What went wrong with addresses, each with whether the document allows it."""
    call, headers = calls(world, operation.name)[0], world.headers(operation.credential)
    found: list[object] = []
    for url, is_allowed in attempts:
        body, content_type = call.wire()
        response = send(
            client, operation, url, body=body, content_type=content_type, headers=headers
        )
        if is_allowed and response.status_code in operation.success_statuses:
            continue
        if fault := complaint(response, codes=operation.codes):
            found.append((url[:200], fault))
    return found


@pytest.mark.matrix(4)
@pytest.mark.parametrize("operation", WITH_PATH, ids=str)
def test_refuses_paths_that_lead_nowhere(
    operation: Operation, world: World, stranger: Client
) -> None:
    call = calls(world, operation.name)[0]
    before = everything()

    def attempts() -> Iterator[tuple[str, bool]]:
        for name, schema in operation.parameters("path").items():
            judge = document.validator(schema)
            for part in PARTS:
                given = {n: value for n, value in call.path.items() if n != name}
                url = address(operation, given).replace(f"{{{name}}}", part)
                text = unquote_to_bytes(part).decode("utf-8", "replace")
                if not ("pattern" in schema and judge.is_valid(text)):
                    yield url, False

    assert _wrong(stranger, operation, world, attempts()) == []
    assert everything() == before


@pytest.mark.matrix(4)
@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_takes_only_the_query_parameters_it_documents(
    operation: Operation, world: World, stranger: Client
) -> None:
    call = calls(world, operation.name)[0]
    known, before = operation.parameters("query"), everything()
    is_free = operation.name in FREE_QUERY

    def attempts() -> Iterator[tuple[str, bool]]:
        strays = [text for text in STRAY if text.partition("=")[0] not in known]
        for stray in share(strays, operation, OPERATIONS):
            yield f"{address(operation, call.path)}?{stray}", is_free
        for name, schema in known.items():
            judge = document.validator(schema)
            yield f"{address(operation, call.path)}?{name}=1&{name}=1", False
            for value in _values(operation, name):
                url = f"{address(operation, call.path)}?{name}={value}"
                yield url, judge.is_valid(_read(schema, value))

    assert _wrong(stranger, operation, world, attempts()) == []
    if not is_free and operation.method != "GET":
        assert everything() == before


def _values(operation: Operation, name: str) -> Sequence[str]:
    """What to send in a parameter. Reports read theirs by one code, by what is documented of each: those of
    one schema share the values."""
    if not operation.runs_a_report:
        return VALUES
    places = [
        (one.name, other)
        for one in OPERATIONS
        if one.runs_a_report
        for other, schema in one.parameters("query").items()
        if schema == operation.parameters("query")[name]
    ]
    every = min(4, len(places))
    return VALUES[places.index((operation.name, name)) % every :: every]


@pytest.mark.parametrize("operation", WITH_CURSOR, ids=str)
def test_refuses_cursors_that_it_did_not_issue(
    operation: Operation, world: World, stranger: Client
) -> None:
    call = calls(world, operation.name)[0]

    def attempts() -> Iterator[tuple[str, bool]]:
        for position in POSITIONS:
            cursor = base64.urlsafe_b64encode(position).decode().rstrip("=")
            yield f"{address(operation, call.path)}?cursor={cursor}", True
            if "q" in operation.parameters("query"):
                yield f"{address(operation, call.path)}?q=helen&cursor={cursor}", True

    assert _wrong(stranger, operation, world, attempts()) == []


def _read(schema: Mapping[str, Any], wire: str) -> object:
    """A query parameter as the document's reader takes it: an integer's is a number of JSON."""
    text = unquote_to_bytes(wire.replace("+", " ")).decode("utf-8", "replace")
    if schema.get("type") == "integer" and _NUMBER.fullmatch(text):
        return json.loads(text)
    return None if "\x00" in text else text
