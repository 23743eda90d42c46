"""Which adapter speaks for which ad network, each given its settings by the caller."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ads.networks import fake, provisional
from ads.networks.admob import AdMobAdapter
from ads.networks.applovin import AppLovinAdapter, Token
from ads.networks.base import NetworkAdapter
from ads.networks.fake import FakeAdNetwork
from ads.networks.impressions import AppLovinImpressions, ImpressionAdapter
from ads.networks.levelplay import LevelPlayAdapter
from ads.networks.pangle import PangleAdapter
from ads.networks.provisional import ProvisionalAdapter
from ads.networks.unity import UnityAdsAdapter
from ads.networks.wechat import WeChatAdapter


class NetworkSettings(Protocol):
    """The settings that adapters are built from. Secrets in the plural are comma separated."""

    ADMOB_KEYS_URL: str
    AD_CALLBACK_SECRET: str
    APPLOVIN_EVENT_KEYS: str
    APPLOVIN_TEMPLATE: str
    LEVELPLAY_PRIVATE_KEYS: str
    UNITY_ADS_SECRETS: str
    PANGLE_SECURITY_KEYS: str
    WECHAT_ADS_TOKEN: str
    WECHAT_ADS_AES_KEY: str
    PROVISIONAL_AD_NETWORKS: Sequence[str]
    FAKE_AD_NETWORK: bool
    FAKE_AD_NETWORK_KEY: str


def adapters(
    settings: NetworkSettings, *, seal_keys: Sequence[str]
) -> Mapping[str, NetworkAdapter]:
    """The adapters of every network that may call us, by name. `seal_keys` are for the tickets of
    networks that call nobody. Raises ValueError for settings with which a network could not be
    believed."""
    if strangers := set(settings.PROVISIONAL_AD_NETWORKS) - provisional.NAMES:
        raise ValueError(f"not believed at an app's word: {sorted(strangers)}")
    factories: dict[str, Callable[[NetworkSettings], NetworkAdapter]] = {"admob": _admob}
    if settings.APPLOVIN_EVENT_KEYS:
        factories["applovin"] = _applovin
    if settings.LEVELPLAY_PRIVATE_KEYS:
        factories["levelplay"] = _levelplay
    if settings.UNITY_ADS_SECRETS:
        factories["unity"] = _unity
    if settings.PANGLE_SECURITY_KEYS:
        factories["pangle"] = _pangle
    if settings.WECHAT_ADS_TOKEN:
        factories["wechat"] = _wechat
    if settings.FAKE_AD_NETWORK:
        factories["fake"] = _fake
    claimed = {
        name: ProvisionalAdapter(network=name, seal_keys=seal_keys)
        for name in settings.PROVISIONAL_AD_NETWORKS
    }
    return {**claimed, **{name: factory(settings) for name, factory in factories.items()}}


def impression_adapters(settings: NetworkSettings) -> Mapping[str, ImpressionAdapter]:
    """The adapters of networks that tell our server of each impression, by name. None without
    AD_CALLBACK_SECRET: their tokens cover the impression's id alone."""
    if not settings.AD_CALLBACK_SECRET or not settings.APPLOVIN_EVENT_KEYS:
        return {}
    return {
        "applovin": AppLovinImpressions(
            event_keys=_listed(settings.APPLOVIN_EVENT_KEYS),
            address_secret=settings.AD_CALLBACK_SECRET,
        )
    }


def fake_network(settings: NetworkSettings) -> FakeAdNetwork:
    """The fake network's showing side, for the demo and tests."""
    key = load_pem_private_key(settings.FAKE_AD_NETWORK_KEY.encode(), password=None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise TypeError("FAKE_AD_NETWORK_KEY is not an EC key")
    return FakeAdNetwork(key)


def _admob(settings: NetworkSettings) -> NetworkAdapter:
    return AdMobAdapter(keys_url=settings.ADMOB_KEYS_URL)


def _applovin(settings: NetworkSettings) -> NetworkAdapter:
    return AppLovinAdapter(
        event_keys=_listed(settings.APPLOVIN_EVENT_KEYS),
        token=Token(settings.APPLOVIN_TEMPLATE),
        address_secret=settings.AD_CALLBACK_SECRET,
    )


def _levelplay(settings: NetworkSettings) -> NetworkAdapter:
    return LevelPlayAdapter(
        private_keys=_listed(settings.LEVELPLAY_PRIVATE_KEYS),
        address_secret=settings.AD_CALLBACK_SECRET,
    )


def _unity(settings: NetworkSettings) -> NetworkAdapter:
    return UnityAdsAdapter(
        secrets=_listed(settings.UNITY_ADS_SECRETS), address_secret=settings.AD_CALLBACK_SECRET
    )


def _pangle(settings: NetworkSettings) -> NetworkAdapter:
    return PangleAdapter(
        security_keys=[_pair(one) for one in _listed(settings.PANGLE_SECURITY_KEYS)],
        address_secret=settings.AD_CALLBACK_SECRET,
    )


def _wechat(settings: NetworkSettings) -> NetworkAdapter:
    return WeChatAdapter(
        token=settings.WECHAT_ADS_TOKEN,
        aes_key=settings.WECHAT_ADS_AES_KEY,
        address_secret=settings.AD_CALLBACK_SECRET,
    )


def _fake(settings: NetworkSettings) -> NetworkAdapter:
    return fake.adapter(fake_network(settings))


def _listed(secrets: str) -> Sequence[str]:
    return [secret.strip() for secret in secrets.split(",") if secret.strip()]


def _pair(written: str) -> tuple[str, str]:
    ad_unit, _, key = written.partition(":")
    return ad_unit, key
