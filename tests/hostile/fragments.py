"""Pieces of JSON, and of what is not JSON, to put where a value belongs."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

DEEP = 200_000
#: Past any parser's recursion, and within the smallest limit of a body.
SHALLOW = 6000

#: By name, as they go over the wire.
FRAGMENTS: Mapping[str, bytes] = {
    "null": b"null",
    "an address": b'"https://app.test/"',
    "true": b"true",
    "false": b"false",
    "zero": b"0",
    "minus zero": b"-0",
    "a negative number": b"-1",
    "a fraction": b"1.5",
    "a whole number as a fraction": b"1.0",
    "a whole number with an exponent": b"1e3",
    "one past 64 bits": str(2**63).encode(),
    "one below 64 bits": str(-(2**63) - 1).encode(),
    "a 31-digit number": b"1" + b"0" * 30,
    "a 6000-digit number": b"9" * 6000,
    "a number past every float": b"1e400",
    "a number with a leading zero": b"01",
    "NaN": b"NaN",
    "infinity": b"Infinity",
    "minus infinity": b"-Infinity",
    "an empty text": b'""',
    "a text": b'"x"',
    "a number as text": b'"1"',
    "a boolean as text": b'"true"',
    "a long text": b'"' + b"x" * 5000 + b'"',
    "a text of spaces": b'"   "',
    "a text that ends its line": b'"en\\n"',
    "an escaped NUL": b'"a\\u0000b"',
    "an escaped NUL after a backslash": b'"\\\\\\u0000"',
    "a raw NUL": b'"a\x00b"',
    "a raw control character": b'"a\x01b"',
    "an escaped high surrogate": b'"\\ud800"',
    "an escaped low surrogate": b'"\\udc00x"',
    "two escaped high surrogates": b'"\\ud83d\\ud83d"',
    "a raw surrogate": b'"\xed\xa0\x80"',
    "a raw surrogate pair": b'"\xed\xa0\xbd\xed\xb8\x80"',
    "a byte that is not UTF-8": b'"\xff"',
    "an overlong slash": b'"\xc0\xaf"',
    "a cut-off character": b'"\xe2\x82"',
    "an unknown escape": b'"\\x41"',
    "a cut-off escape": b'"\\u00"',
    "a list": b'["x"]',
    "an empty list": b"[]",
    "an object": b'{"x": 1}',
    "an empty object": b"{}",
    "an object of the prototype": b'{"__proto__": {"coins": 1}}',
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "unclosed lists": b"[" * DEEP,
    "lists as deep as a small body can be": b"[" * SHALLOW + b"]" * SHALLOW,
    "objects as deep as a small body can be": b'{"a":' * 2000 + b"1" + b"}" * 2000,
    "nothing": b"",
    "a bare word": b"x",
    "a comment": b"/* */ 1",
}

_PLACEHOLDER = "a place for a fragment"


def places(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value inside a body, without the body itself."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in members:
        yield (*at, name)
        if isinstance(member, dict | list):
            yield from places(member, (*at, name))


def put(body: Any, place: tuple[str | int, ...], fragment: bytes) -> bytes:
    """The body as JSON with `fragment` in that place."""
    marked = json.loads(json.dumps(body))
    inner = marked
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = _PLACEHOLDER
    return json.dumps(marked).encode().replace(f'"{_PLACEHOLDER}"'.encode(), fragment)


def strict(body: bytes) -> Any:
    """The body as the strictest reader takes it. Raises ValueError for what is not plain JSON.

    A number written as a fraction stays one whatever its value, as it does for us.
    """
    if b"[" * 1000 in body or b'{"a":' * 1000 in body:
        raise ValueError("nested past any reader's depth")
    text = body.decode("utf-8")
    value = json.loads(text, parse_float=lambda _: 0.5, parse_constant=_refuse, parse_int=_whole)
    if "\x00" in (shown := json.dumps(value, ensure_ascii=False)) or "\\u0000" in shown:
        raise ValueError("NUL")
    shown.encode("utf-8")
    return value


def _refuse(name: str) -> None:
    raise ValueError(name)


def _whole(digits: str) -> int:
    """Longer numbers are out of every bound alike; Python reads no more than 4300 digits."""
    return int(digits[:40])
