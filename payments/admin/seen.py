"""Proof that an operator was shown exactly what they agree to."""

import hashlib

import msgspec

from config import seals

_PURPOSE = "admin-seen"


def token(shown: object) -> str:
    """For the form to carry: it stands for `shown`, every field of it."""
    return seals.seal(_PURPOSE, _fingerprint(shown))


def was_shown(shown: object, token: str) -> bool:
    """True when `token` stands for exactly this."""
    try:
        return seals.unseal(_PURPOSE, token) == _fingerprint(shown)
    except seals.SealBroken:
        return False


def _fingerprint(shown: object) -> bytes:
    return hashlib.sha256(msgspec.json.encode(shown)).digest()
