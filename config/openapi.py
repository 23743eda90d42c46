"""The OpenAPI document: names of operations, and our one request and answer type, msgspec structs."""

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

import msgspec
from django.db.models import Choices
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent

REF = "#/components/schemas/{name}"


class OperationSchema(AutoSchema):
    """Names an operation after its view: POST of UnlockEpisode is `post_unlock_episode`."""

    def get_operation_id(self) -> str:
        view = type(self.view).__name__.removesuffix("Endpoint")
        return f"{self.method.lower()}_{re.sub(r'(?<!^)(?=[A-Z])', '_', view).lower()}"


def describe_choices(choices: type) -> dict[str, Any]:
    """msgspec's schema hook for Django's choices, which it takes for a type it does not know."""
    if not issubclass(choices, Choices):
        raise NotImplementedError(choices)
    return {"type": "string", "enum": list(choices.values)}


class StructExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A struct becomes the JSON schema that msgspec enforces when it decodes it."""

    target_class = "msgspec.Struct"
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: Any) -> str:
        name: str = self.target.__name__
        return name

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        others = set(_named_types(msgspec.inspect.type_info(self.target))) - {self.target}
        _, schemas = msgspec.json.schema_components(
            [self.target, *others], schema_hook=describe_choices, ref_template=REF
        )
        schemas |= {named.__name__: _union(named) for named in others if _is_open(named)}
        for named in others:
            auto_schema.registry.register_on_missing(
                ResolvedComponent(  # type: ignore[no-untyped-call]
                    name=named.__name__,
                    type=ResolvedComponent.SCHEMA,
                    object=named,
                    schema=schemas[named.__name__],
                )
            )
        own: dict[str, Any] = schemas[self.target.__name__]
        return own


def _named_types(info: msgspec.inspect.Type) -> Iterator[type]:
    """Every struct and enumeration inside a type: what becomes a component of its own."""
    if isinstance(info, msgspec.inspect.StructType):
        yield info.cls
        if _is_open(info.cls):
            for kind in _kinds(info.cls):
                yield from _named_types(msgspec.inspect.type_info(kind))
        for member in info.fields:
            yield from _named_types(member.type)
    elif isinstance(info, msgspec.inspect.EnumType):
        enumeration: type[Enum] = info.cls
        yield enumeration
    for attribute in ("item_type", "key_type", "value_type"):
        if inner := getattr(info, attribute, None):
            yield from _named_types(inner)
    for inner in (*getattr(info, "types", ()), *getattr(info, "item_types", ())):
        yield from _named_types(inner)


def _is_open(named: type) -> bool:
    """Whether a struct stands for whatever `kinds` it lists, which apps above its own may add to."""
    return "kinds" in vars(named)


def _kinds(named: Any) -> Sequence[Any]:
    kinds: Sequence[Any] = named.kinds()
    return kinds


def _union(named: Any) -> dict[str, Any]:
    """The schema of an open struct: one of its kinds, told apart by its tag."""
    kinds = {kind.__struct_config__.tag: kind for kind in _kinds(named)}
    refs = {tag: REF.format(name=kind.__name__) for tag, kind in kinds.items()}
    return {
        "anyOf": [{"$ref": ref} for ref in refs.values()],
        "discriminator": {
            "propertyName": named.__struct_config__.tag_field,
            "mapping": refs,
        },
    }


def keep_versioned(endpoints: list[Any]) -> list[Any]:
    """The document describes the versioned API, not the health checks or the schema itself."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/v1/")]
