"""Which adapter speaks for which ad network, each given its settings by the caller."""

from collections.abc import Callable, Mapping
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ads.networks import fake
from ads.networks.admob import AdMobAdapter
from ads.networks.base import NetworkAdapter
from ads.networks.fake import FakeAdNetwork


class NetworkSettings(Protocol):
    """The settings that adapters are built from."""

    ADMOB_KEYS_URL: str
    FAKE_AD_NETWORK: bool
    FAKE_AD_NETWORK_KEY: str


def adapters(settings: NetworkSettings) -> Mapping[str, NetworkAdapter]:
    """The adapters of every network that may call us, by name."""
    factories: dict[str, Callable[[NetworkSettings], NetworkAdapter]] = {"admob": _admob}
    if settings.FAKE_AD_NETWORK:
        factories["fake"] = _fake
    return {name: factory(settings) for name, factory in factories.items()}


def fake_network(settings: NetworkSettings) -> FakeAdNetwork:
    """The fake network's showing side, for the demo and tests."""
    key = load_pem_private_key(settings.FAKE_AD_NETWORK_KEY.encode(), password=None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise TypeError("FAKE_AD_NETWORK_KEY is not an EC key")
    return FakeAdNetwork(key)


def _admob(settings: NetworkSettings) -> NetworkAdapter:
    return AdMobAdapter(keys_url=settings.ADMOB_KEYS_URL)


def _fake(settings: NetworkSettings) -> NetworkAdapter:
    return fake.adapter(fake_network(settings))
