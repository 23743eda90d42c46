"""Secrets of a demo or test instance: made on first use, private, stable across restarts."""

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from config.keyring import generate


def _private_key() -> str:
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


_MAKERS = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(64),
    "KEYRING": lambda: generate("demo1"),
    "FAKE_STORE_KEY": _private_key,
    "FAKE_AD_NETWORK_KEY": _private_key,
}


def keep(name: str, folder: Path) -> str:
    """The secret `name` kept in `folder`, made there if it is missing.

    Two processes that start at once agree: the file appears complete, by an exclusive link.
    """
    file = folder / name.lower()
    if not file.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = folder / f".{name.lower()}.{os.getpid()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(_MAKERS[name]())
        try:
            os.link(draft, file)
        except FileExistsError:
            pass  # another process was first; its secret is the one we all use
        finally:
            draft.unlink()
    return file.read_text(encoding="ascii")
