"""Every store in this process, bought from and asked in the same words, so that one suite is held to all of them."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from config import clock
from demo import ports
from demo.stores.apple.__main__ import BUNDLE_ID, read_names
from demo.stores.apple.__main__ import peer as apple_peer
from demo.stores.apple.authority import Authority
from demo.stores.deliveries import Deliveries
from demo.stores.google.books import Push
from demo.stores.google.server import PACKAGE_NAME, GooglePeer
from demo.stores.messages import Answer, Request
from demo.stores.peer import Clock, Peer, Route
from demo.stores.stripe.server import StripePeer
from payments.providers.apple.adapter import AppleAdapter
from payments.providers.apple.settings import AppleSettings
from payments.providers.base import (
    Fault,
    PaidPeriod,
    ProviderAdapter,
    RawMessage,
    State,
    StoreRefund,
    SubscriptionSnapshot,
)
from payments.providers.fake.store import FakeStore
from payments.providers.fake.verifier import FakeMessage, FakeStoreAdapter
from payments.providers.google.adapter import GoogleAdapter
from payments.providers.google.settings import GoogleSettings
from payments.providers.stripe import webhooks
from payments.providers.stripe.accounts import StripeAccounts
from payments.providers.stripe.adapter import StripeAdapter, StripeSettings
from payments.providers.stripe.sales import Every, Sale
from tests.payments.providers.stripe.shop import InProcess

VIEWER = UUID("01a2234e-80f7-792a-889a-0946d791dcd5")
PACK, PLAN = "coins.500", "vip.month"
PRICE_MICROS = 4_990_000
PERIOD = timedelta(days=30)


class Stall(Protocol):
    """A store, what it has told of, and the adapter that speaks for us."""

    adapter: ProviderAdapter
    lacks: frozenset[Fault]
    """What is never wrong with this store: it has nobody to ask, or nothing that could be of others."""

    has_history: bool

    @property
    def now(self) -> datetime:
        """The store's time, which tests move. On the wire it is the machine's."""
        ...

    def buy(self, micros: int = PRICE_MICROS) -> str:
        """What an app hands in that has bought coins."""
        ...

    def subscribe(self) -> tuple[str, str]:
        """What an app hands in that has subscribed, and the subscription's name."""
        ...

    def renew(self, subscription_id: str) -> None: ...
    def give_back(self, handed_in: str) -> None:
        """All of a purchase's money."""
        ...

    def heard(self) -> Sequence[RawMessage]:
        """Everything that it has told of since the last time."""
        ...

    def wrong_messages(self) -> dict[Fault, tuple[ProviderAdapter, RawMessage]]:
        """A message of each kind of fault, and who is to read it."""
        ...

    def unknown_subscription(self) -> str: ...
    def fails(self, *rules: dict[str, Any]) -> None:
        """How it answers from now on; no rules end that."""
        ...

    def close(self) -> None: ...


class _Inbox:
    """Where a store's notifications come to."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._received: list[RawMessage] = []
        port = ports.any_free()
        server = Peer(
            routes=[Route("POST", "/told", self._receive)],
            folder=folder,
            clock=Clock(),
            deliveries=Deliveries(threads=0),
        )
        threading.Thread(target=server.serve, args=[port], daemon=True).start()
        self.url = f"http://127.0.0.1:{port}/told"
        self.close = server.close

    def _receive(self, request: Request, match: object) -> Answer:
        self._received.append(RawMessage(request.headers, request.body))
        return Answer(status=204)

    def taken(self) -> Sequence[RawMessage]:
        """What came since the last time."""
        taken, self._received = self._received, []
        return taken


class _Peered:
    """A stall whose store is one of the peers."""

    has_history = True
    lacks: frozenset[Fault] = frozenset()

    def __init__(self, peer: Peer, inbox: _Inbox) -> None:
        self.peer, self._inbox = peer, inbox
        self.network = InProcess(peer)
        self.http = httpx.Client(transport=self.network, base_url="http://store.test")

    @property
    def now(self) -> datetime:
        return self.peer.clock()

    def does(self, path: str, /, **body: Any) -> Any:
        """Something by command."""
        answer = self.http.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def heard(self) -> Sequence[RawMessage]:
        """See Stall."""
        assert self.peer.deliveries.flush() == 0
        return self._inbox.taken()

    def fails(self, *rules: dict[str, Any]) -> None:
        """See Stall."""
        assert self.http.put("/_faults", json={"rules": rules}).status_code == 204

    def close(self) -> None:
        """Ends its files and connections."""
        self.http.close()
        self.peer.close()
        self._inbox.close()

    def next_period(self) -> None:
        """The store's time goes on until what renews has been paid again."""
        self.does("/_clock", advance_seconds=(PERIOD + timedelta(hours=30)).total_seconds())


