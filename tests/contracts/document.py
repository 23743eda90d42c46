"""The service's operations, read from its own OpenAPI document: a new endpoint is in here unasked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import jsonschema_rs
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings

VERSIONED = "/v1/"
#: What any operation may refuse with; a document that named them everywhere would hide the others.
GENERAL = frozenset(
    {
        "malformed_body",
        "bad_parameter",
        "clock_refused",
        "body_too_large",
        "length_required",
        "not_found",
        "method_not_allowed",
        "unsupported_media_type",
    }
)
#: What a credential's bearer may be refused with, by the scheme that the operation declares.
OF_CREDENTIAL: Mapping[str | None, frozenset[str]] = {
    None: frozenset(),
    "viewerToken": frozenset({"not_authenticated", "token_invalid", "token_expired"}),
    "apiKey": frozenset({"not_authenticated", "api_key_invalid", "scope_missing"}),
}
_CODE = re.compile(r"`(\w+)`")

#: How the document writes a body that is not looked into.
_BYTES = {"type": "string", "format": "binary"}


@dataclass(frozen=True)
class Operation:
    """One method of one path, as documented."""

    method: str
    path: str
    definition: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def name(self) -> str:
        """Its operation id: `post_unlock_episode`."""
        return str(self.definition["operationId"])

    @property
    def credential(self) -> Literal["viewerToken", "apiKey"] | None:
        """The security scheme that it takes."""
        schemes = [name for scheme in self.definition.get("security", []) for name in scheme]
        return schemes[0] if schemes else None

    @property
    def body_schema(self) -> Mapping[str, Any] | None:
        """The schema of its JSON body, if it takes one that is read as such."""
        schema: Mapping[str, Any] | None = self._content.get("application/json", {}).get("schema")
        return None if schema == _BYTES else schema

    @property
    def raw_body_types(self) -> list[str]:
        """The media types of a body that is read as bytes."""
        return [name for name, taken in self._content.items() if taken.get("schema") == _BYTES]

    @property
    def _content(self) -> Mapping[str, Any]:
        content: Mapping[str, Any] = self.definition.get("requestBody", {}).get("content", {})
        return content

    @property
    def success_statuses(self) -> set[int]:
        """The documented 2xx."""
        return {int(status) for status in self.definition["responses"] if status != "default"}

    @property
    def codes(self) -> frozenset[str]:
        """Every problem code that its callers must expect."""
        description = self.definition["responses"]["default"]["description"]
        return GENERAL | OF_CREDENTIAL[self.credential] | frozenset(_CODE.findall(description))

    @property
    def runs_a_report(self) -> bool:
        """Whether it is answered by a query over the lake, which takes as long as fifty refusals."""
        return "/analytics/" in self.path or self.path.endswith("/beats")

    def parameters(self, place: Literal["path", "query", "header"]) -> dict[str, Mapping[str, Any]]:
        """Its parameters in one place, by name."""
        return {
            parameter["name"]: parameter["schema"]
            for parameter in self.definition.get("parameters", [])
            if parameter["in"] == place
        }


@cache
def whole() -> dict[str, Any]:
    """The document of everything the service answers, also outside the versioned API."""
    with patched_settings({"PREPROCESSING_HOOKS": []}):
        document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return document


@cache
def published() -> dict[str, Any]:
    """The document of the versioned API, as it is served and committed."""
    described: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return described


def operations() -> list[Operation]:
    """Every operation of the service."""
    return [
        Operation(method.upper(), path, definition)
        for path, methods in whole()["paths"].items()
        for method, definition in methods.items()
    ]


def versioned() -> list[Operation]:
    """Every operation of the versioned API."""
    return [operation for operation in operations() if operation.path.startswith(VERSIONED)]


def named(operation_id: str) -> Operation:
    """The operation of that id."""
    return next(operation for operation in operations() if operation.name == operation_id)


def validator(schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
    """Judges values by a schema of the document, formats included."""
    return jsonschema_rs.validator_for(
        {**schema, "components": whole()["components"]}, validate_formats=True
    )


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a `$ref` stands for, or itself."""
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = whole()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return resolved(found)
