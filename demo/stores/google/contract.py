"""Google's discovery document as a judge: whether a call, and its answer, are as Google describes them."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

_INTEGERS = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1)}
_LONGS = {"int64": (-(2**63), 2**63 - 1), "uint64": (0, 2**64 - 1)}
_TYPES: Mapping[str, Any] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "array": list,
}


@dataclass(frozen=True)
class Method:
    """One call of the document."""

    name: str
    verb: str
    path: re.Pattern[str]
    parameters: Mapping[str, Any]
    request: str
    response: str


class Contract:
    """One discovery document (Google API Discovery Service, version 1)."""

    def __init__(self, path: Path) -> None:
        document = msgspec.json.decode(path.read_bytes())
        self._schemas: Mapping[str, Any] = document["schemas"]
        self._common: Mapping[str, Any] = document["parameters"]
        self._methods = list(_methods(document))

    def method(self, verb: str, path: str) -> Method | None:
        """The call of a request."""
        return next(
            (one for one in self._methods if one.verb == verb and one.path.fullmatch(path)), None
        )

    def wrong_request(
        self, method: Method, query: Mapping[str, Sequence[str]], body: bytes
    ) -> list[str]:
        """What is wrong with a request."""
        found = []
        for name, values in query.items():
            schema = method.parameters.get(name) or self._common.get(name)
            if schema is None:
                found.append(f"an unknown parameter {name}")
                continue
            if len(values) > 1 and not schema.get("repeated"):
                found.append(f"{name} comes more than once")
            found += [f"{name}={value}" for value in values if not _is_parameter(value, schema)]
        if not method.request:
            return found + (["a body where none belongs"] if body else [])
        return found + self._wrong_bytes(method.request, body)

    def wrong_answer(self, method: Method, body: bytes) -> list[str]:
        """What is wrong with an answer of success."""
        if not method.response:
            return ["an answer where none belongs"] if body else []
        return self._wrong_bytes(method.response, body)

    def wrong(self, schema: str, value: Any) -> list[str]:
        """What is wrong with a value of a schema."""
        return list(self._wrong({"$ref": schema}, value, "$"))

    def _wrong_bytes(self, schema: str, body: bytes) -> list[str]:
        try:
            return self.wrong(schema, msgspec.json.decode(body))
        except msgspec.DecodeError:
            return ["not JSON"]

    def _wrong(self, schema: Mapping[str, Any], value: Any, where: str) -> Iterator[str]:
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"]]
        kind = schema.get("type", "any")
        if kind == "any":
            return
        is_flag = isinstance(value, bool)
        if not isinstance(value, _TYPES[kind]) or (is_flag and kind != "boolean"):
            yield f"{where} is no {kind}"
        elif kind == "array":
            for place, one in enumerate(value):
                yield from self._wrong(schema["items"], one, f"{where}[{place}]")
        elif kind == "object":
            yield from self._wrong_object(schema, value, where)
        elif "enum" in schema and value not in schema["enum"]:
            yield f"{where} is {value!r}"
        elif not _is_of_format(value, schema.get("format", "")):
            yield f"{where} is no {schema['format']}"

    def _wrong_object(
        self, schema: Mapping[str, Any], value: Mapping[str, Any], where: str
    ) -> Iterator[str]:
        known = schema.get("properties", {})
        for name, one in value.items():
            inner = known.get(name) or schema.get("additionalProperties")
            if inner is None:
                yield f"{where}.{name} is unknown"
            else:
                yield from self._wrong(inner, one, f"{where}.{name}")


def _methods(resource: Mapping[str, Any], prefix: str = "") -> Iterator[Method]:
    for name, method in resource.get("methods", {}).items():
        parts = re.split(r"\{\+?([A-Za-z]+)\}", "/" + method.get("flatPath", method["path"]))
        pattern = "".join(
            "([^/:]+)" if place % 2 else re.escape(part) for place, part in enumerate(parts)
        )
        yield Method(
            name=prefix + name,
            verb=method["httpMethod"],
            path=re.compile(pattern),
            parameters={
                name: schema
                for name, schema in method.get("parameters", {}).items()
                if schema["location"] == "query"
            },
            request=method.get("request", {}).get("$ref", ""),
            response=method.get("response", {}).get("$ref", ""),
        )
    for name, inner in resource.get("resources", {}).items():
        yield from _methods(inner, f"{prefix}{name}.")


def _is_parameter(text: str, schema: Mapping[str, Any]) -> bool:
    kind, form = schema.get("type"), schema.get("format", "")
    if kind == "boolean":
        return text in {"true", "false"}
    if kind == "integer":
        return bool(re.fullmatch("-?[0-9]{1,20}", text)) and _is_of_format(int(text), form)
    return ("enum" not in schema or text in schema["enum"]) and _is_of_format(text, form)


def _is_of_format(value: Any, form: str) -> bool:
    if form in _INTEGERS:
        least, most = _INTEGERS[form]
        return least <= int(value) <= most
    if form in _LONGS:
        least, most = _LONGS[form]
        return bool(re.fullmatch("-?[0-9]{1,20}", str(value))) and least <= int(value) <= most
    if form == "google-datetime":
        return _is_moment(value)
    if form == "byte":
        return _is_base64(value)
    return True


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True
