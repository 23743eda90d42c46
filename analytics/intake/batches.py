"""Reading a batch of events from its bytes, so that one bad event never harms the others.

The envelope is strict, as every body is. What stands in `events` is taken apart without being
understood: whatever is no plain JSON is set aside with its bytes, and the rest is read as if it had
not been there. Plain means: UTF-8, numbers and escapes as RFC 8259 writes them, nothing nested past
the parser's depth, and no object that names a member twice, of which parsers keep the first or the
last and would disagree about what was reported.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Raw

from analytics.intake.events import AppContext, Moment
from config.bodies import RequestShape
from config.problems import MalformedBody

EVENTS_PER_BATCH = 500
BATCH_BYTES = 256 * 1024

#: A text, open-ended if nothing closes it, or a mark of structure. Possessive, so that no input
#: makes it look at a byte twice.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[][{},]', re.DOTALL)
#: An event is judged as deep in lists as it can stand in a body, and then some.
_LISTS = 8


class BatchRequest(RequestShape):
    """`batch_id` is made by the client before its first try, and `sent_at` read from its clock right
    before each. `events` has up to 500 of them, each judged by itself, of the version of the catalogue
    that `catalogue` names.
    """

    batch_id: UUID
    sent_at: Moment
    app: AppContext
    events: Annotated[list[Raw], Meta(min_length=1, max_length=EVENTS_PER_BATCH)]
    catalogue: Annotated[int, Meta(ge=1, le=10_000)] = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch whose envelope is right. `unreadable` has the reason for each event that is no JSON."""

    batch_id: UUID
    sent_at: datetime
    catalogue: int
    app: AppContext
    events: Sequence[Raw | bytes]
    unreadable: Mapping[int, str]


_decoder = msgspec.json.Decoder(BatchRequest)


def read(body: bytes) -> Batch:
    """The batch in `body`. Raises MalformedBody when the envelope is not as documented."""
    try:
        return _batch(_decode(body), {}, {})
    except MalformedBody:
        mended, events, unreadable = _set_aside(body)
        if not unreadable:
            raise
    return _batch(_decode(mended), events, unreadable)


def _batch(
    request: BatchRequest, replaced: Mapping[int, bytes], unreadable: Mapping[int, str]
) -> Batch:
    events: list[Raw | bytes] = [*request.events]
    for position, event in replaced.items():
        events[position] = event
    try:
        sent_at = request.sent_at.astimezone(UTC)
    except OverflowError as error:
        raise MalformedBody("`sent_at` is outside of the calendar.") from error
    return Batch(request.batch_id, sent_at, request.catalogue, request.app, events, unreadable)


def _decode(body: bytes) -> BatchRequest:
    try:
        request = _decoder.decode(body)
        _refuse_repeated_names(body)
    except RecursionError as error:
        raise MalformedBody("The body is nested too deeply.") from error
    except UnicodeDecodeError as error:
        raise MalformedBody("The body is not UTF-8.") from error
    except (msgspec.DecodeError, json.JSONDecodeError) as error:
        raise MalformedBody(str(error)) from error
    return request


def _refuse_repeated_names(text: bytes) -> None:
    # Numbers stay text: the longest would take quadratic time.
    # Decoded here, since `json` would let raw surrogates pass.
    plain = text.decode()
    json.loads(
        plain, object_pairs_hook=_distinct, parse_int=str, parse_float=str, parse_constant=str
    )


def _distinct(members: list[tuple[str, Any]]) -> None:
    if len(dict(members)) != len(members):
        raise MalformedBody("An object names the same member twice.")


def elements(body: bytes) -> list[bytes]:
    """The events of a batch whatever its envelope is, as they stand there."""
    return [body[first:end].strip(b" \t\r\n") for first, end in _elements(body)]


def _set_aside(body: bytes) -> tuple[bytes, dict[int, bytes], dict[int, str]]:
    """The body with `null` for every unreadable event, those events, and why each is unreadable."""
    parts, events, unreadable, done = [], {}, {}, 0
    for position, (first, end) in enumerate(_elements(body)):
        event = body[first:end].strip(b" \t\r\n")
        reason = _unreadable(event) if event else None
        if reason is not None:
            parts += [body[done:first], b"null"]
            done = end
            events[position], unreadable[position] = event, reason
    return b"".join([*parts, body[done:]]), events, unreadable


def _elements(body: bytes) -> Iterator[tuple[int, int]]:
    """Where each element of a list begins and ends that is a member of the body's object.

    Structure is followed without recursion, and neither numbers nor texts are looked into.
    """
    depth, first = 0, None
    for token in _TOKEN.finditer(body):
        mark = token[0]
        if mark in b"[{":
            depth += 1
            if depth == 2:
                first = token.end() if mark == b"[" else None
        elif mark in b"]}":
            if depth == 2 and first is not None:
                yield first, token.start()
                first = None
            depth -= 1
        elif mark == b"," and depth == 2 and first is not None:
            yield first, token.start()
            first = token.end()


def _unreadable(event: bytes) -> str | None:
    """Why the event is no plain JSON, or None."""
    nested = b"[" * _LISTS + event + b"]" * _LISTS
    try:
        msgspec.json.decode(nested)
        _refuse_repeated_names(nested)
    except RecursionError:
        return "It is nested too deeply."
    except UnicodeDecodeError:
        return "It is not UTF-8."
    except MalformedBody as error:
        return error.detail
    except (msgspec.DecodeError, json.JSONDecodeError):
        return "It is not plain JSON."
    return None
