"""Idempotency keys of HTTP clients: the same request twice has one effect and one answer."""

import hashlib
from dataclasses import dataclass

import msgspec
from django.http import HttpRequest

from config.problems import Problem

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotent-Replayed"
MAXIMUM_CHARACTERS = 100


class KeyInvalid(Problem):
    code = "idempotency_key_invalid"
    title = f"Idempotency-Key takes 1 to {MAXIMUM_CHARACTERS} printable ASCII characters"


class KeyReused(Problem):
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used with another request"


@dataclass(frozen=True)
class IdempotencyKey:
    """A client's key, with the SHA-256 of the request it stands for."""

    value: str
    fingerprint: bytes


def read_key(request: HttpRequest, body: msgspec.Struct) -> IdempotencyKey | None:
    """The request's key, or None without the header. Raises KeyInvalid.

    The fingerprint covers method, path and the parsed body in canonical form, so that spacing and
    order of members do not make a retry look like another request.
    """
    value = request.headers.get(HEADER)
    if value is None:
        return None
    if not (0 < len(value) <= MAXIMUM_CHARACTERS and value.isascii() and value.isprintable()):
        raise KeyInvalid
    canonical = msgspec.json.encode(body, order="deterministic")
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode() + canonical)
    return IdempotencyKey(value=value, fingerprint=digest.digest())
