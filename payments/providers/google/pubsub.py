"""Pub/Sub's push: who sent it, and what it carries.

A push is a POST with a bearer token: a JWT (RFC 7519), RS256, signed by Google for the service account that the
subscription is configured with. Anybody who has a project at Google gets tokens for any audience; that it is
ours who sends is known by the account's address alone. Documentation: Pub/Sub, "Authentication for push
subscriptions", and "PubsubMessage".
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt
import msgspec
from jwt.types import Options

from payments.providers.base import Fault, ProviderError, RawMessage
from payments.providers.google.keys import SigningKeys
from payments.providers.google.resources import Moment
from payments.providers.google.settings import GoogleSettings

ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})
ALGORITHM = "RS256"
CLOCK_SKEW = timedelta(seconds=30)
LONGEST_LIFE = timedelta(hours=24)
MAXIMUM_TOKEN_CHARACTERS = 8 * 1024
MAXIMUM_BODY_BYTES = 1024 * 1024

#: What the claims have to say is looked at here: PyJWT has a clock of its own, and faults of its own.
_SIGNATURE_ALONE: Options = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)")


class PubsubMessage(msgspec.Struct, rename="camel", frozen=True):
    """`data` in base64. The emulator has some members twice, in two spellings."""

    message_id: str
    data: str = ""
    publish_time: Moment | None = None


class Envelope(msgspec.Struct, frozen=True):
    """What Pub/Sub pushes."""

    message: PubsubMessage
    subscription: str

    @property
    def content(self) -> bytes:
        """The message's data; nothing where it is not base64."""
        try:
            return base64.b64decode(self.message.data, validate=True)
        except (binascii.Error, ValueError):
            return b""


class PushVerifier:
    """Takes the pushes of one subscription."""

    def __init__(self, settings: GoogleSettings, keys: SigningKeys) -> None:
        self._settings = settings
        self._keys = keys

    def verify(self, message: RawMessage, *, now: datetime) -> Envelope:
        """The envelope of a push that is ours.

        Raises ProviderError: FORGED without a token that Google signed for our account and that holds now;
        FOREIGN if it is for another audience, or about another subscription; UNAVAILABLE if Google's keys
        cannot be had; MALFORMED if the body is no envelope.
        """
        claims = self._claims(_bearer(message.headers), now)
        self._check_sender(claims)
        envelope = read_envelope(message.body)
        if not _same(envelope.subscription, self._settings.push_subscription):
            raise ProviderError("of another subscription", Fault.FOREIGN)
        return envelope

    def _claims(self, token: str, now: datetime) -> Mapping[str, Any]:
        """What Google signed, and holds at this moment."""
        try:
            header = jwt.get_unverified_header(token)
            key_id = header.get("kid")
            if header.get("alg") != ALGORITHM or not isinstance(key_id, str):
                raise ProviderError("signed in another way than Google's", Fault.FORGED)
            claims = jwt.decode(
                token,
                self._keys.key(key_id, now=now),
                algorithms=[ALGORITHM],
                options=_SIGNATURE_ALONE,
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise ProviderError(
                f"the token does not verify: {error!r:.200}", Fault.FORGED
            ) from error
        _check_time(claims, now)
        issuer = claims.get("iss")
        if not isinstance(issuer, str) or issuer not in ISSUERS:
            raise ProviderError("the token is not Google's", Fault.FORGED)
        return claims

    def _check_sender(self, claims: Mapping[str, Any]) -> None:
        # Anybody gets a token of Google's for our audience: whoever is not ours may not have anything kept.
        if claims.get("email_verified") is not True:
            raise ProviderError("the token's address is not verified", Fault.FORGED)
        if not _same(claims.get("email"), self._settings.push_email):
            raise ProviderError("the token is another account's", Fault.FORGED)
        if not _same(claims.get("aud"), self._settings.push_audience):
            raise ProviderError("the token is for another audience", Fault.FOREIGN)


def read_envelope(body: bytes) -> Envelope:
    """A push's body, which whoever calls has verified. Raises ProviderError (MALFORMED)."""
    if len(body) > MAXIMUM_BODY_BYTES:
        raise ProviderError("the push is longer than 1 MB", Fault.MALFORMED)
    try:
        envelope = msgspec.json.decode(body, type=Envelope, strict=False)
    except (ValueError, RecursionError) as error:
        raise ProviderError(f"not a push of Pub/Sub: {error!s:.200}", Fault.MALFORMED) from error
    message_id = envelope.message.message_id
    if not (0 < len(message_id) <= 100 and message_id.isascii() and message_id.isprintable()):
        raise ProviderError("a push without a message id", Fault.MALFORMED)
    return envelope


def _bearer(headers: Mapping[str, str]) -> str:
    named = (value for name, value in headers.items() if name.lower() == "authorization")
    scheme, _, token = next(named, "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise ProviderError("there is no bearer token", Fault.FORGED)
    if len(token) > MAXIMUM_TOKEN_CHARACTERS or not _is_canonical(token):
        raise ProviderError("the bearer token is no token", Fault.FORGED)
    return token


def _is_canonical(token: str) -> bool:
    """Whether a signature is written in the one way: a decoder passes over spare bits and strange characters."""
    form = _TOKEN.fullmatch(token)
    if form is None or len(form[1]) % 4 == 1:
        return False
    decoded = base64.urlsafe_b64decode(form[1] + "=" * (-len(form[1]) % 4))
    return base64.urlsafe_b64encode(decoded).decode().rstrip("=") == form[1]


def _check_time(claims: Mapping[str, Any], now: datetime) -> None:
    """Both ends are required: a token that says nothing of its end is none of Google's."""
    issued, ends = _seconds(claims.get("iat")), _seconds(claims.get("exp"))
    seconds, skew = now.timestamp(), CLOCK_SKEW.total_seconds()
    if seconds >= ends + skew:
        raise ProviderError("the token has expired", Fault.FORGED)
    if seconds < issued - skew or ends - issued > LONGEST_LIFE.total_seconds():
        raise ProviderError("the token's term is not Google's", Fault.FORGED)


def _seconds(moment: object) -> int:
    if type(moment) is not int or not 0 < moment < 2**40:
        raise ProviderError("the token has no term", Fault.FORGED)
    return moment


def _same(said: object, ours: str) -> bool:
    return isinstance(said, str) and hmac.compare_digest(
        said.encode("utf-8", "surrogatepass"), ours.encode()
    )