class AppleStall(_Peered):
    """See Stall."""

    def __init__(self, folder: Path) -> None:
        inbox = _Inbox(folder / "inbox")
        self.folder = folder / "apple"
        names = {"Production": inbox.url, "Sandbox": inbox.url}
        super().__init__(
            apple_peer(self.folder, bundle_id=BUNDLE_ID, app_apple_id=1914, notify=names), inbox
        )
        self.adapter: ProviderAdapter = self._adapter()

    def _adapter(self, **changed: Any) -> AppleAdapter:
        names = read_names(self.folder)
        known: dict[str, Any] = {
            "apps": {BUNDLE_ID: names.app_apple_id},
            "issuer_id": names.issuer_id,
            "key_id": names.key_id,
            "private_key": (self.folder / "in_app_purchase_key.p8").read_text(encoding="ascii"),
            "root_certificate": (self.folder / "root.der").read_bytes(),
            "production_url": "http://store.test/production",
            "sandbox_url": "http://store.test/sandbox",
        }
        return AppleAdapter(AppleSettings(**known | changed), transport=self.network)

    def buy(self, micros: int = PRICE_MICROS) -> str:
        """See Stall."""
        sold = self.does(
            "/_purchases", product_id=PACK, price=micros // 1000, account_token=str(VIEWER)
        )
        return str(sold["signed_transaction"])

    def subscribe(self) -> tuple[str, str]:
        """See Stall."""
        sold = self.does(
            "/_purchases",
            product_id=PLAN,
            price=PRICE_MICROS // 1000,
            account_token=str(VIEWER),
            period_days=PERIOD.days,
        )
        return sold["signed_transaction"], sold["transaction_id"]

    def renew(self, subscription_id: str) -> None:
        """See Stall."""
        self.next_period()

    def give_back(self, handed_in: str) -> None:
        """See Stall."""
        _, transaction = self.adapter._verifier.transaction(handed_in, now=self.now)
        self.does(f"/_transactions/{transaction.transaction_id}/refund")

    def wrong_messages(self) -> dict[Fault, tuple[ProviderAdapter, RawMessage]]:
        """See Stall."""
        self.heard()
        self.buy()
        (genuine,) = self.heard()
        stranger = Authority.made(self.now)
        strangers = self._adapter(root_certificate=stranger.root)
        self.does("/_purchases", product_id=PACK, price=4990, environment="Sandbox")
        (sandbox,) = self.heard()
        return {
            Fault.MALFORMED: (self.adapter, RawMessage({}, b"{}")),
            Fault.FORGED: (strangers, genuine),
            Fault.FOREIGN: (self._adapter(apps={"another.app": 1914}), genuine),
            Fault.OTHER_ENVIRONMENT: (self._adapter(environments=("production",)), sandbox),
        }

    def unknown_subscription(self) -> str:
        """See Stall."""
        return "1"


