"""Who may do what in a demo: the pipeline's API key and the owner's sign-in, kept in private files."""

import base64
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from django.contrib.auth.models import User

from config import operators, roles
from config.second_factor import devices
from viewers import api_keys
from viewers.models import Scope

OWNER = "owner"
PASSWORD_BYTES = 12
TOTP_SECRET_BYTES = 20


@dataclass(frozen=True)
class Owner:
    """How to sign in to the admin. `password` is None once somebody has changed it."""

    user_id: int = field(compare=False)
    username: str
    password: str | None


def pipeline_key(folder: Path, *, now: datetime) -> str:
    """The API key to push with: the kept one while it is good, else a new one, kept instead."""
    file = folder / "pipeline_api_key"
    if file.exists():
        kept = file.read_text(encoding="ascii")
        try:
            api_keys.require(
                key=api_keys.authenticate(plaintext=kept, now=now), scope=Scope.PIPELINE_WRITE
            )
        except (api_keys.ApiKeyInvalid, api_keys.ScopeMissing):
            file.unlink()
        else:
            return kept
    _, plaintext = api_keys.issue(name="Demo pipeline", scopes=[Scope.PIPELINE_WRITE], now=now)
    return _kept(file, lambda: plaintext)


def owner(folder: Path) -> Owner:
    """An operator of the role `owner` with an authenticator, made if there is none."""
    password = _kept(folder / "owner_password", lambda: secrets.token_urlsafe(PASSWORD_BYTES))
    user = User.objects.filter(username=OWNER).first()
    if user is None:
        secret = _kept(
            folder / "owner_totp_secret",
            lambda: base64.b32encode(secrets.token_bytes(TOTP_SECRET_BYTES)).decode(),
        )
        roles.write()
        operators.create(
            username=OWNER,
            password=password,
            secret=devices.read_secret(secret),
            roles=[OWNER],
        )
        user = User.objects.get(username=OWNER)
    return Owner(user.id, OWNER, password if user.check_password(password) else None)


def _kept(file: Path, make: Callable[[], str]) -> str:
    """The text of a file that only we may read, made if it is missing."""
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(make())
        draft.replace(file)
    return file.read_text(encoding="ascii")
