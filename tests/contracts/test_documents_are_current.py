"""The documents that are written from the code say what the code says, and nothing is left out."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

import config
from config import api_errors
from config.api_errors import STATUS
from config.management.commands import write_openapi
from config.openapi import StructExtension
from config.problems import Problem
from tests.contracts import document

#: What any operation may answer although nobody can say when: a lock held too long, a part of the
#: service away, an error of ours, and the framework's refusal, which stands behind every other.
NEVER_PLANNED = frozenset({"busy", "unavailable", "internal_error", "forbidden"})


def _kinds(base: type[Problem] = Problem) -> Iterator[type[Problem]]:
    """Every refusal that is defined in the service."""
    for kind in base.__subclasses__():
        if not kind.__module__.startswith("tests."):
            yield kind
        yield from _kinds(kind)


def _codes_answered_by_handlers() -> set[str]:
    """The codes that `config.api_errors` answers without a Problem, read from its functions."""
    tree = ast.parse(Path(str(api_errors.__file__)).read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {
        node.value
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Constant) and node.value in STATUS
    }


def test_the_api_document_is_current() -> None:
    assert write_openapi.DOCUMENT.read_bytes() == write_openapi.document()


def test_no_document_is_written_in_which_two_schemas_share_a_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of the two would be described as the other."""
    monkeypatch.setattr(StructExtension, "get_name", lambda *_: "Answer")

    with pytest.raises(CommandError, match='identical names "Answer"'):
        write_openapi.document()


def test_every_problem_has_a_status() -> None:
    assert {kind.code for kind in _kinds()} <= set(STATUS)


def test_no_status_is_of_a_code_that_nobody_answers() -> None:
    assert set(STATUS) == {kind.code for kind in _kinds()} | _codes_answered_by_handlers()


def test_no_two_problems_share_a_code() -> None:
    kinds = list(_kinds())

    assert len({kind.code for kind in kinds}) == len(kinds)


def test_every_problem_reads_as_a_fact() -> None:
    for kind in _kinds():
        assert kind.title[0].isupper(), kind
        assert not kind.title.endswith("."), kind


def test_every_code_is_announced_by_an_operation() -> None:
    announced = set().union(*(operation.codes for operation in document.operations()))

    assert announced == set(STATUS) - NEVER_PLANNED


def test_every_operation_says_what_it_is_for() -> None:
    for operation in document.operations():
        assert operation.definition["summary"], operation
        assert operation.definition["description"], operation


def test_every_moment_is_documented_as_one() -> None:
    found = [
        f"{name}.{member}"
        for name, schema in document.whole()["components"]["schemas"].items()
        for member, described in schema.get("properties", {}).items()
        if (member == "at" or member.endswith("_at")) and "date-time" not in _formats(described)
    ]

    assert found == []


def _formats(schema: dict[str, Any]) -> set[str]:
    return {option.get("format", "") for option in [schema, *schema.get("anyOf", [])]}


def test_the_document_is_the_service_and_not_the_machine_it_was_written_on() -> None:
    assert str(Path(config.__file__).parent.parent) not in write_openapi.document().decode()
