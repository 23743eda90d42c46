"""What the networks hold: the keys they sign with, made on the first start, and where callbacks go."""

import base64
import secrets
from collections.abc import Mapping, Sequence

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

FIRST_KEY_ID = 3_000_000_001
_AES_BYTES = 32


class SigningKey(msgspec.Struct, frozen=True):
    """A key of AdMob's. `pem` is private."""

    key_id: int
    pem: str

    @property
    def private(self) -> EllipticCurvePrivateKey:
        key = load_pem_private_key(self.pem.encode(), password=None)
        if not isinstance(key, EllipticCurvePrivateKey):
            raise TypeError("not an EC key")
        return key


class Account(msgspec.Struct):
    """One publisher at every network. The first of AdMob's keys signs, all are published."""

    admob_keys: Sequence[SigningKey]
    applovin_event_key: str
    levelplay_private_key: str
    unity_secret: str
    wechat_token: str
    wechat_aes_key: str
    pangle_seed: str
    target: str = ""
    address_secret: str = ""

    def pangle_key(self, ad_unit: str) -> str:
        """The security key of an ad unit, as its console shows it."""
        return f"{self.pangle_seed}{ad_unit}"


def opened() -> Account:
    """An account with keys of its own."""
    return Account(
        admob_keys=[new_key(FIRST_KEY_ID)],
        applovin_event_key=secrets.token_urlsafe(64),
        levelplay_private_key=secrets.token_hex(16),
        unity_secret=secrets.token_hex(16),
        wechat_token=secrets.token_hex(8),
        wechat_aes_key=base64.b64encode(secrets.token_bytes(_AES_BYTES)).decode().rstrip("="),
        pangle_seed=secrets.token_hex(12),
    )


def new_key(key_id: int) -> SigningKey:
    """A key that nobody has seen yet."""
    pem = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return SigningKey(key_id=key_id, pem=pem.decode())


def rotate(account: Account, *, keeps_old: bool) -> None:
    """AdMob signs with a new key; the old one is published still, or no more."""
    newest = new_key(account.admob_keys[0].key_id + 1)
    account.admob_keys = [newest, *(account.admob_keys if keeps_old else [])]


def published(account: Account) -> Mapping[str, object]:
    """AdMob's key list, as Google serves it."""
    return {"keys": [_entry(key) for key in account.admob_keys]}


def _entry(key: SigningKey) -> Mapping[str, object]:
    public = key.private.public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {
        "keyId": key.key_id,
        "pem": pem.decode().strip(),
        "base64": base64.b64encode(der).decode(),
    }
