"""Strict parsing of request bodies and query strings into msgspec structs.

One parser for every endpoint: unknown fields are refused, and repeated ones, of which parsers in
other languages keep the first or the last; numbers are not coerced from text or booleans; NUL
characters and lone surrogates (which PostgreSQL cannot store) never get past it.
"""

import json
import re
from collections.abc import Collection
from typing import Any, TypeVar

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, QueryDict
from django.http.request import UnreadablePostError

from config.problems import (
    BadParameter,
    BodyTooLarge,
    LengthRequired,
    MalformedBody,
    UnsupportedMediaType,
)

Shape = TypeVar("Shape", bound=msgspec.Struct)

JSON = "application/json"

_LENGTH = re.compile(r"[0-9]{1,18}")

#: `\u0000` preceded by an even number of backslashes is an escaped NUL; after an odd number the
#: first backslash is itself escaped and the rest is plain text.
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class RequestShape(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Base of everything a client sends: an unknown field is refused, never ignored.

    Written again for a digest, it leaves defaults out, so that a new optional field changes none.
    """


class AnswerShape(msgspec.Struct, kw_only=True):
    """Base of everything we answer."""


def read(request: HttpRequest, shape: type[Shape], *, limit_bytes: int) -> Shape:
    """The request's JSON body as `shape`.

    Raises MalformedBody, UnsupportedMediaType, and what `raw` raises.
    """
    body = raw(request, limit_bytes=limit_bytes)
    if body:
        check_media_type(request, {JSON})
    return decode(body, shape)


def check_media_type(request: HttpRequest, accepted: Collection[str]) -> None:
    """Raises UnsupportedMediaType unless the body is declared as one of `accepted`."""
    if request.content_type not in accepted:
        raise UnsupportedMediaType(accepted=sorted(accepted))


def check_length(request: HttpRequest) -> None:
    """Raises LengthRequired for a body of no length that can be read, as one sent in chunks: WSGI
    ends a body at its declared length, so this one would be taken for empty.
    """
    declared = request.headers.get("Content-Length", "")
    if not _LENGTH.fullmatch(declared or "0"):
        raise LengthRequired
    if "Transfer-Encoding" in request.headers and not declared:
        raise LengthRequired


def raw(request: HttpRequest, *, limit_bytes: int) -> bytes:
    """The body's bytes. Raises LengthRequired, MalformedBody when it is cut short, and BodyTooLarge
    past `limit_bytes`, before reading them if declared.
    """
    check_length(request)
    if int(request.headers.get("Content-Length") or 0) > limit_bytes:
        raise BodyTooLarge(limit_bytes=limit_bytes)
    try:
        body = request.body
    except RequestDataTooBig as error:
        raise BodyTooLarge(limit_bytes=limit_bytes) from error
    except UnreadablePostError as error:
        raise MalformedBody("The body ended before its declared length.") from error
    if len(body) > limit_bytes:
        raise BodyTooLarge(limit_bytes=limit_bytes)
    return body


def decode(body: bytes, shape: type[Shape]) -> Shape:
    """`body` as `shape`. Raises MalformedBody with the place and the reason."""
    # Most bodies have none, and finding that out is a hundred times faster without an expression.
    if b"\\u0000" in body and _ESCAPED_NUL.search(body):
        raise MalformedBody("NUL characters are not accepted.")
    try:
        decoded = msgspec.json.decode(body or b"{}", type=shape)
    except RecursionError as error:
        raise MalformedBody("The body is nested too deeply.") from error
    except UnicodeDecodeError as error:
        raise MalformedBody("The body is not UTF-8.") from error
    except msgspec.DecodeError as error:
        raise MalformedBody(str(error)) from error
    _refuse_repeated_names(body or b"{}")
    return decoded


def _refuse_repeated_names(body: bytes) -> None:
    # Numbers stay text: their value was judged before, and the longest would take quadratic time.
    json.loads(body, object_pairs_hook=_distinct, parse_int=str, parse_float=str)


def _distinct(members: list[tuple[str, Any]]) -> None:
    names = {name for name, _ in members}
    if len(names) != len(members):
        raise MalformedBody("An object names the same member twice.")


def read_part(text: str, shape: Any) -> str:
    """A part of the path, if it has the form that bodies demand of the same thing. Raises BadParameter."""
    try:
        return str(msgspec.convert(text, shape))
    except msgspec.ValidationError as error:
        raise BadParameter(str(error)) from error


def read_query(parameters: QueryDict, shape: type[Shape]) -> Shape:
    """The query string as `shape`, numbers read from text. Raises BadParameter."""
    for name, values in parameters.lists():
        if len(values) > 1:
            raise BadParameter(f"`{name}` is given more than once.")
    given = parameters.dict()
    if any("\x00" in name or "\x00" in str(value) for name, value in given.items()):
        raise BadParameter("NUL characters are not accepted.")
    try:
        return msgspec.convert(given, type=shape, strict=False)
    except msgspec.ValidationError as error:
        raise BadParameter(str(error)) from error
