"""Every operation answers as its document says, to calls that are right, at the edge, and wrong.

Schemathesis drives the application through WSGI from the document alone. Its generated calls carry
real ids, quotes and transactions every other time, so that they get past the first check.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core import NOT_SET
from schemathesis.generation import GenerationMode

from config.wsgi import application
from tests.contracts import document, refusals
from tests.contracts.document import Operation
from tests.contracts.world import CALLS, Call, World, calls
from tests.proof import Proof

FUZZED_CALLS = 400
FUZZ_SEED = 1914
_EDGE_OF_THE_CALENDAR = re.compile(r"^(0001-01-01|9999-12-31)[Tt]")
PLAIN_DATA_REFUSALS = frozenset({"malformed_body", "bad_parameter", "unsupported_media_type"})


def _strict(described: dict[str, Any]) -> dict[str, Any]:
    """The document, in which an answer has no member beyond the documented ones."""
    for name, schema in described["components"]["schemas"].items():
        if name != "ProblemShape" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return described


def _loaded(**phases: bool) -> Any:
    """The document as Schemathesis holds it, aimed at the application in this process."""
    settled = {
        "seed": FUZZ_SEED,
        # A schema cannot say that text has no NUL; tests/hostile sends them to every field.
        "generation": {"deterministic": True, "allow-x00": False},
        "checks": {"negative_data_rejection": {"expected-statuses": ["4xx"]}},
        "phases": {name: {"enabled": is_on} for name, is_on in phases.items()},
    }
    described = _strict(msgspec.json.decode(msgspec.json.encode(document.published())))
    loaded = schemathesis.openapi.from_dict(
        described, config=schemathesis.Config.from_dict(settled)
    )
    loaded.app = application
    return loaded


@schemathesis.serializer("image/jpeg", "image/png", "image/webp", "video/mp4")
def _as_it_is(context: Any, value: Any) -> Any:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


load_all_checks()
CHECKED = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "response_headers_conformance",
        "negative_data_rejection",
        "unsupported_method",
        "allow_header_conformance",
    )
]
AT_BOUNDARIES = _loaded(fuzzing=False, examples=False, coverage=True)
AT_RANDOM = _loaded(fuzzing=True, examples=False, coverage=False)
VERSIONED = document.versioned()


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """As in Django's own test client: the end of a request must not end the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def _judge(case: Any, world: World, operation: Operation) -> int:
    """Sends a case, asserts that the answer is as documented, and returns its status."""
    response = case.call(headers=world.headers(operation.credential))
    case.validate_response(response, checks=CHECKED)
    status = response.status_code
    if status in operation.success_statuses:
        return int(status)
    fault = refusals.fault(
        status, _first(response.headers, "content-type"), response.content, codes=operation.codes
    )
    assert fault is None, f"{case.as_curl_command()}\n{fault}"
    if case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE:
        code = refusals.code_of(response.content)
        assert code not in PLAIN_DATA_REFUSALS, f"{case.as_curl_command()}\n{response.text}"
    return int(status)


def _first(headers: Any, name: str) -> str | None:
    values = headers.get(name)
    return values[0] if values else None


def _case(loaded: Any, operation: Operation, call: Call) -> Any:
    return loaded[operation.path][operation.method].Case(
        path_parameters=dict(call.path),
        query=dict(call.query),
        body=NOT_SET if call.body is None else call.body,
        media_type=call.content_type if call.body is not None else None,
    )


def test_every_operation_has_a_call_that_succeeds() -> None:
    assert {operation.name for operation in document.operations()} == set(CALLS)


@pytest.mark.parametrize("operation", VERSIONED, ids=str)
def test_answers_every_documented_success(operation: Operation, world: World) -> None:
    made = calls(world, operation.name)

    answered = [_judge(_case(AT_RANDOM, operation, call), world, operation) for call in made]

    assert answered == [call.status for call in made]
    assert set(answered) == operation.success_statuses


@pytest.mark.matrix(6)
@pytest.mark.parametrize("operation", VERSIONED, ids=str)
def test_answers_as_documented_at_every_boundary(operation: Operation, world: World) -> None:
    cases = _at_boundaries(operation)
    assert cases

    for case in cases:
        _judge(case, world, operation)


def _at_boundaries(operation: Operation) -> list[Any]:
    """What is right and wrong at each edge of each parameter, and with some parameters and without others.

    All reports read their parameters by one code, and what is left out is as if it was not: of what is
    right with some and without others each takes a quarter.
    """
    described = AT_BOUNDARIES[operation.path][operation.method]
    config = AT_BOUNDARIES.config.generation_for(operation=described, phase="coverage")
    cases = AT_BOUNDARIES.iter_coverage_cases(
        described, generation_modes=list(GenerationMode), generation_config=config
    )
    of_one: list[Any] = []
    of_many: list[Any] = []
    for case in cases:
        is_right = case.meta.generation.mode is GenerationMode.POSITIVE
        is_of_many = is_right and case.meta.phase.data.parameter is None
        (of_many if is_of_many else of_one).append(case)
    if operation.runs_a_report:
        of_many = of_many[VERSIONED.index(operation) % 4 :: 4]
    return of_one + of_many


@pytest.mark.matrix(6)
@pytest.mark.parametrize("operation", VERSIONED, ids=str)
def test_answers_as_documented_whatever_is_sent(
    operation: Operation, world: World, proof: Proof
) -> None:
    described = AT_RANDOM[operation.path][operation.method]
    real = _real_parts(calls(world, operation.name)[0])
    kept = st.sets(st.sampled_from(sorted(real))) if real else st.just(set[str]())
    right, wrong = (described.as_strategy(mode) for mode in GenerationMode)

    @seeded(proof.seed if proof.is_full else FUZZ_SEED)
    @settings(
        max_examples=proof.rounds(full=FUZZED_CALLS),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=right | wrong, parts=kept)
    def explore(case: Any, parts: set[str]) -> None:
        # Part of the case from here on, which may have been wrong only for being without.
        case.headers = {**(case.headers or {}), **world.headers(operation.credential)}
        if case.meta.generation.mode is GenerationMode.POSITIVE:
            case.body = _as_clients_write(case.body)
            for part in parts:
                _put(case, part, real[part])
        _judge(case, world, operation)

    explore()
    proof.record("T32", f"{operation}, called at random", violations=0)


def _real_parts(call: Call) -> dict[str, Any]:
    """What of a call that succeeds can stand in a generated one, by place."""
    body = call.body if isinstance(call.body, dict) else {}
    return {f"path {name}": value for name, value in call.path.items()} | {
        f"body {name}": value for name, value in body.items()
    }


def _put(case: Any, part: str, value: Any) -> None:
    place, _, name = part.partition(" ")
    if place == "path":
        case.path_parameters[name] = value
    elif isinstance(case.body, dict):
        case.body[name] = value


def _as_clients_write(value: Any) -> Any:
    """To a schema 1.0 is an integer, and a day on which a zone's midnight lies before all years is a
    day. To us they are not, and no client writes them."""
    if isinstance(value, dict):
        return {name: _as_clients_write(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_as_clients_write(item) for item in value]
    if isinstance(value, str):
        return _EDGE_OF_THE_CALENDAR.sub("2026-06-15T", value)
    return int(value) if isinstance(value, float) else value
