"""Access tokens: short-lived JWTs (RFC 9068's `at+jwt`) that verify without a database or cache.

The header's `kid` chooses among our own keys and nothing else; algorithm, issuer, audience and
type are constants, so a token cannot talk its verifier into anything (RFC 8725). What a token says
holds until it expires: a change of environment or an erasure reaches a client with its next one.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import jwt
import msgspec
from django.conf import settings

from config import keyring
from config.problems import Problem
from viewers.models import Device, Environment

PURPOSE = "access"
ALGORITHM = "HS256"
ISSUER = "cliffhanger"
AUDIENCE = "viewer"
TYPE = "at+jwt"
LEEWAY_SECONDS = 5
MAXIMUM_CHARACTERS = 2048

#: Three unpadded base64url parts (RFC 7515 section 3.1), and nothing around them.
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
#: PyJWT would read a clock of its own; the moments are checked here against the caller's `now`.
_OPTIONS: Any = {
    "require": ["iss", "aud", "sub", "did", "env", "iat", "exp"],
    "strict_aud": True,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}
Moment = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]


class TokenInvalid(Problem):
    code = "token_invalid"
    title = "The access token is not one of ours"


class TokenExpired(Problem):
    code = "token_expired"
    title = "The access token has expired; refresh it"


@dataclass(frozen=True)
class AccessToken:
    """What a verified access token says."""

    viewer_id: UUID
    device_id: UUID
    environment: Environment
    expires_at: datetime


class _Claims(msgspec.Struct, frozen=True):
    sub: UUID
    did: UUID
    env: Environment
    iat: Moment
    exp: Moment


def sign(device: Device, *, now: datetime) -> tuple[str, datetime]:
    """An access token for the device's viewer, and the moment it expires."""
    keys = keyring.keys_for(PURPOSE)
    issued = int(now.timestamp())
    expires = issued + settings.ACCESS_TOKEN_SECONDS
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(device.viewer_id),
        "did": str(device.id),
        "env": device.viewer.environment,
        "iat": issued,
        "exp": expires,
    }
    token = jwt.encode(
        claims,
        keys.by_id[keys.signing_id],
        algorithm=ALGORITHM,
        headers={"typ": TYPE, "kid": keys.signing_id},
    )
    return token, datetime.fromtimestamp(expires, UTC)


def verify(token: str, *, now: datetime) -> AccessToken:
    """What `token` says, checked by computation alone. Raises TokenInvalid or TokenExpired."""
    claims = _verified_claims(token)
    moment = now.timestamp()
    if claims.iat > moment + LEEWAY_SECONDS:
        raise TokenInvalid
    if claims.exp + LEEWAY_SECONDS <= moment:
        raise TokenExpired
    return AccessToken(
        viewer_id=claims.sub,
        device_id=claims.did,
        environment=claims.env,
        expires_at=datetime.fromtimestamp(claims.exp, UTC),
    )


def _verified_claims(token: str) -> _Claims:
    if len(token) > MAXIMUM_CHARACTERS or not _COMPACT.fullmatch(token):
        raise TokenInvalid
    try:
        key_id = jwt.get_unverified_header(token).get("kid", "")
        key = keyring.keys_for(PURPOSE).by_id.get(key_id)
        if key is None:
            raise TokenInvalid
        decoded = jwt.decode_complete(
            token, key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=_OPTIONS
        )
        if decoded["header"].get("typ") != TYPE:
            raise TokenInvalid
        return msgspec.convert(decoded["payload"], _Claims)
    except (jwt.PyJWTError, msgspec.ValidationError) as error:
        raise TokenInvalid from error
