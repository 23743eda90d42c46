"""Refresh tokens: opaque, kept as SHA-256 only, replaced by every use.

The tokens that follow from one registration are a family, and at most one of a family is live (the
database refuses a second). Presenting a token that was used before means that two parties hold the
chain, so the whole family is revoked (RFC 9700 section 4.14.2). One case is forgiven: a reply lost
on its way makes an honest client ask again at once, so within a short grace, while nobody has used
the successor, the successor is replaced. Guests have nothing but this chain to their coins.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from config.ids import uuid7
from config.problems import Problem
from viewers import tokens
from viewers.models import Device, Environment, RefreshToken, Viewer

SECRET_BYTES = 32
_FORM = re.compile(r"rt_[A-Za-z0-9_-]{43}")


class RefreshTokenInvalid(Problem):
    code = "refresh_token_invalid"
    title = "The refresh token is unknown, expired or revoked"


class RefreshTokenReused(Problem):
    code = "refresh_token_reused"
    title = "The refresh token was used before; every token that followed from it is revoked"


@dataclass(frozen=True)
class IssuedTokens:
    """An access token and the refresh token that replaces it; secrets stay out of its repr."""

    viewer_id: UUID
    device_id: UUID
    environment: Environment
    access_token: str = field(repr=False)
    access_token_expires_at: datetime
    refresh_token: str = field(repr=False)
    refresh_token_expires_at: datetime


def open_family(*, device: Device, now: datetime) -> IssuedTokens:
    """The first tokens of a device. Joins the caller's transaction."""
    row, secret = _drawn(device, family=uuid7(), now=now)
    row.save(force_insert=True)
    return _issued(device, row, secret, now)


def rotate(*, refresh_token: str, now: datetime) -> IssuedTokens:
    """Exchanges a refresh token for new tokens; it is used up.

    Raises RefreshTokenInvalid, or RefreshTokenReused once the family's revocation is committed.
    """
    if not _FORM.fullmatch(refresh_token):
        raise RefreshTokenInvalid
    with transaction.atomic(durable=True):
        outcome = _exchange(_hash(refresh_token), now)
    # Raised out here: inside, the refusal would roll back the revocation it reports.
    if isinstance(outcome, Problem):
        raise outcome
    return outcome


def _exchange(secret_hash: bytes, now: datetime) -> IssuedTokens | Problem:
    token = _locked(secret_hash)
    if token is None or token.expires_at <= now or token.viewer.erased_at is not None:
        return RefreshTokenInvalid()
    if token.used_at is None:
        return RefreshTokenInvalid() if token.revoked_at is not None else _succeed(token, now)
    if _is_retry(token, token.used_at, now):
        return _succeed(token, now)
    RefreshToken.objects.filter(family=token.family, revoked_at=None).update(revoked_at=now)
    return RefreshTokenReused()


def _locked(secret_hash: bytes) -> RefreshToken | None:
    """The token, read after its device is locked.

    A family lives on one device, so that one row serialises everything that happens to the family.
    Locking the token alone would let a reuse of an old token miss the successor that a concurrent
    exchange is about to insert. It is a second statement because the first one's snapshot is older
    than the lock it waited for.
    """
    devices = Device.objects.select_for_update(of=("self",), no_key=True)
    if devices.filter(refresh_tokens__secret_hash=secret_hash).first() is None:
        return None
    tokens_found = RefreshToken.objects.select_related("device", "viewer", "successor")
    return tokens_found.filter(secret_hash=secret_hash).first()


def _is_retry(token: RefreshToken, used_at: datetime, now: datetime) -> bool:
    """True when the reply to the token's use may have been lost, and nobody went on from it."""
    successor = token.successor
    unused = successor is not None and successor.used_at is None and successor.revoked_at is None
    return unused and now - used_at < timedelta(seconds=settings.REFRESH_GRACE_SECONDS)


def _succeed(token: RefreshToken, now: datetime) -> IssuedTokens:
    """Puts a new token after `token`, in the place of an earlier successor if there is one."""
    if token.successor is not None:
        token.successor.revoked_at = now
        token.successor.save(update_fields=["revoked_at"])
    row, secret = _drawn(token.device, family=token.family, now=now)
    # The old token steps down first, for only one of a family may be live; its link to a row that
    # is inserted next is checked at commit. A retry keeps the first moment of use, so that
    # retrying cannot stretch the grace.
    token.used_at = token.used_at or now
    token.successor = row
    token.save(update_fields=["used_at", "successor"])
    row.save(force_insert=True)
    Viewer.objects.filter(id=token.viewer_id).update(last_seen_at=now)
    return _issued(token.device, row, secret, now)


def _drawn(device: Device, *, family: UUID, now: datetime) -> tuple[RefreshToken, str]:
    secret = f"rt_{secrets.token_urlsafe(SECRET_BYTES)}"
    row = RefreshToken(
        family=family,
        viewer_id=device.viewer_id,
        device=device,
        secret_hash=_hash(secret),
        issued_at=now,
        expires_at=now + timedelta(days=settings.REFRESH_TOKEN_DAYS),
    )
    return row, secret


def _issued(device: Device, row: RefreshToken, secret: str, now: datetime) -> IssuedTokens:
    access_token, access_token_expires_at = tokens.sign(device, now=now)
    return IssuedTokens(
        viewer_id=device.viewer_id,
        device_id=device.id,
        environment=Environment(device.viewer.environment),
        access_token=access_token,
        access_token_expires_at=access_token_expires_at,
        refresh_token=secret,
        refresh_token_expires_at=row.expires_at,
    )


def _hash(secret: str) -> bytes:
    """SHA-256 is enough for 256 random bits; a slow hash protects only what could be guessed."""
    return hashlib.sha256(secret.encode("ascii")).digest()
