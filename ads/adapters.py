"""The ad networks that may call this service, as its settings say."""

from collections.abc import Collection, Mapping
from functools import lru_cache

from django.conf import settings

from ads.networks import registry
from ads.networks.base import NetworkAdapter
from config.problems import Problem


class NetworkUnknown(Problem):
    code = "network_unknown"
    title = "This service shows ads of no such network"


def find(network: str) -> NetworkAdapter:
    """The adapter of a network. Raises NetworkUnknown."""
    found = _adapters().get(network)
    if found is None:
        raise NetworkUnknown
    return found


def names() -> Collection[str]:
    """Every network that may call."""
    return _adapters().keys()


@lru_cache(maxsize=1)
def _adapters() -> Mapping[str, NetworkAdapter]:
    return registry.adapters(settings)
