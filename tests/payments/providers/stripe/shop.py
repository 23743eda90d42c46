"""Stripe inside this process, asked over the adapter's own wire, and the adapter that asks it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec

from demo.stores.messages import Request
from demo.stores.peer import Peer
from demo.stores.stripe.server import StripePeer
from payments.providers.base import (
    Fact,
    Fault,
    Payment,
    ProviderError,
    RawMessage,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)
from payments.providers.stripe import webhooks
from payments.providers.stripe.adapter import StripeAdapter, StripeSettings
from payments.providers.stripe.sales import Every, Sale

VIEWER = UUID("11111111-2222-4333-8444-555555555555")
INTENT = UUID("66666666-7777-4888-9999-aaaaaaaaaaaa")
COINS = Sale(
    account_token=VIEWER,
    intent_id=INTENT,
    store_product_id="coins_500",
    title="500 coins",
    unit_price_micros=4_990_000,
    currency="USD",
)
PASS = replace(
    COINS,
    store_product_id="vip_monthly",
    title="VIP",
    unit_price_micros=19_990_000,
    every=Every(interval="month"),
)


class InProcess(httpx.BaseTransport):
    """A peer without a socket between."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer, _ = self._peer.answer(
            Request(
                method=request.method,
                target=request.url.raw_path.decode(),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=request.read(),
            )
        )
        if answer is None:
            raise httpx.ReadError("the connection ended", request=request)
        headers = {"Content-Type": answer.content_type, **answer.headers}
        stream = httpx.ByteStream(answer.body)
        return httpx.Response(answer.status, headers=headers, stream=stream)


class Shop:
    """One account, and what a test does on either side of it."""

    def __init__(self, folder: Path) -> None:
        self.stripe = StripePeer(folder)
        self.http = httpx.Client(
            transport=InProcess(self.stripe.peer), base_url="http://stripe.test"
        )
        keys = self.http.get("/_keys").json()
        self.settings = StripeSettings(
            environment="sandbox",
            secret_key=keys["secret_key"],
            webhook_secrets=tuple(keys["webhook_secrets"]),
            api_address="http://stripe.test",
        )
        self.adapter = StripeAdapter(self.settings, transport=InProcess(self.stripe.peer))
        self._keys = 0

    def close(self) -> None:
        """Ends its files and connections."""
        self.http.close()
        self.stripe.peer._log.close()

    @property
    def now(self) -> datetime:
        return self.stripe.peer.clock()

    def key(self) -> str:
        """An idempotency key that was never used."""
        self._keys += 1
        return f"test-{self._keys}"

    def order(self, name: str, /, **members: Any) -> Any:
        """Has the other side do something."""
        answer = self.http.post(f"/_commands/{name}", json=members)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fails(self, *rules: dict[str, Any]) -> None:
        """How requests fail from now on."""
        assert self.http.put("/_faults", json={"rules": rules}).status_code == 204

    def advance(self, **of: float) -> None:
        """The store's time goes on."""
        seconds = timedelta(**of).total_seconds()
        self.http.post("/_clock", json={"advance_seconds": seconds})

    def checkout(self, sale: Sale = COINS, **members: Any) -> str:
        """A checkout that nobody has paid."""
        opened = self.adapter.open_checkout(
            sale,
            success_url="https://app.test/done?session={CHECKOUT_SESSION_ID}",
            cancel_url="https://app.test/shop",
            idempotency_key=self.key(),
            **members,
        )
        return opened.session_id

    def bought(self, sale: Sale = COINS) -> Any:
        """The payment intent of something that was bought."""
        return self.order("pay", session=self.checkout(sale))["payment_intent"]

    def subscribed(self, sale: Sale = PASS) -> Any:
        """A subscription whose first period is paid."""
        return self.order("pay", session=self.checkout(sale))["subscription"]

    def read(self, path: str) -> Any:
        """Stripe's own answer."""
        headers = {
            "Authorization": f"Bearer {self.settings.secret_key}",
            "Stripe-Version": "2026-10-28.endive",
        }
        answer = self.http.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def mark(self) -> int:
        """How many events there are."""
        with self.stripe.kept.reading() as state:
            return len(state.events)

    def messages(self, after: int, *types: str) -> list[RawMessage]:
        """What was told since, of those types or all."""
        with self.stripe.kept.reading() as state:
            events = [one for one in state.events[after:] if not types or one["type"] in types]
            return [self.signed(msgspec.json.encode(event)) for event in events]

    def signed(self, body: bytes) -> RawMessage:
        """A body as Stripe sends it."""
        secret = self.settings.webhook_secrets[0]
        return RawMessage(webhooks.signature(body, secret=secret, signed_at=self.now), body)

    def told(self, after: int, *types: str) -> list[Fact]:
        """What those messages stand for, in their order."""
        return [
            fact
            for message in self.messages(after, *types)
            for fact in self.adapter.facts_of(message, now=self.now)
        ]


def fault_of(call: Callable[[], object]) -> Fault | None:
    """What is wrong with a call, None if nothing is."""
    try:
        call()
    except ProviderError as error:
        return error.fault
    return None


def settled(facts: Iterable[Fact]) -> dict[Any, Any]:
    """What is known after facts in an order, by the names that they go by.

    A payment that is paid stays so, money that came back stays back, of two snapshots the later holds.
    """
    known: dict[Any, Any] = {}
    for fact in facts:
        if isinstance(fact, StoreTransaction):
            before = known.get(fact.transaction_id)
            if before is None or before.payment is not Payment.PAID:
                known[fact.transaction_id] = fact
        elif isinstance(fact, StoreRefund):
            name = (fact.transaction_id, fact.refund_id)
            outcome = "reversed" if fact.reversed_at else "refunded"
            if known.get(name, ("", 0))[0] != "reversed":
                known[name] = (outcome, fact.amount_micros)
        elif isinstance(fact, SubscriptionSnapshot):
            if fact.period:
                known[fact.period.transaction_id] = fact.period
            before = known.get(fact.subscription_id)
            if before is None or before.as_of <= fact.as_of:
                known[fact.subscription_id] = replace(fact, period=None)
    return known
