"""The ad networks that may call this service, as its settings say."""

import logging
from collections.abc import Collection, Mapping
from functools import lru_cache

from django.conf import settings

from ads.networks import registry
from ads.networks.base import NetworkAdapter
from ads.networks.impressions import ImpressionAdapter
from ads.networks.shared_secrets import is_same
from config import keyring
from config.problems import Problem

logger = logging.getLogger(__name__)

_SEALS = "ad-tickets"


class NetworkUnknown(Problem):
    code = "network_unknown"
    title = "This service shows ads of no such network"


def find(network: str) -> NetworkAdapter:
    """The adapter of a network. Raises NetworkUnknown."""
    found = _adapters().get(network)
    if found is None:
        raise NetworkUnknown
    return found


def find_at(network: str, address_secret: str) -> NetworkAdapter:
    """The adapter of a network that was called at an address. Raises NetworkUnknown, for an address that
    is not the network's as well: that leads nowhere."""
    found = find(network)
    if not is_same(found.address_secret, address_secret):
        logger.warning("%s was called at an address that is not its own", network)
        raise NetworkUnknown
    return found


def impressions_at(network: str, address_secret: str) -> ImpressionAdapter:
    """The adapter of a network that tells of impressions at an address. Raises NetworkUnknown, for a network
    that does not, or another address than its own."""
    found = registry.impression_adapters(settings).get(network)
    if found is None or not is_same(found.address_secret, address_secret):
        raise NetworkUnknown
    return found


def names() -> Collection[str]:
    """Every network that may call."""
    return _adapters().keys()


@lru_cache(maxsize=1)
def _adapters() -> Mapping[str, NetworkAdapter]:
    return built()


def built() -> Mapping[str, NetworkAdapter]:
    """The adapters anew, from the settings as they are. Raises ValueError for those that cannot be used,
    and BadKeyring."""
    keys = keyring.keys_for(_SEALS)
    newest_first = sorted(keys.by_id, key=lambda key_id: key_id != keys.signing_id)
    return registry.adapters(
        settings, seal_keys=[keys.by_id[key_id].hex() for key_id in newest_first]
    )
