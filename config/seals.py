"""Sealed tokens: a payload anyone may carry and nobody may change.

`<payload>.<key id>.<signature>`, payload and signature in unpadded base64url. The signature covers
the text as sent, so there is exactly one token for a payload and a key, and none other is accepted.
"""

import base64
import binascii
import hmac

from config import keyring


class SealBroken(Exception):
    """The token was altered, is malformed, or was sealed for something else or by a dropped key."""


def seal(purpose: str, payload: bytes) -> str:
    """`payload` as a token for `purpose`, signed with the ring's current key."""
    keys = keyring.keys_for(purpose)
    return _sealed_text(keys, _encode(payload), keys.signing_id)


def unseal(purpose: str, token: str) -> bytes:
    """The payload of a token that `seal` made for `purpose`. Raises SealBroken."""
    encoded, _, rest = token.partition(".")
    key_id, _, _ = rest.partition(".")
    keys = keyring.keys_for(purpose)
    if key_id not in keys.by_id or not token.isascii():
        raise SealBroken
    if not hmac.compare_digest(token, _sealed_text(keys, encoded, key_id)):
        raise SealBroken
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
    except binascii.Error as error:  # only reachable with the key in hand
        raise SealBroken from error


def _sealed_text(keys: keyring.PurposeKeys, encoded: str, key_id: str) -> str:
    signed = f"{encoded}.{key_id}"
    return f"{signed}.{_encode(keys.mac(signed.encode(), key_id=key_id))}"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
