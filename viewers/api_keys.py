"""API keys of machines: `clf_<prefix>_<secret>`, shown once, kept as a hash."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from config.problems import Problem
from viewers.models import API_KEY_NAME_CHARACTERS, ApiKey, Scope

SECRET_BYTES = 32
PREFIX_BYTES = 6
LAST_USED_PRECISION = timedelta(minutes=1)
_FORM = re.compile(r"clf_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


class ApiKeyInvalid(Problem):
    code = "api_key_invalid"
    title = "The API key is unknown, expired or revoked"


class ScopeMissing(Problem):
    code = "scope_missing"
    title = "The API key does not carry the scope that this takes"


def issue(
    *, name: str, scopes: Collection[Scope], now: datetime, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A new key, and its plaintext, which cannot be had again.

    Raises ValueError without a name or scope, or when `expires_at` is not after `now`.
    """
    if not 1 <= len(name) <= API_KEY_NAME_CHARACTERS:
        raise ValueError(f"an API key's name takes 1 to {API_KEY_NAME_CHARACTERS} characters")
    if not scopes:
        raise ValueError("an API key without a scope opens nothing")
    if expires_at is not None and expires_at <= now:
        raise ValueError("the API key would be born expired")
    prefix = secrets.token_hex(PREFIX_BYTES)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    key = ApiKey.objects.create(
        name=name,
        prefix=prefix,
        secret_hash=_hash(secret),
        scopes=sorted(set(scopes)),
        created_at=now,
        expires_at=expires_at,
    )
    return key, f"clf_{prefix}_{secret}"


def revoke(*, key: ApiKey, now: datetime) -> None:
    """The key opens nothing from `now` on. A key revoked before keeps its moment."""
    ApiKey.objects.filter(id=key.id, revoked_at=None).update(revoked_at=now)


def authenticate(*, plaintext: str, now: datetime) -> ApiKey:
    """The live key that `plaintext` belongs to. Raises ApiKeyInvalid."""
    form = _FORM.fullmatch(plaintext)
    if form is None:
        raise ApiKeyInvalid
    prefix, secret = form.groups()
    key = ApiKey.objects.filter(prefix=prefix).first()
    if key is None or not hmac.compare_digest(bytes(key.secret_hash), _hash(secret)):
        raise ApiKeyInvalid
    if not key.is_live(now):
        raise ApiKeyInvalid
    _note_use(key, now)
    return key


def require(*, key: ApiKey, scope: Scope) -> None:
    """Raises ScopeMissing, naming the scope, unless the key carries it."""
    if scope not in key.scopes:
        raise ScopeMissing(scope=str(scope))


def _note_use(key: ApiKey, now: datetime) -> None:
    """To the minute: a row that every request wrote would be every request's bottleneck."""
    if key.last_used_at is None or now - key.last_used_at >= LAST_USED_PRECISION:
        ApiKey.objects.filter(id=key.id, last_used_at=key.last_used_at).update(last_used_at=now)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("ascii")).digest()
