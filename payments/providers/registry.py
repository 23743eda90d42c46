"""Which adapter speaks for which store, each given its keys and addresses by the caller."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from payments.providers.apple.adapter import AppleAdapter
from payments.providers.apple.settings import AppleSettings, apple_root
from payments.providers.base import ProviderAdapter
from payments.providers.fake.books import Books
from payments.providers.fake.store import FakeStore
from payments.providers.fake.verifier import FakeStoreAdapter, FakeStoreWithBooks
from payments.providers.google.adapter import GoogleAdapter
from payments.providers.google.settings import GoogleSettings
from payments.providers.stripe.accounts import StripeAccounts
from payments.providers.stripe.adapter import StripeAdapter, StripeSettings


class ProviderSettings(Protocol):
    """The settings that adapters are built from."""

    FAKE_STORE: bool
    FAKE_STORE_KEY: str
    FAKE_STORE_BOOKS: str
    APPLE_APPS: Sequence[str]
    APPLE_ENVIRONMENTS: Sequence[str]
    APPLE_ISSUER_ID: str
    APPLE_KEY_ID: str
    APPLE_PRIVATE_KEY: str
    APPLE_API_URL: str
    APPLE_SANDBOX_API_URL: str
    APPLE_ROOT_CERTIFICATE: str
    GOOGLE_PACKAGE_NAME: str
    GOOGLE_SERVICE_ACCOUNT: str
    GOOGLE_PUSH_AUDIENCE: str
    GOOGLE_PUSH_EMAIL: str
    GOOGLE_PUSH_SUBSCRIPTION: str
    GOOGLE_API_URL: str
    GOOGLE_TOKEN_URL: str
    GOOGLE_KEYS_URL: str
    STRIPE_SECRET_KEY: str
    STRIPE_WEBHOOK_SECRETS: str
    STRIPE_TEST_SECRET_KEY: str
    STRIPE_TEST_WEBHOOK_SECRETS: str
    STRIPE_API_URL: str
    STRIPE_GRACE_DAYS: int
    STRIPE_PORTAL_CONFIGURATION: str


def adapters(settings: ProviderSettings) -> Mapping[str, ProviderAdapter]:
    """The adapters of every store that is configured, by provider name. Raises ValueError for settings with
    which a store could not be believed."""
    factories: dict[str, Callable[[ProviderSettings], ProviderAdapter]] = {}
    if settings.APPLE_APPS:
        factories["apple"] = _apple
    if settings.GOOGLE_PACKAGE_NAME:
        factories["google"] = _google
    if settings.STRIPE_SECRET_KEY or settings.STRIPE_TEST_SECRET_KEY:
        factories["stripe"] = _stripe
    if settings.FAKE_STORE:
        factories["fake"] = _fake
    return {name: factory(settings) for name, factory in factories.items()}


def fake_store(settings: ProviderSettings) -> FakeStore:
    """The fake store's selling side, for the demo checkout and tests."""
    return FakeStore(_fake_key(settings), _fake_books(settings))


def _apple(settings: ProviderSettings) -> ProviderAdapter:
    own_root = settings.APPLE_ROOT_CERTIFICATE
    return AppleAdapter(
        AppleSettings(
            apps=dict(_app(one) for one in settings.APPLE_APPS),
            issuer_id=settings.APPLE_ISSUER_ID,
            key_id=settings.APPLE_KEY_ID,
            private_key=settings.APPLE_PRIVATE_KEY,
            environments=tuple(settings.APPLE_ENVIRONMENTS),
            production_url=settings.APPLE_API_URL,
            sandbox_url=settings.APPLE_SANDBOX_API_URL,
            root_certificate=Path(own_root).read_bytes() if own_root else apple_root(),
        )
    )


def _app(written: str) -> tuple[str, int | None]:
    bundle_id, _, number = written.partition(":")
    return bundle_id, int(number) if number else None


def _google(settings: ProviderSettings) -> ProviderAdapter:
    return GoogleAdapter(
        GoogleSettings(
            package_name=settings.GOOGLE_PACKAGE_NAME,
            service_account=json.loads(settings.GOOGLE_SERVICE_ACCOUNT),
            push_audience=settings.GOOGLE_PUSH_AUDIENCE,
            push_email=settings.GOOGLE_PUSH_EMAIL,
            push_subscription=settings.GOOGLE_PUSH_SUBSCRIPTION,
            api_url=settings.GOOGLE_API_URL,
            token_url=settings.GOOGLE_TOKEN_URL,
            keys_url=settings.GOOGLE_KEYS_URL,
        )
    )


def _stripe(settings: ProviderSettings) -> ProviderAdapter:
    accounts = {
        "production": (settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRETS),
        "sandbox": (settings.STRIPE_TEST_SECRET_KEY, settings.STRIPE_TEST_WEBHOOK_SECRETS),
    }
    return StripeAccounts(
        {
            environment: StripeAdapter(
                StripeSettings(
                    environment=environment,
                    secret_key=key,
                    webhook_secrets=tuple(filter(None, map(str.strip, secrets.split(",")))),
                    api_address=settings.STRIPE_API_URL,
                    grace_days=settings.STRIPE_GRACE_DAYS,
                    portal_configuration=settings.STRIPE_PORTAL_CONFIGURATION,
                )
            )
            for environment, (key, secrets) in accounts.items()
            if key
        }
    )


def _fake(settings: ProviderSettings) -> ProviderAdapter:
    books, key = _fake_books(settings), _fake_key(settings).public_key()
    return FakeStoreAdapter(key) if books is None else FakeStoreWithBooks(key, books)


def _fake_books(settings: ProviderSettings) -> Books | None:
    return Books(Path(settings.FAKE_STORE_BOOKS)) if settings.FAKE_STORE_BOOKS else None


def _fake_key(settings: ProviderSettings) -> EllipticCurvePrivateKey:
    key = load_pem_private_key(settings.FAKE_STORE_KEY.encode(), password=None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise TypeError("FAKE_STORE_KEY is not an EC key")
    return key
