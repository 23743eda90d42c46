"""Which adapter speaks for which store, each given its keys by the caller."""

from collections.abc import Callable, Mapping
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from payments.providers.base import ProviderAdapter
from payments.providers.fake.store import FakeStore
from payments.providers.fake.verifier import FakeStoreAdapter


class ProviderSettings(Protocol):
    """The settings that adapters are built from."""

    FAKE_STORE: bool
    FAKE_STORE_KEY: str


def adapters(settings: ProviderSettings) -> Mapping[str, ProviderAdapter]:
    """The adapters of every store that is configured, by provider name."""
    factories: dict[str, Callable[[ProviderSettings], ProviderAdapter]] = {}
    if settings.FAKE_STORE:
        factories["fake"] = _fake
    return {name: factory(settings) for name, factory in factories.items()}


def fake_store(settings: ProviderSettings) -> FakeStore:
    """The fake store's selling side, for the demo checkout and tests."""
    return FakeStore(_fake_key(settings))


def _fake(settings: ProviderSettings) -> ProviderAdapter:
    return FakeStoreAdapter(_fake_key(settings).public_key())


def _fake_key(settings: ProviderSettings) -> EllipticCurvePrivateKey:
    key = load_pem_private_key(settings.FAKE_STORE_KEY.encode(), password=None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise TypeError("FAKE_STORE_KEY is not an EC key")
    return key
