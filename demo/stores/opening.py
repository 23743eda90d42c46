"""The stores of a demo: where they are, what they are told of the instance, and what it is told of them.

Keys are made before anything runs, by the code with which the stores make them, so that nobody waits for anybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from config import clock
from demo import ports
from demo.stores import addresses
from demo.stores.addresses import FOLDER, Addresses
from demo.stores.apple.__main__ import BUNDLE_ID, Names, read_names
from demo.stores.apple.authority import Authority
from demo.stores.google.accounts import Accounts
from demo.stores.google.books import Push
from demo.stores.google.server import PACKAGE_NAME
from demo.stores.kept import Kept
from demo.stores.stripe.account import State, opened


@dataclass(frozen=True)
class Opened:
    """Stores that can be started, and the environment in which an instance sells there."""

    addresses: Addresses
    environment: Mapping[str, str]


def prepare(data_dir: Path, *, backend: str) -> Opened:
    """Free ports, folders and keys for the three; what a former run made is kept."""
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    apple, google, stripe, phone = ports.several_free(4)
    found = Addresses(apple=apple, google=google, stripe=stripe, phone=phone, backend=backend)
    environment = {
        **_apple(folder / "apple", found.url("apple")),
        **_google(folder / "google", found.url("google")),
        **_stripe(folder / "stripe", found.url("stripe")),
    }
    addresses.write(data_dir, found)
    return Opened(found, environment)


def _apple(folder: Path, address: str) -> Mapping[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    names: Names = read_names(folder)
    Authority.kept(folder, clock.read())
    return {
        "APPLE_APPS": f"{BUNDLE_ID}:{names.app_apple_id}",
        "APPLE_ISSUER_ID": names.issuer_id,
        "APPLE_KEY_ID": names.key_id,
        "APPLE_PRIVATE_KEY": (folder / "in_app_purchase_key.p8").read_text(encoding="ascii"),
        "APPLE_API_URL": f"{address}/production",
        "APPLE_SANDBOX_API_URL": f"{address}/sandbox",
        "APPLE_ROOT_CERTIFICATE": str(folder / "root.der"),
    }


def _google(folder: Path, address: str) -> Mapping[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    account = Accounts(folder, address=address).service_account
    push = Push()
    return {
        "GOOGLE_PACKAGE_NAME": PACKAGE_NAME,
        "GOOGLE_SERVICE_ACCOUNT": msgspec.json.encode(account).decode(),
        "GOOGLE_PUSH_AUDIENCE": push.audience,
        "GOOGLE_PUSH_EMAIL": push.email,
        "GOOGLE_PUSH_SUBSCRIPTION": push.subscription,
        "GOOGLE_API_URL": address,
        "GOOGLE_TOKEN_URL": f"{address}/token",
        "GOOGLE_KEYS_URL": f"{address}/certs",
    }


def _stripe(folder: Path, address: str) -> Mapping[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    with Kept[State](folder / "stripe.json", opened(is_live=True)).changing() as account:
        return {
            "STRIPE_SECRET_KEY": account.secret_key,
            "STRIPE_WEBHOOK_SECRETS": ",".join(account.webhook_secrets),
            "STRIPE_API_URL": address,
        }
