"""AdMob's server-side verification: a signed query string, and the keys it is signed with.

The query ends in `&signature=...&key_id=...`. The signature is ECDSA P-256 over SHA-256 of everything
before that, *percent-decoded* and with `+` as a space. So it covers the text and not its division
into parameters: `custom_data=x%26user_id%3Dy` and `custom_data=x&user_id=y` share a signature. What
follows the verification leaves one way to read a signed text: known names, each once, in AdMob's
alphabetical order, and no `&` or `=` inside any value. An app's ids are its viewers' to choose: one
value that takes more would let a viewer move the others' ends.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ads.networks import queries
from ads.networks.base import (
    Conduct,
    Fault,
    HandOver,
    Keys,
    NetworkError,
    Part,
    Reply,
    SignedReward,
)
from ads.networks.shared_secrets import verdict_reply

MAXIMUM_KEYS = 100
MAXIMUM_KEY_ID = 2**63 - 1
#: What the console sends when an operator has it try the address.
PROBE_TRANSACTION = "123456789"
#: Google's production key, in the form in which Google publishes it.
SHIPPED_DOCUMENT = Path(__file__).parent / "admob_keys.json"

_SIGNATURE = "&signature="
_TAIL = re.compile(r"([A-Za-z0-9_-]{1,200})&key_id=([1-9][0-9]{0,18})")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MILLISECONDS = re.compile(r"[1-9][0-9]{12}")  # from 2001 to 2286

_UNDIVIDED = re.compile(r"[^&=]*")

#: Every parameter before the signature, and what its value must be. The two of the reward are the ad
#: unit's settings in the console: nothing is granted by them.
_SHAPES: Mapping[str, re.Pattern[str]] = {
    "ad_network": re.compile(r"[0-9A-Za-z_.-]{1,64}"),
    "ad_unit": re.compile(r"[0-9A-Za-z_.-]{1,100}"),
    "custom_data": _UNDIVIDED,
    "reward_amount": re.compile(r"[0-9]{1,9}"),
    "reward_item": _UNDIVIDED,
    "timestamp": _MILLISECONDS,
    "transaction_id": re.compile(r"[0-9A-Za-z_-]{1,100}"),
    "user_id": _UNDIVIDED,
}
_BEGIN = datetime.fromtimestamp(0, UTC)
_REQUIRED = ("ad_network", "ad_unit", "timestamp", "transaction_id")


class AdMobAdapter:
    """Verifies with the keys that Google publishes."""

    address_secret = ""
    conduct = Conduct(
        covered=frozenset(Part),
        answer_within_seconds=None,
        retries_seconds=(1.0,) * 5,
    )

    def __init__(self, *, keys_url: str, document: bytes | None = None) -> None:
        self.keys_url = keys_url
        self.document = SHIPPED_DOCUMENT.read_bytes() if document is None else document

    def keys(self, document: bytes) -> Keys:
        """See NetworkAdapter. One entry that cannot be read spoils the document."""
        try:
            entries = json.loads(document)["keys"]
            if not 0 < len(entries) <= MAXIMUM_KEYS:
                raise NetworkError(f"a document of {len(entries)} keys", Fault.MALFORMED)
            return {_key_id(entry): _public_key(entry) for entry in entries}
        except (ValueError, KeyError, TypeError, RecursionError, UnsupportedAlgorithm) as error:
            raise NetworkError(f"not a key document: {error!r:.200}", Fault.MALFORMED) from error

    def hand_over(self, *, session: str, viewer: str, ad_unit_id: str, now: datetime) -> HandOver:
        """See NetworkAdapter."""
        return HandOver(custom_data=session, user_id=viewer)

    def verify(self, query_string: str, keys: Keys, *, now: datetime | None = None) -> SignedReward:
        """See NetworkAdapter."""
        content = authentic(query_string, keys)
        values = _values(content)
        transaction_id = values["transaction_id"]
        custom_data, user_id = values.get("custom_data", ""), values.get("user_id", "")
        is_probe = transaction_id == PROBE_TRANSACTION or not (custom_data or user_id)
        for name, value in (("custom_data", custom_data), ("user_id", user_id)):
            # The console's operator types these as they please.
            if value and not is_probe and not _IDENTIFIER.fullmatch(value):
                raise NetworkError(f"{name} is not an identifier", Fault.MALFORMED)
        return SignedReward(
            transaction_id=transaction_id,
            ad_unit=values["ad_unit"],
            custom_data=custom_data,
            user_id=user_id,
            is_probe=is_probe,
            watched_at=_BEGIN + timedelta(milliseconds=int(values["timestamp"])),
        )

    def reply(self, reward: SignedReward, *, verdict: str, is_paid: bool) -> Reply:
        """See NetworkAdapter. AdMob reads the status alone."""
        return verdict_reply(verdict)


def authentic(query_string: str, keys: Keys) -> str:
    """The part of a query string that its signature covers, as it was sent. Raises NetworkError."""
    queries.check_length(query_string)
    content, _, tail = query_string.partition(_SIGNATURE)
    form = _TAIL.fullmatch(tail)
    if form is None or not content:
        raise NetworkError("the query does not end in signature and key_id", Fault.MALFORMED)
    signed, signature, key_id = queries.decoded(content), _signature(form[1]), int(form[2])
    if key_id > MAXIMUM_KEY_ID:
        raise NetworkError("key_id is past 64 bits", Fault.MALFORMED)
    key = keys.get(key_id)
    if key is None:
        raise NetworkError(f"signed with key {key_id}, which is not known", Fault.UNKNOWN_KEY)
    try:
        key.verify(signature, signed.encode(), ECDSA(SHA256()))
    except InvalidSignature as error:
        raise NetworkError("the signature does not match", Fault.FORGED) from error
    return content


def _signature(encoded: str) -> bytes:
    """The signature's bytes, from the one way to write them: base64url without padding."""
    try:
        decoded = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except binascii.Error as error:
        raise NetworkError("the signature is not base64", Fault.MALFORMED) from error
    # The last character has spare bits, which a decoder ignores.
    if base64.urlsafe_b64encode(decoded).decode().rstrip("=") != encoded:
        raise NetworkError("the signature is not canonical base64", Fault.MALFORMED)
    return decoded


def _values(content: str) -> Mapping[str, str]:
    """The parameters of a signed query, of which there is only this reading. Raises NetworkError."""
    pairs = [pair.partition("=") for pair in content.split("&")]
    names = [name for name, _, _ in pairs]
    if stray := set(names) - set(_SHAPES):
        raise NetworkError(f"unknown parameters: {sorted(stray)!r:.100}", Fault.MALFORMED)
    if sorted(set(names)) != names:
        raise NetworkError("parameters repeat or are out of order", Fault.MALFORMED)
    if missing := set(_REQUIRED) - set(names):
        raise NetworkError(f"missing parameters: {sorted(missing)}", Fault.MALFORMED)
    values = {name: unquote_plus(value) for name, _, value in pairs}
    for name, value in values.items():
        if not _SHAPES[name].fullmatch(value):
            raise NetworkError(f"{name} is not what AdMob sends", Fault.MALFORMED)
    return values


def _key_id(entry: Any) -> int:
    key_id = entry["keyId"]
    if type(key_id) is not int or not 0 < key_id <= MAXIMUM_KEY_ID:
        raise ValueError("keyId is not a positive number of 64 bits")
    return key_id


def _public_key(entry: Any) -> EllipticCurvePublicKey:
    key = load_der_public_key(base64.b64decode(entry["base64"], validate=True))
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise TypeError("not a P-256 key")
    return key