class GoogleStall(_Peered):
    """See Stall."""

    has_history = False

    def __init__(self, folder: Path) -> None:
        inbox = _Inbox(folder / "inbox")
        self.google = GooglePeer(folder / "google", address="http://store.test", push_url=inbox.url)
        super().__init__(self.google.peer, inbox)
        self.app = self.http.get("/_app").json()
        self.adapter: ProviderAdapter = self._adapter()

    def _adapter(self, **changed: Any) -> GoogleAdapter:
        push = Push()
        known: dict[str, Any] = {
            "package_name": PACKAGE_NAME,
            "service_account": self.app["service_account"],
            "push_audience": push.audience,
            "push_email": push.email,
            "push_subscription": push.subscription,
            "api_url": self.app["api_url"],
            "token_url": self.app["token_url"],
            "keys_url": self.app["keys_url"],
        }
        return GoogleAdapter(GoogleSettings(**known | changed), http=self.network)

    def buy(self, micros: int = PRICE_MICROS) -> str:
        """See Stall."""
        sold = self.does(
            "/_purchases",
            lines=[{"product_id": PACK, "price_micros": micros}],
            account=str(VIEWER),
        )
        return _handed_in(PACK, sold["token"])

    def subscribe(self) -> tuple[str, str]:
        """See Stall."""
        plan = {"product_id": PLAN, "price_micros": PRICE_MICROS, "period_days": PERIOD.days}
        token = self.does("/_subscriptions", plan=plan, account=str(VIEWER))["token"]
        return _handed_in(PLAN, token, is_subscription=True), token

    def renew(self, subscription_id: str) -> None:
        """See Stall."""
        self.does(f"/_subscriptions/{subscription_id}/renew")

    def give_back(self, handed_in: str) -> None:
        """See Stall."""
        self.does(f"/_purchases/{json.loads(handed_in)['purchase_token']}/refund")

    def wrong_messages(self) -> dict[Fault, tuple[ProviderAdapter, RawMessage]]:
        """See Stall. Google's messages do not say whose purchase they are of: that is said when it is asked."""
        self.heard()
        self.buy()
        (genuine,) = self.heard()
        return {
            Fault.MALFORMED: (self.adapter, RawMessage(genuine.headers, b"{}")),
            Fault.FORGED: (self.adapter, RawMessage({}, genuine.body)),
            Fault.FOREIGN: (self._adapter(package_name="another.app"), genuine),
        }

    def unknown_subscription(self) -> str:
        """See Stall."""
        return "nobody-has-bought-by-this-token"


class StripeStall(_Peered):
    """See Stall."""

    def __init__(self, folder: Path) -> None:
        inbox = _Inbox(folder / "inbox")
        self.stripe = StripePeer(folder / "stripe", webhook_url=inbox.url, is_live=True)
        super().__init__(self.stripe.peer, inbox)
        keys = self.http.get("/_keys").json()
        self.settings = StripeSettings(
            environment="production",
            secret_key=keys["secret_key"],
            webhook_secrets=tuple(keys["webhook_secrets"]),
            api_address="http://store.test",
        )
        self.account = StripeAdapter(self.settings, transport=self.network)
        self.adapter: ProviderAdapter = StripeAccounts({"production": self.account})

    def buy(self, micros: int = PRICE_MICROS) -> str:
        """See Stall."""
        return str(self._pay(PACK, micros, None)["id"])

    def subscribe(self) -> tuple[str, str]:
        """See Stall."""
        paid = self._pay(PLAN, PRICE_MICROS, Every(interval="day", count=PERIOD.days))
        return paid["id"], paid["subscription"]

    def _pay(self, name: str, micros: int, every: Every | None) -> Any:
        opened = self.account.open_checkout(
            Sale(
                account_token=VIEWER,
                intent_id=uuid4(),
                store_product_id=name,
                title=name,
                unit_price_micros=micros,
                currency="USD",
                every=every,
            ),
            success_url="https://app.test/paid",
            cancel_url="https://app.test/shop",
            idempotency_key=str(uuid4()),
        )
        return self.does("/_commands/pay", session=opened.session_id)

    def renew(self, subscription_id: str) -> None:
        """See Stall."""
        self.next_period()

    def give_back(self, handed_in: str) -> None:
        """See Stall."""
        with self.stripe.kept.reading() as state:
            payment = state.objects[handed_in]["payment_intent"]
        self.does("/_commands/refund", payment_intent=payment)

    def wrong_messages(self) -> dict[Fault, tuple[ProviderAdapter, RawMessage]]:
        """See Stall."""
        self.heard()
        self.buy()
        genuine = self.heard()[0]
        test_account = StripeAdapter(
            replace(self.settings, environment="sandbox", secret_key="sk_test_1")
        )
        forged = webhooks.signature(genuine.body, secret="whsec_another", signed_at=clock.read())
        connected = msgspec.json.encode(json.loads(genuine.body) | {"account": "acct_another"})
        return {
            Fault.MALFORMED: (self.adapter, self._signed(b"nonsense")),
            Fault.FORGED: (self.adapter, RawMessage(forged, genuine.body)),
            Fault.FOREIGN: (self.adapter, self._signed(connected)),
            Fault.OTHER_ENVIRONMENT: (StripeAccounts({"sandbox": test_account}), genuine),
        }

    def _signed(self, body: bytes) -> RawMessage:
        secret = self.settings.webhook_secrets[0]
        return RawMessage(webhooks.signature(body, secret=secret, signed_at=clock.read()), body)

    def unknown_subscription(self) -> str:
        """See Stall."""
        return "sub_nobody"


