"""Who is who: Google's key for its tokens, and the service account that asks."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import RSAAlgorithm

from demo.stores.google.books import Books, Push
from demo.stores.messages import Answer, Rejected, Request

ISSUER = "https://accounts.google.com"
SCOPE = "https://www.googleapis.com/auth/androidpublisher"
#: The audience that google-auth writes, whatever address it asks.
TOKEN_AUDIENCE = "https://oauth2.googleapis.com/token"  # noqa: S105  an address
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_SECONDS = 3599
KEPT_TOKENS = 100


class Accounts:
    """Keys of a folder, made if they are not there. `service_account.json` is what a backend is given."""

    def __init__(self, folder: Path, *, address: str) -> None:
        self._signing = _kept_key(folder / "google_key.pem")
        self._key_id = RSAAlgorithm.to_jwk(self._signing.public_key(), as_dict=True)["n"][:40]
        account_key = _kept_key(folder / "service_account_key.pem")
        self._account_key = account_key.public_key()
        self.service_account: Mapping[str, str] = {
            "type": "service_account",
            "project_id": "cliffhanger-demo",
            "private_key_id": "demo",
            "private_key": _pem(account_key).decode(),
            "client_email": "play-reader@cliffhanger-demo.iam.gserviceaccount.com",
            "client_id": "113774264463038321964",
            "token_uri": f"{address}/token",
        }
        document = msgspec.json.format(msgspec.json.encode(self.service_account), indent=2)
        kept = folder / "service_account.json"
        kept.touch(mode=0o600)
        kept.write_bytes(document)

    def keys(self) -> Answer:
        """The JWKS document."""
        key: dict[str, Any] = RSAAlgorithm.to_jwk(self._signing.public_key(), as_dict=True)
        entry = {
            **{name: key[name] for name in ("kty", "n", "e")},
            "kid": self._key_id,
            "alg": "RS256",
            "use": "sig",
        }
        return Answer.of({"keys": [entry]}, headers={"Cache-Control": "public, max-age=3600"})

    def push_headers(self, push: Push, sent_at: datetime) -> Mapping[str, str]:
        """The bearer token of one push, for the next hour."""
        issued = int(sent_at.timestamp())
        claims = {
            "aud": push.audience,
            "azp": "113774264463038321964",
            "email": push.email,
            "email_verified": True,
            "exp": issued + 3600,
            "iat": issued,
            "iss": ISSUER,
            "sub": "113774264463038321964",
        }
        token = jwt.encode(claims, self._signing, "RS256", headers={"kid": self._key_id})
        return {"Authorization": f"Bearer {token}"}

    def give_access(self, books: Books, request: Request) -> Answer:
        """An access token for an assertion of the service account (RFC 7523)."""
        form = parse_qs(request.body.decode(errors="replace"))
        try:
            if form.get("grant_type") != [GRANT]:
                raise jwt.InvalidTokenError("not this kind of grant")
            claims = jwt.decode(
                form.get("assertion", [""])[0],
                self._account_key,
                algorithms=["RS256"],
                audience=TOKEN_AUDIENCE,
                issuer=self.service_account["client_email"],
                options={"require": ["exp", "iat", "scope"]},
            )
            if claims["scope"] != SCOPE:
                raise jwt.InvalidTokenError("not this scope")
        except (jwt.PyJWTError, ValueError) as error:
            refusal = {"error": "invalid_grant", "error_description": str(error)}
            raise Rejected(Answer.of(refusal, status=400)) from error
        token = f"ya29.{secrets.token_urlsafe(48)}"
        books.access_tokens = [*books.access_tokens[-KEPT_TOKENS:], token]
        return Answer.of(
            {"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "Bearer"}
        )


def _kept_key(path: Path) -> RSAPrivateKey:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(_pem(generate_private_key(65537, 2048)))
    # Its own: to check the numbers would take longer than to start.
    key = load_pem_private_key(path.read_bytes(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError(f"{path} is not an RSA key")
    return key


def _pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
