"""WeChat's rewarded video: the server-side callback of mini programs and mini games.

`signature` is SHA-256 of the token, timestamp, nonce and `encrypt` in the order of their bytes, joined
without a separator (WeChat, "激励广告服务端验证接入指引", whose example is among the tests' payloads).
`encrypt` is base64 of a 16-byte IV and the JSON under AES-256-CBC with PKCS #7. Nothing but what is
inside it is used: of timestamp and nonce, both digits, the signature does not say which is which. Into
`encrypt` they cannot flow: it can only grow or shrink by 64 characters at once, which is more than they
have together.

When the address is entered in the console WeChat calls it with an `echostr` and no `encrypt`, and wants
it said back. It waits one second for an answer and comes again three times.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from ads.networks import queries
from ads.networks.base import Conduct, Fault, Keys, NetworkError, Part, Reply, SignedReward
from ads.networks.shared_secrets import SharedSecretAdapter, check_digest, usable

_KEY_BYTES = 32
_BLOCK_BYTES = 16

_DIGITS = re.compile(r"[0-9]{1,20}")
_ENVELOPE: Mapping[str, re.Pattern[str]] = {
    "signature": re.compile(r"[0-9a-f]{64}"),
    "timestamp": _DIGITS,
    "nonce": _DIGITS,
}
_CONTENT: Mapping[str, re.Pattern[str]] = {
    # `+` that was not escaped arrives as a space.
    "encrypt": re.compile(r"[A-Za-z0-9+/ ]{1,4000}={0,2}"),
    "echostr": re.compile(r"[0-9A-Za-z_-]{1,200}"),
}


class _Payload(msgspec.Struct):
    """What `encrypt` holds. The reward's name and amount come from the app, and are left out."""

    transaction_id: str
    user_id: str
    custom_data: str = ""


class WeChatAdapter(SharedSecretAdapter):
    """Verifies with the token and key that were entered in WeChat's console."""

    conduct = Conduct(
        covered=frozenset({Part.TRANSACTION, Part.SESSION, Part.VIEWER}),
        answer_within_seconds=1.0,
        retries_seconds=(15.0, 22.5, 33.75),
    )

    def __init__(self, *, token: str, aes_key: str, address_secret: str = "") -> None:
        super().__init__(address_secret=address_secret)
        usable((token, aes_key), network="WeChat")
        self._token = token
        self._aes_key = _aes_key(aes_key)

    def verify(self, query_string: str, keys: Keys, *, now: datetime) -> SignedReward:
        """See NetworkAdapter."""
        values = queries.read(query_string, required=_ENVELOPE, optional=_CONTENT)
        if ("encrypt" in values) == ("echostr" in values):
            raise NetworkError("neither a view nor a trial of the address", Fault.MALFORMED)
        encrypt = values.get("encrypt", "").replace(" ", "+")
        signed = [self._token, values["timestamp"], values["nonce"], *filter(None, [encrypt])]
        check_digest([signature(signed)], values["signature"])
        if not encrypt:
            return SignedReward("", None, "", "", is_probe=True, echo=values["echostr"])
        return _reward(self._opened(encrypt))

    def reply(self, reward: SignedReward, *, verdict: str, is_paid: bool) -> Reply:
        """See NetworkAdapter."""
        body = {"echostr": reward.echo} if reward.is_probe else {"is_valid": is_paid}
        return Reply(200, json.dumps(body, separators=(",", ":")).encode())

    def _opened(self, encrypt: str) -> bytes:
        try:
            sealed = base64.b64decode(encrypt, validate=True)
            if len(sealed) < 2 * _BLOCK_BYTES or len(sealed) % _BLOCK_BYTES:
                raise NetworkError("encrypt is no IV and whole blocks", Fault.MALFORMED)
            cipher = Cipher(AES(self._aes_key), CBC(sealed[:_BLOCK_BYTES])).decryptor()
            padded = cipher.update(sealed[_BLOCK_BYTES:]) + cipher.finalize()
            unpadder = PKCS7(8 * _BLOCK_BYTES).unpadder()
            return unpadder.update(padded) + unpadder.finalize()
        except ValueError as error:
            raise NetworkError("encrypt cannot be decrypted", Fault.MALFORMED) from error


def signature(values: list[str]) -> str:
    """WeChat's signature of values, the token among them."""
    return hashlib.sha256("".join(sorted(values)).encode()).hexdigest()


def _reward(content: bytes) -> SignedReward:
    try:
        payload = msgspec.json.decode(content, type=_Payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NetworkError("encrypt holds no view", Fault.MALFORMED) from error
    for name, value, shape in (
        ("transaction_id", payload.transaction_id, queries.NAME),
        ("user_id", payload.user_id, queries.OURS),
        ("custom_data", payload.custom_data, queries.OURS),
    ):
        if not shape.fullmatch(value):
            raise NetworkError(f"{name} is not what it should be", Fault.MALFORMED)
    return SignedReward(
        transaction_id=payload.transaction_id,
        ad_unit=None,
        custom_data=payload.custom_data,
        user_id=payload.user_id,
        is_probe=False,
    )


def _aes_key(written: str) -> bytes:
    """The 32 bytes of an EncodingAESKey, which is base64 without its last `=`. Raises ValueError."""
    try:
        key = base64.b64decode(written + "=", validate=True)
    except ValueError as error:
        raise ValueError("the EncodingAESKey is not base64") from error
    if len(key) != _KEY_BYTES:
        raise ValueError("the EncodingAESKey is not 43 characters")
    return key
