"""Signing keys: one secret ring in, a separate key for each use out.

The ring is an ordered list of `key id:base64 secret`. The first entry signs, every entry verifies,
so a key is rotated by putting a new one in front and dropping the old one when the longest-lived
thing it signed has expired. Each purpose (access tokens, quotes, playback, ...) gets its own key,
derived with HKDF-SHA-256 (RFC 5869) from the ring's secret, so that a signature made for one
purpose can never be passed off as one for another.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

MINIMUM_SECRET_BYTES = 32


class BadKeyring(Exception):
    """The configured ring cannot be used; the message says what is wrong, never the secret."""


@dataclass(frozen=True)
class PurposeKeys:
    """The keys of one purpose, by key id; `signing_id` names the one that signs."""

    signing_id: str
    by_id: Mapping[str, bytes]

    def mac(self, message: bytes, *, key_id: str) -> bytes:
        """The HMAC-SHA-256 of `message` under the ring's key `key_id`. Raises KeyError."""
        return hmac.digest(self.by_id[key_id], message, hashlib.sha256)


def parse(text: str) -> dict[str, bytes]:
    """Reads `id:base64,id:base64`. Raises BadKeyring for a short, doubled or unreadable key."""
    ring: dict[str, bytes] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        key_id, separator, encoded = entry.partition(":")
        if not separator or not key_id.isalnum():
            raise BadKeyring("an entry is not of the form `id:base64`, the id letters and digits")
        try:
            secret = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadKeyring(f"the secret of key {key_id!r} is not base64") from error
        if len(secret) < MINIMUM_SECRET_BYTES:
            raise BadKeyring(f"the secret of key {key_id!r} is under {MINIMUM_SECRET_BYTES} bytes")
        if key_id in ring:
            raise BadKeyring(f"the key id {key_id!r} appears twice")
        ring[key_id] = secret
    if not ring:
        raise BadKeyring("no key is configured")
    return ring


def generate(key_id: str) -> str:
    """A new one-key ring in the configuration's own form."""
    return f"{key_id}:{base64.b64encode(secrets.token_bytes(MINIMUM_SECRET_BYTES)).decode()}"


def keys_for(purpose: str) -> PurposeKeys:
    """The derived keys of `purpose` under the configured ring. Raises BadKeyring."""
    return _derive(settings.KEYRING, purpose)


@cache
def _derive(text: str, purpose: str) -> PurposeKeys:
    ring = parse(text)
    derived = {
        key_id: HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret)
        for key_id, secret in ring.items()
    }
    return PurposeKeys(signing_id=next(iter(ring)), by_id=derived)
