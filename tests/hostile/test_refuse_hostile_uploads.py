"""Files that are not what they are said to be: refused as a problem, and nothing is kept."""

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.contracts import document
from tests.contracts.document import Operation
from tests.contracts.world import World, calls
from tests.factories.catalog import MP4_HEAD, PNG_HEAD
from tests.hostile.sending import address, complaint, everything, send, shown

#: A store's message is bytes as well, and is JSON.
TAKING_FILES = [
    operation
    for operation in document.operations()
    if set(operation.raw_body_types) - {"application/json"}
]
MISTAKEN = frozenset({"media_mismatch"})

#: By name: a body, and the media type that it is sent as. It is addressed by its own hash.
FILES: Mapping[str, tuple[bytes, str]] = {
    "nothing": (b"", "image/png"),
    "one byte": (b"\x89", "image/png"),
    "a cut-off head": (PNG_HEAD[:7], "image/png"),
    "a page": (b"<html><script>alert(1)</script>", "image/png"),
    "a drawing with a script": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/webp"),
    "a page after a video's mark": (b"<!--ftyp--><script>", "video/mp4"),
    "a video as a poster": (MP4_HEAD, "image/jpeg"),
    "a poster as a video": (PNG_HEAD, "video/mp4"),
    "a program": (b"\x7fELF" + bytes(60), "video/mp4"),
    "an archive": (b"PK\x03\x04" + bytes(60), "image/webp"),
    "JSON": (b'{"media": 1}', "image/jpeg"),
}
MEDIA_TYPES = [
    *("", "image", "image/*", "*/*", "image/svg+xml", "image/gif", "video/quicktime", "text/html"),
    *("application/json", "application/octet-stream", "multipart/form-data; boundary=x"),
    *("application/x-www-form-urlencoded", "image/png, video/mp4", "\xff", "x" * 5000),
]


@pytest.fixture(params=TAKING_FILES, ids=str)
def operation(request: Any) -> Operation:
    found: Operation = request.param
    return found


def test_refuses_a_file_that_is_something_else(
    operation: Operation, world: World, stranger: Client
) -> None:
    headers, before, wrong = world.headers(operation.credential), everything(), []

    for name, (content, media_type) in FILES.items():
        url = address(operation, {"sha256": hashlib.sha256(content).hexdigest()})
        response = send(
            stranger,
            operation,
            url,
            body=content,
            headers=headers,
            CONTENT_TYPE=media_type,
            CONTENT_LENGTH=str(len(content)),
        )
        if complaint(response, codes=MISTAKEN):
            wrong.append((name, shown(response)))

    assert wrong == []
    assert everything() == before


def test_refuses_a_file_of_a_type_it_does_not_take(
    operation: Operation, world: World, stranger: Client
) -> None:
    call = calls(world, operation.name)[0]
    url, headers = address(operation, call.path), world.headers(operation.credential)
    assert isinstance(call.body, bytes)
    before, wrong = everything(), []

    for media_type in MEDIA_TYPES:
        response = send(
            stranger, operation, url, body=call.body, content_type=media_type, headers=headers
        )
        if complaint(response, codes={"unsupported_media_type"}):
            wrong.append((media_type, shown(response)))

    assert wrong == []
    assert everything() == before


def test_refuses_a_file_past_the_limit_or_of_no_length(
    operation: Operation, world: World, stranger: Client, settings: Settings
) -> None:
    call = calls(world, operation.name)[0]
    url, headers = address(operation, call.path), world.headers(operation.credential)
    assert isinstance(call.body, bytes)
    settings.MEDIA_UPLOAD_BYTES = len(call.body) - 1
    before = everything()

    for code, environ in {
        "body_too_large": {},
        "length_required": {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""},
    }.items():
        response = send(
            stranger,
            operation,
            url,
            body=call.body,
            content_type=call.content_type,
            headers=headers,
            **environ,
        )
        assert complaint(response, codes={code}) is None
    assert everything() == before
