"""Whole bodies that no operation takes: refused as a problem, whatever they are, and nothing moves."""

import codecs
import gzip
import json
import random
from collections.abc import Callable, Mapping

import pytest
from django.conf import settings
from django.test import Client

from tests.contracts import document
from tests.contracts.document import Operation
from tests.contracts.world import World, calls
from tests.hostile.fragments import DEEP, SHALLOW
from tests.hostile.sending import address, complaint, everything, send, shown
from tests.proof import Proof

TAKING_JSON = [operation for operation in document.operations() if operation.body_schema]
MALFORMED = frozenset({"malformed_body", "body_too_large"})
FUZZ_SEED = 1914


def _with_member(body: bytes, member: str) -> bytes:
    return body[:-1] + f", {member}}}".encode()


def _first_again(body: bytes) -> bytes:
    name, value = next(iter(json.loads(body).items()))
    return _with_member(body, f"{json.dumps(name)}: {json.dumps(value)}")


def _first_again_escaped(body: bytes) -> bytes:
    name, value = next(iter(json.loads(body).items()))
    return _with_member(body, f'"\\u{ord(name[0]):04x}{name[1:]}": {json.dumps(value)}')


def _without_first(body: bytes) -> bytes:
    members = json.loads(body)
    members.pop(next(iter(members)))
    return json.dumps(members).encode()


