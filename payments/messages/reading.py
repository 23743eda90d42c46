"""A store's message made readable for a person: what is encoded is decoded, what is secret is left out.

Nothing here is believed: signatures were verified when it came, and are not looked at again.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

#: A signed text in compact form, JWS.
_SIGNED = re.compile(r"eyJ[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*")
_SECRET_NAMES = frozenset({"client_secret", "secret", "password", "access_token", "refresh_token"})
#: Stripe's secrets of payments say what they are wherever they stand.
_SECRET_TEXT = re.compile(
    r"\b(?:pi|seti|cs|src|sk|rk|whsec)_[A-Za-z0-9]+_secret_[A-Za-z0-9]+|whsec_\w+"
)
_DEEPEST = 8
_LEFT_OUT = "[left out]"
MAXIMUM_CHARACTERS = 100_000


def body(raw: bytes) -> str:
    """A body as indented JSON, with the payloads of signed texts and Pub/Sub's data in place of them; as text, or
    its size, where it is neither."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return f"{len(raw)} bytes that are no text"
    content = _decoded(text, 0)
    shown = content if isinstance(content, str) else _written(content)
    return shown if len(shown) <= MAXIMUM_CHARACTERS else shown[:MAXIMUM_CHARACTERS] + " …"


def headers(kept: Mapping[str, str]) -> Mapping[str, str]:
    """Headers without what would let anybody send the same: of an Authorization its scheme, of a signature its
    time."""
    return {name: _header(name.lower(), value) for name, value in kept.items()}


def _header(name: str, value: str) -> str:
    if name == "authorization":
        return f"{value.partition(' ')[0]} {_LEFT_OUT}"
    if name == "stripe-signature":
        parts = [part.partition("=") for part in value.split(",")]
        return ",".join(f"{key}={text if key == 't' else _LEFT_OUT}" for key, _, text in parts)
    return value


def _decoded(content: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        return content
    if isinstance(content, Mapping):
        return {name: _member(name, value, depth) for name, value in content.items()}
    if isinstance(content, list):
        return [_decoded(one, depth + 1) for one in content]
    if isinstance(content, str):
        return _decoded_text(content, depth)
    return content


def _member(name: str, value: Any, depth: int) -> Any:
    if name in _SECRET_NAMES and value:
        return _LEFT_OUT
    if name == "data" and isinstance(value, str):
        return _decoded(_from_base64(value), depth + 1)
    return _decoded(value, depth + 1)


def _decoded_text(text: str, depth: int) -> Any:
    signed = _SIGNED.fullmatch(text.strip())
    if signed is not None:
        return _decoded(_from_base64(signed[1]), depth + 1)
    if text[:1] in {"{", "["}:
        try:
            return _decoded(json.loads(text), depth + 1)
        except (ValueError, RecursionError):
            pass
    return _SECRET_TEXT.sub(_LEFT_OUT, text)


def _from_base64(text: str) -> str:
    """The text itself where it is no base64 of a text."""
    try:
        padded = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        return base64.b64decode(padded, validate=True).decode()
    except (binascii.Error, ValueError):
        return text


def _written(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False)
