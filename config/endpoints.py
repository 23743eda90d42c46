"""The shape of every endpoint: parse, one domain call, render.

`@operation` declares what a handler takes and answers. It reads the clock once, parses query and
body into the declared structs, renders the returned struct, and writes the same facts into the
OpenAPI document, so that neither can drift from the other.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any

import msgspec
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config import bodies, clock, problems
from config.openapi import describe_choices
from config.rendering import JsonRenderer

MONEY_BODY_BYTES = 16 * 1024
Handler = Callable[..., Any]


class AlwaysJson(BaseContentNegotiation):
    """The API speaks JSON whatever Accept says; a client that asks for HTML still gets an answer."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        return next(iter(parsers), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> Any:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class Endpoint(APIView):
    """Base view: open to anyone unless a subclass names its authenticators."""

    authentication_classes = []
    permission_classes = []
    renderer_classes = [JsonRenderer]
    content_negotiation_class = AlwaysJson
    # Without OPTIONS, which the framework answers with the name of a class.
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]

    def http_request(self) -> HttpRequest:
        """Django's own request under the REST framework's wrapper."""
        request: HttpRequest = self.request._request  # noqa: SLF001
        return request


class ProblemShape(msgspec.Struct, kw_only=True):
    """RFC 9457 problem details. `code` is stable; members beyond these depend on the code."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""


def operation(
    *,
    summary: str,
    answer: Any,
    status: int = HTTPStatus.OK,
    body: type[msgspec.Struct] | None = None,
    query: type[msgspec.Struct] | None = None,
    parameters: Sequence[OpenApiParameter] = (),
    refusals: Sequence[type[problems.Problem]] = (),
    limit_bytes: int = MONEY_BODY_BYTES,
    also_statuses: Sequence[int] = (),
    also_answers: Mapping[int, Any] | None = None,
    raw_body_types: Sequence[str] = (),
    any_query: bool = False,
    also_as: Sequence[str] = (),
) -> Callable[[Handler], Handler]:
    """Declares a handler method: what it takes, answers and refuses.

    The method receives `now`, then `body` and `query` if declared, then the path's parameters, all
    by keyword, and returns `answer` (or a ready HTTP response, whose status beside `status` is one
    of `also_statuses`, or of `also_answers`, each with an answer of its own). A body of `raw_body_types` is the method's own to read. A query string that
    was not declared is refused, unless `any_query` says that it means nothing here. `also_as` are the
    media types that the answer may have instead of JSON.
    """

    def decorate(method: Handler) -> Handler:
        @wraps(method)
        def handle(self: Endpoint, request: Request, **path: Any) -> HttpResponseBase:
            plain = self.http_request()
            given: dict[str, Any] = {"now": clock.now(plain)}
            if query is not None:
                given["query"] = bodies.read_query(plain.GET, query)
            elif not any_query:
                bodies.read_query(plain.GET, bodies.RequestShape)
            if raw_body_types:
                bodies.check_length(plain)
                bodies.check_media_type(plain, raw_body_types)
            if body is not None:
                given["body"] = bodies.read(plain, body, limit_bytes=limit_bytes)
            answered = method(self, request, **given, **path)
            if isinstance(answered, HttpResponseBase):
                return answered
            return Response(answered, status=status)

        schema: Handler = extend_schema(
            summary=summary,
            description=inspect.cleandoc(method.__doc__ or ""),
            # By media type: there are no parser classes that the schema could read it from.
            request={"application/json": body}
            if body
            else dict.fromkeys(raw_body_types, OpenApiTypes.BINARY) or None,
            responses=_responses(answer, [status, *also_statuses], refusals, also_as)
            | {
                other: OpenApiResponse(shape, description=HTTPStatus(other).phrase)
                for other, shape in (also_answers or {}).items()
            },
            parameters=[*_query_parameters(query), *parameters],
        )(handle)
        return schema

    return decorate


def _responses(
    answer: Any,
    statuses: Sequence[int],
    refusals: Sequence[type[problems.Problem]],
    also_as: Sequence[str],
) -> dict[Any, Any]:
    codes = ", ".join(f"`{refusal.code}`" for refusal in refusals)
    problem = f"A problem; codes besides the general ones: {codes}" if codes else "A problem"
    answers: dict[Any, Any] = {
        status: OpenApiResponse(answer, description=HTTPStatus(status).phrase)
        for status in statuses
    }
    for media_type in also_as:
        kind = OpenApiTypes.STR if media_type.startswith("text/") else OpenApiTypes.BINARY
        same = OpenApiResponse(kind, description="The same as a file")
        answers |= {(status, media_type): same for status in statuses}
    return answers | {
        ("default", "application/problem+json"): OpenApiResponse(ProblemShape, description=problem),
    }


def _query_parameters(query: type[msgspec.Struct] | None) -> list[OpenApiParameter]:
    if query is None:
        return []
    schema = msgspec.json.schema(query, schema_hook=describe_choices)
    definitions = schema["$defs"]
    fields = definitions[query.__name__]["properties"]
    required = definitions[query.__name__].get("required", [])
    return [
        OpenApiParameter(
            name,
            _inlined(field, definitions),
            required=name in required,
            location=OpenApiParameter.QUERY,
        )
        for name, field in fields.items()
    ]


def _inlined(field: dict[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a parameter, which has no place for definitions beside it: choices are spelled out."""
    shown = {name: value for name, value in field.items() if name != "$ref"}
    if "$ref" in field:
        shown = definitions[field["$ref"].rpartition("/")[2]] | shown
    if "anyOf" in field:
        shown["anyOf"] = [_inlined(option, definitions) for option in field["anyOf"]]
    return shown


def path_parameter(name: str, shape: Any) -> OpenApiParameter:
    """A part of the path that takes less than any text: what `shape` constrains it to."""
    return OpenApiParameter(name, msgspec.json.schema(shape), location=OpenApiParameter.PATH)


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[ -~]+$"},
    location=OpenApiParameter.HEADER,
    description="Up to 100 printable characters, made by the client before its first try. The same "
    "key with the same body answers as the first time; with another body it is refused.",
)
