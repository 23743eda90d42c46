"""Anything at all, put in the place of any value of any JSON body.

The document is the judge: what it allows is taken, everything else is refused as malformed, moves
nothing, and is never an error of ours.
"""

from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import Any

import pytest
from django.test import Client

from tests.contracts import document
from tests.contracts.document import Operation
from tests.contracts.world import World, calls
from tests.hostile.fragments import FRAGMENTS, places, put, strict
from tests.hostile.sending import address, complaint, everything, send, shown

TAKING_JSON = [operation for operation in document.operations() if operation.body_schema]
Attempt = tuple[tuple[str | int, ...], str, bytes]
MALFORMED = frozenset({"malformed_body", "body_too_large"})
#: Members whose parts are judged one by one and never harm the whole: tests/analytics sends them.
JUDGED_APART = {"post_events": "events"}


def _unmentioned(schema: Mapping[str, Any], value: Any, at: str) -> list[str]:
    """The documented members, at any depth, that `value` does not have."""
    schema = document.resolved(schema)
    if value is None:
        return []
    for option in schema.get("anyOf", []):
        if document.resolved(option).get("type") != "null":
            return _unmentioned(option, value, at)
    if isinstance(value, list):
        return [lack for item in value[:1] for lack in _unmentioned(schema["items"], item, at)]
    if not isinstance(value, dict):
        return []
    members = schema.get("properties", dict.fromkeys(value, schema.get("additionalProperties", {})))
    found = [f"{at}.{name}" for name in members if name not in value]
    for name in members.keys() & value.keys():
        found += _unmentioned(members[name], value[name], f"{at}.{name}")
    return found


@pytest.mark.parametrize("operation", TAKING_JSON, ids=str)
def test_the_call_that_succeeds_speaks_of_every_field(operation: Operation, world: World) -> None:
    body = calls(world, operation.name)[0].body

    assert operation.body_schema is not None
    assert _unmentioned(operation.body_schema, body, "$") == []


@pytest.mark.matrix(4)
@pytest.mark.parametrize("operation", TAKING_JSON, ids=str)
def test_takes_what_the_document_allows_and_nothing_else(
    operation: Operation, world: World, stranger: Client
) -> None:
    assert operation.body_schema is not None
    call = calls(world, operation.name)[0]
    url, headers = address(operation, call.path), world.headers(operation.credential)
    judge = document.validator(operation.body_schema)
    refused: list[Attempt] = []
    taken: list[Attempt] = []
    apart = JUDGED_APART.get(operation.name)
    all_places = [place for place in places(call.body) if place[0] != apart]
    every = min(4, len(all_places))
    for (at, place), (nth, name) in product(enumerate(all_places), enumerate(FRAGMENTS)):
        # What is no JSON is none wherever it stands: each place takes its part of that.
        if _is_json(FRAGMENTS[name]) or (at + nth) % every == 0:
            body = put(call.body, place, FRAGMENTS[name])
            (taken if _is_allowed(body, judge) else refused).append((place, name, body))
    before, wrong = everything(), []
    assert refused
    assert taken

    for place, name, body in refused:
        response = send(stranger, operation, url, body=body, headers=headers)
        if complaint(response, codes=MALFORMED):
            wrong.append((place, name, shown(response)))

    assert wrong == []
    assert everything() == before
    for place, name, body in taken:
        response = send(stranger, operation, url, body=body, headers=headers)
        is_success = response.status_code in operation.success_statuses
        if not is_success and complaint(response, codes=operation.codes - MALFORMED):
            wrong.append((place, name, shown(response)))
    assert wrong == []


@cache
def _is_json(fragment: bytes) -> bool:
    try:
        strict(fragment)
    except ValueError:
        return False
    return True


def _is_allowed(body: bytes, judge: Any) -> bool:
    try:
        return bool(judge.is_valid(strict(body)))
    except ValueError:
        return False
