"""How a store's notification makes it the moment that it tells of, for an instance that takes X-Clock."""

import os
from collections.abc import Mapping
from datetime import datetime

from django.conf import settings

from config import clock
from demo.stores.deliveries import Stamp

KEYRING = "KEYRING"


def from_environment() -> Stamp | None:
    """Stamps with the instance's own key, if this process was given it; None without."""
    ring = os.environ.get(KEYRING)
    if not ring:
        return None
    # A store has no other use for settings, and is not to start an instance's services.
    settings.configure(KEYRING=ring)
    return stamp


def stamp(at: datetime) -> Mapping[str, str]:
    """The headers that make it that moment."""
    return {clock.HEADER: clock.header_value(at)}
