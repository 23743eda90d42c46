"""All three stores in this process, and settings under which the service sells there."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.test import override_settings

from demo.stores import opening, stamps
from demo.stores.addresses import Addresses
from demo.stores.apple.__main__ import APP_APPLE_ID, BUNDLE_ID
from demo.stores.apple.__main__ import peer as apple_peer
from demo.stores.buying import are_open
from demo.stores.google.server import GooglePeer
from demo.stores.stripe.server import StripePeer
from payments.providers.apple.adapter import AppleAdapter
from payments.providers.google.adapter import GoogleAdapter
from payments.providers.stripe.accounts import StripeAccounts
from payments.store import purchases


@contextmanager
def selling(data_dir: Path, *, backend: str) -> Iterator[Addresses]:
    """Inside, they tell an instance at that address, and it sells there."""
    opened = opening.prepare(data_dir, backend=backend)
    at, folder = opened.addresses, data_dir / "stores"
    apple = apple_peer(
        folder / "apple",
        bundle_id=BUNDLE_ID,
        app_apple_id=APP_APPLE_ID,
        notify={"Production": at.webhook("apple"), "Sandbox": ""},
        stamp=stamps.stamp,
    )
    google = GooglePeer(
        folder / "google",
        address=at.url("google"),
        push_url=at.webhook("google"),
        stamp=stamps.stamp,
    ).peer
    stripe = StripePeer(
        folder / "stripe",
        webhook_url=at.webhook("stripe"),
        is_live=True,
        stamp=stamps.stamp,
    ).peer
    for peer, port in ((apple, at.apple), (google, at.google), (stripe, at.stripe)):
        threading.Thread(target=peer.serve, args=[port], daemon=True).start()
    for _ in range(200):
        if are_open(at):
            break
    told = {
        name: [value] if name == "APPLE_APPS" else value
        for name, value in opened.environment.items()
    }
    with override_settings(**told):
        purchases.adapters.cache_clear()
        try:
            yield at
        finally:
            for adapter in purchases.adapters().values():
                if isinstance(adapter, AppleAdapter | GoogleAdapter | StripeAccounts):
                    adapter.close()
            for peer in (apple, google, stripe):
                peer.close()
    purchases.adapters.cache_clear()
