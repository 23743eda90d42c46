"""A live account at Stripe, which this process serves over HTTP, and settings under which we sell there."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from django.test import override_settings

from demo import ports
from demo.stores.stripe.server import StripePeer
from payments.providers.stripe.accounts import StripeAccounts
from payments.store import purchases


class ServedStripe:
    """Stripe's side of the wire."""

    def __init__(self, folder: Path) -> None:
        self.peer = StripePeer(folder, is_live=True).peer
        port = ports.any_free()
        self.url = f"http://127.0.0.1:{port}"
        threading.Thread(target=self.peer.serve, args=[port], daemon=True).start()
        self.http = httpx.Client(base_url=self.url, timeout=5)
        self.keys = self._keys()

    def order(self, name: str, /, **members: Any) -> Any:
        """Has the other side do something, such as a buyer pay."""
        answer = self.http.post(f"/_commands/{name}", json=members)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _keys(self) -> Any:
        for _ in range(100):
            try:
                return self.http.get("/_keys").json()
            except httpx.ConnectError:
                time.sleep(0.02)
        raise TimeoutError(self.url)


@contextmanager
def selling(folder: Path) -> Iterator[ServedStripe]:
    """Stripe is one of our stores."""
    stripe = ServedStripe(folder)
    with override_settings(
        STRIPE_SECRET_KEY=stripe.keys["secret_key"],
        STRIPE_WEBHOOK_SECRETS=",".join(stripe.keys["webhook_secrets"]),
        STRIPE_API_URL=stripe.url,
    ):
        purchases.adapters.cache_clear()
        accounts = purchases.adapter("stripe")
        assert isinstance(accounts, StripeAccounts)
        try:
            yield stripe
        finally:
            accounts.close()
            stripe.http.close()
    purchases.adapters.cache_clear()