class FakeStall:
    """See Stall. It tells its facts outright, and remembers nothing."""

    lacks = frozenset({Fault.FOREIGN, Fault.OTHER_ENVIRONMENT, Fault.UNAVAILABLE})
    has_history = False

    def __init__(self, folder: Path) -> None:
        del folder
        key = ec.generate_private_key(ec.SECP256R1())
        self._store, self._told = FakeStore(key), list[RawMessage]()
        self._facts: dict[str, Any] = {}
        self._periods: dict[str, SubscriptionSnapshot] = {}
        self.adapter: ProviderAdapter = FakeStoreAdapter(key.public_key())

    @property
    def now(self) -> datetime:
        return clock.read()

    def buy(self, micros: int = PRICE_MICROS) -> str:
        """See Stall."""
        handed_in = self._store.sell(
            product_id=PACK,
            account_token=VIEWER,
            price_micros=micros,
            currency="USD",
            environment="production",
            now=self.now,
        )
        (sold,) = self.adapter.submitted(handed_in, now=self.now)
        self._tell("PURCHASED", transactions=(sold,))
        self._facts[handed_in] = sold
        return handed_in

    def subscribe(self) -> tuple[str, str]:
        """See Stall."""
        name, now = f"fake-{uuid4()}", self.now
        snapshot = SubscriptionSnapshot(
            environment="production",
            subscription_id=name,
            store_product_id=PLAN,
            state=State.ACTIVE,
            account_token=VIEWER,
            access_until=now + PERIOD,
            renews_as=PLAN,
            as_of=now,
            period=_period(name, 0, now),
        )
        self._periods[name] = snapshot
        return self._tell("SUBSCRIBED", subscriptions=(snapshot,)), name

    def renew(self, subscription_id: str) -> None:
        """See Stall."""
        before = self._periods[subscription_id]
        assert before.period is not None
        period = _period(subscription_id, 1, before.period.ends_at)
        snapshot = replace(before, as_of=self.now, access_until=period.ends_at, period=period)
        self._periods[subscription_id] = snapshot
        self._tell("RENEWED", subscriptions=(snapshot,))

    def give_back(self, handed_in: str) -> None:
        """See Stall."""
        sold = self._facts[handed_in]
        refund = StoreRefund(
            environment="production", transaction_id=sold.transaction_id, refunded_at=self.now
        )
        self._tell("REFUNDED", refunds=(refund,))

    def heard(self) -> Sequence[RawMessage]:
        """See Stall."""
        told, self._told = self._told, []
        return told

    def wrong_messages(self) -> dict[Fault, tuple[ProviderAdapter, RawMessage]]:
        """See Stall."""
        genuine = RawMessage({}, self._tell("PURCHASED").encode())
        stranger = FakeStoreAdapter(ec.generate_private_key(ec.SECP256R1()).public_key())
        return {
            Fault.MALFORMED: (self.adapter, RawMessage({}, b"nonsense")),
            Fault.FORGED: (stranger, genuine),
        }

    def unknown_subscription(self) -> str:
        """See Stall."""
        return "fake-nobody"

    def fails(self, *rules: dict[str, Any]) -> None:
        """See Stall. There is nobody to fail."""

    def close(self) -> None:
        """There is nothing to end."""

    def _tell(self, kind: str, **told: Any) -> str:
        message = FakeMessage(
            event_id=str(uuid4()),
            type=kind,
            environment="production",
            occurred_at_ms=int(self.now.timestamp() * 1000),
            **told,
        )
        signed = self._store.tell(message)
        self._told.append(RawMessage({}, signed.encode()))
        return signed


STALLS: dict[str, Callable[[Path], Stall]] = {
    "apple": AppleStall,
    "google": GoogleStall,
    "stripe": StripeStall,
    "fake": FakeStall,
}


def _handed_in(product_id: str, token: str, *, is_subscription: bool = False) -> str:
    return json.dumps(
        {
            "product_id": product_id,
            "purchase_token": token,
            "is_subscription": is_subscription,
        }
    )


def _period(name: str, number: int, starts: datetime) -> PaidPeriod:
    return PaidPeriod(
        transaction_id=f"{name}-{number}",
        store_product_id=PLAN,
        starts_at=starts,
        ends_at=starts + PERIOD,
        price_micros=PRICE_MICROS,
        currency="USD",
        purchased_at=starts,
    )