#: By name: what becomes of a body that would succeed.
BODIES: Mapping[str, Callable[[bytes], bytes]] = {
    "nothing": lambda body: b"",
    "spaces": lambda body: b" \r\n\t ",
    "cut in the middle": lambda body: body[: len(body) // 2],
    "without its end": lambda body: body[:-1],
    "without its first member": _without_first,
    "in a list": lambda body: b"[" + body + b"]",
    "in a text": lambda body: json.dumps(body.decode()).encode(),
    "an empty list": lambda body: b"[]",
    "a number": lambda body: b"1",
    "null": lambda body: b"null",
    "true": lambda body: b"true",
    "NaN": lambda body: b"NaN",
    "twice": lambda body: body + body,
    "followed by a text": lambda body: body + b'"x"',
    "followed by a NUL": lambda body: body + b"\x00",
    "after a NUL": lambda body: b"\x00" + body,
    "after a byte order mark": lambda body: codecs.BOM_UTF8 + body,
    "in UTF-16": lambda body: body.decode().encode("utf-16"),
    "in UTF-16 without a mark": lambda body: body.decode().encode("utf-16-le"),
    "in UTF-32": lambda body: body.decode().encode("utf-32"),
    "compressed": gzip.compress,
    "with a trailing comma": lambda body: body[:-1] + b",}",
    "with a comment": lambda body: body + b" // that is all",
    "in single quotes": lambda body: body.replace(b'"', b"'"),
    "with bare names": lambda body: body.replace(b'"', b""),
    "as a form": lambda body: b"quote=1&transaction=2",
    "in XML": lambda body: b"<?xml version='1.0'?><quote>1</quote>",
    "with an unknown member": lambda body: _with_member(body, '"coins": 1'),
    "with a member of the prototype": lambda body: _with_member(body, '"__proto__": {}'),
    "with an empty name": lambda body: _with_member(body, '"": 1'),
    "with a NUL in a name": lambda body: _with_member(body, '"a\\u0000": 1'),
    "with a surrogate in a name": lambda body: _with_member(body, '"\\ud800": 1'),
    "with a member twice": _first_again,
    "with a member twice, once escaped": _first_again_escaped,
    "deep lists": lambda body: b"[" * DEEP + b"]" * DEEP,
    "deep objects": lambda body: b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "lists as deep as the limit allows": lambda body: b"[" * SHALLOW + b"]" * SHALLOW,
    "an unknown member of lists as deep": lambda body: _with_member(
        body, '"x": ' + "[" * SHALLOW + "]" * SHALLOW
    ),
    "deep objects of no end": lambda body: b'{"a":' * DEEP,
    "an unknown member of deep lists": lambda body: _with_member(
        body, '"x": ' + "[" * DEEP + "]" * DEEP
    ),
    "an unknown member of a long number": lambda body: _with_member(body, '"x": ' + "9" * 100_000),
    "every byte": lambda body: bytes(range(256)),
}
MEDIA_TYPES = [
    "text/plain",
    "text/json",
    "application/jsonp",
    "application/json2",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "application/xml",
    "application/octet-stream",
    "json",
    "",
    "/",
    "\xff",
    "x" * 5000,
]
LENGTHS = {
    "letters": "abc",
    "negative": "-5",
    "a sign": "+5",
    "a fraction": "5.0",
    "another script's digit": "\u0665",
    "a superscript": "²",
    "longer than any": "9" * 5000,
    "two": "5, 5",
}

PIECES = [
    *(b"", b"\\", b'"', b"\x00", b"\\u0000", b"\\ud800", b"\xed\xa0\x80"),
    *(b"0", b"-", b"1e999", b"[", b"}", b",", b":", b"null", b"{}"),
]


@pytest.mark.parametrize("operation", TAKING_JSON, ids=str)
def test_refuses_what_is_not_one_plain_object(
    operation: Operation, world: World, stranger: Client
) -> None:
    call = calls(world, operation.name)[0]
    url, headers = address(operation, call.path), world.headers(operation.credential)
    right = json.dumps(call.body).encode()
    before, wrong = everything(), []

    for name, become in BODIES.items():
        response = send(stranger, operation, url, body=become(right), headers=headers)
        if complaint(response, codes=MALFORMED):
            wrong.append((name, shown(response)))

    assert wrong == []
    assert everything() == before


@pytest.mark.parametrize("operation", TAKING_JSON, ids=str)
def test_refuses_a_body_declared_as_something_else(
    operation: Operation, world: World, stranger: Client
) -> None:
    call = calls(world, operation.name)[0]
    url, headers = address(operation, call.path), world.headers(operation.credential)
    right = json.dumps(call.body).encode()
    before, wrong = everything(), []

    for media_type in MEDIA_TYPES:
        response = send(
            stranger, operation, url, body=right, content_type=media_type, headers=headers
        )
        if complaint(response, codes={"unsupported_media_type"}):
            wrong.append((media_type, shown(response)))

    assert wrong == []
    assert everything() == before


@pytest.mark.parametrize("operation", TAKING_JSON, ids=str)
def test_refuses_a_body_past_the_limit(
    operation: Operation, world: World, stranger: Client
) -> None:
    call = calls(world, operation.name)[0]
    url, headers = address(operation, call.path), world.headers(operation.credential)
    right = json.dumps(call.body).encode()
    before = everything()

    for size_bytes in (4 * 1024 * 1024 + 1, settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1):
        response = send(stranger, operation, url, body=right.ljust(size_bytes), headers=headers)
        assert complaint(response, codes={"body_too_large"}) is None
    # What is declared is believed before a byte of it is read.
    response = send(
        stranger, operation, url, body=right, headers=headers, CONTENT_LENGTH=str(10**12)
    )
    assert complaint(response, codes={"body_too_large"}) is None
    assert everything() == before


@pytest.mark.parametrize("operation", TAKING_JSON, ids=str)
def test_refuses_a_body_of_no_length(operation: Operation, world: World, stranger: Client) -> None:
    call = calls(world, operation.name)[0]
    url, headers = address(operation, call.path), world.headers(operation.credential)
    right = json.dumps(call.body).encode()
    before, wrong = everything(), []

    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    for environ in (chunked, *({"CONTENT_LENGTH": length} for length in LENGTHS.values())):
        response = send(stranger, operation, url, body=right, headers=headers, **environ)
        if complaint(response, codes={"length_required"}):
            wrong.append((environ, shown(response)))

    assert wrong == []
    assert everything() == before


@pytest.mark.parametrize("operation", TAKING_JSON, ids=str)
def test_survives_a_body_with_bytes_changed_at_random(
    operation: Operation, world: World, stranger: Client, proof: Proof
) -> None:
    call = calls(world, operation.name)[0]
    url, headers = address(operation, call.path), world.headers(operation.credential)
    right = json.dumps(call.body).encode()
    chance = random.Random(proof.seed if proof.is_full else FUZZ_SEED)  # noqa: S311
    wrong = []

    for _ in range(proof.rounds(full=5000)):
        body = _mutated(right, chance)
        response = send(stranger, operation, url, body=body, headers=headers)
        is_success = response.status_code in operation.success_statuses
        if not is_success and complaint(response, codes=operation.codes):
            wrong.append((body, shown(response)))

    assert wrong == []
    proof.record("T32", f"{operation}, bytes changed at random", violations=0)


def _mutated(body: bytes, chance: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        to = min(len(changed), at + chance.choice([0, 1, 1, 2, 8]))
        echo, byte = bytes(changed[to : to + 20]), bytes([chance.randrange(256)])
        changed[at:to] = chance.choice([*PIECES, echo, byte, byte])
    return bytes(changed)
