"""The stores, each a process of its own, and what its buyers can do there by command."""

import itertools
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from config import clock
from demo.stores.deliveries import Deliveries, Manners, Told
from payments.providers.base import StoreRefund, StoreTransaction
from payments.providers.fake.store import FakeStore
from payments.providers.fake.verifier import FakeMessage
from tests.crash.programs import Program
from tests.crash.undertaker import Undertaker
from tests.stores.seed import Customer, Population

DISCOVERY = (
    Path(__file__).parents[1] / "payments/payloads/google_play/androidpublisher.v3.discovery.json"
)
FLUSH_SECONDS = 90.0


class Sold(msgspec.Struct, frozen=True):
    """A purchase that a store has been paid for: the name of its money, and what the buyer's app hands in."""

    provider: str
    transaction_id: str
    handed_in: str


class Shop(ABC):
    """What every store can be had to do."""

    provider: str

    @abstractmethod
    def sell(self, buyer: Customer | None) -> Sold:
        """Somebody buys the pack; without a buyer the store is not told of any account."""

    @abstractmethod
    def give_back(self, sold: Sold) -> None:
        """All the money of it."""

    @abstractmethod
    def behave(self, manners: Manners) -> None:
        """How its notifications go from now on."""

    @abstractmethod
    def told(self) -> Told:
        """What became of its notifications."""

    @abstractmethod
    def flush(self) -> int:
        """Has everything sent now; how much is left."""

    @abstractmethod
    def notify(self, url: str) -> None:
        """Where notifications go from now on; "" is nowhere."""


class Peer(Shop):
    """A store that runs as a process. Its commands are HTTP."""

    def __init__(
        self, folder: Path, *, port: int, environment: Mapping[str, str], end: Undertaker
    ) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        folder.mkdir()
        self.program = Program(
            self.provider,
            f"{sys.executable} -m demo.stores.{self.provider} --port {port} --folder {folder}"
            f"{self.arguments()}",
            environment=environment,
            log=folder / "store.log",
            end=end,
        )
        self.http = httpx.Client(base_url=self.url, timeout=60)
        self.program.start()

    def arguments(self) -> str:
        """What its program is started with beside a port and a folder."""
        return ""

    def answers(self) -> bool:
        """Whether it serves."""
        try:
            return self.http.get("/_ready").status_code == 204
        except httpx.TransportError:
            return False

    @abstractmethod
    def settings(self) -> Mapping[str, str]:
        """The environment under which we sell there."""

    def order(self, method: str, path: str, **members: Any) -> Any:
        """A command, and what it answers."""
        answer = self.http.request(method, path, json=members)
        assert answer.status_code in {200, 204}, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    def fail(self, *rules: Mapping[str, Any], seed: int = 0) -> None:
        """How its API fails from now on; without rules, no more."""
        self.order("PUT", "/_faults", rules=rules, seed=seed)

    def advance(self, seconds: float) -> None:
        """Its time goes on."""
        self.order("POST", "/_clock", advance_seconds=seconds)

    def now(self) -> datetime:
        """Its time."""
        return msgspec.convert(self.order("GET", "/_clock")["now"], datetime)

    def calls(self, matching: str = "") -> Sequence[Any]:
        """What it was asked, as far as the path has that in it."""
        told = self.order("GET", "/_calls")["calls"]
        return [call for call in told if matching in call["target"]]

    def behave(self, manners: Manners) -> None:
        answer = self.http.put("/_deliveries", content=msgspec.json.encode(manners))
        assert answer.status_code == 204, answer.text

    def told(self) -> Told:
        return msgspec.json.decode(self.http.get("/_deliveries").content, type=Told)

    def flush(self) -> int:
        left: int = self.http.post("/_deliveries/flush", timeout=FLUSH_SECONDS).json()["left"]
        return left


class Apple(Peer):
    provider = "apple"

    def settings(self) -> Mapping[str, str]:
        names = msgspec.json.decode((self.folder / "app.json").read_bytes())
        return {
            "APPLE_APPS": f"{names['bundle_id']}:{names['app_apple_id']}",
            "APPLE_ISSUER_ID": names["issuer_id"],
            "APPLE_KEY_ID": names["key_id"],
            "APPLE_PRIVATE_KEY": (self.folder / "in_app_purchase_key.p8").read_text(),
            "APPLE_API_URL": f"{self.url}/production",
            "APPLE_SANDBOX_API_URL": f"{self.url}/sandbox",
            "APPLE_ROOT_CERTIFICATE": str(self.folder / "root.der"),
        }

    def open(self, population: Population) -> None:
        """What it sells."""
        self._pack = population.pack

    def sell(self, buyer: Customer | None) -> Sold:
        sale = self.order(
            "POST",
            "/_purchases",
            product_id=self._pack.names["apple"],
            price=self._pack.price_micros // 1000,
            account_token=str(buyer.id) if buyer else None,
        )
        return Sold("apple", sale["transaction_id"], sale["signed_transaction"])

    def give_back(self, sold: Sold) -> None:
        self.order("POST", f"/_transactions/{sold.transaction_id}/refund")

    def notify(self, url: str) -> None:
        self.order("PUT", "/_notify", Production=url, Sandbox=url)


class Google(Peer):
    provider = "google"

    def arguments(self) -> str:
        return f" --discovery {DISCOVERY}"

    def settings(self) -> Mapping[str, str]:
        app = self.order("GET", "/_app")
        return {
            "GOOGLE_PACKAGE_NAME": app["package_name"],
            "GOOGLE_SERVICE_ACCOUNT": msgspec.json.encode(app["service_account"]).decode(),
            "GOOGLE_PUSH_AUDIENCE": app["push"]["audience"],
            "GOOGLE_PUSH_EMAIL": app["push"]["email"],
            "GOOGLE_PUSH_SUBSCRIPTION": app["push"]["subscription"],
            "GOOGLE_API_URL": app["api_url"],
            "GOOGLE_TOKEN_URL": app["token_url"],
            "GOOGLE_KEYS_URL": app["keys_url"],
        }

    def open(self, population: Population) -> None:
        """What it sells."""
        self._pack = population.pack
        self._subscription = population.subscription

    def sell(self, buyer: Customer | None) -> Sold:
        name = self._pack.names["google"]
        sale = self.order(
            "POST",
            "/_purchases",
            lines=[{"product_id": name, "price_micros": self._pack.price_micros}],
            account=str(buyer.id) if buyer else "",
        )
        return Sold("google", sale["token"], _of_google(name, sale["token"]))

    def subscribe(self, buyer: Customer) -> Sold:
        """Somebody begins to subscribe. The token is the subscription's name."""
        name = self._subscription.names["google"]
        plan = {"product_id": name, "price_micros": self._subscription.price_micros}
        sale = self.order("POST", "/_subscriptions", plan=plan, account=str(buyer.id))
        return Sold("google", sale["token"], _of_google(name, sale["token"], is_subscription=True))

    def give_back(self, sold: Sold) -> None:
        self.order("POST", f"/_purchases/{sold.transaction_id}/refund")

    def notify(self, url: str) -> None:
        self.order("PUT", "/_push", url=url)


def _of_google(product_id: str, token: str, *, is_subscription: bool = False) -> str:
    told = {"product_id": product_id, "purchase_token": token, "is_subscription": is_subscription}
    return msgspec.json.encode(told).decode()


class Stripe(Peer):
    """Its checkouts are opened by us: `check_out` is given by the market."""

    provider = "stripe"
    check_out: Callable[[Customer], str]

    def arguments(self) -> str:
        return " --live"

    def settings(self) -> Mapping[str, str]:
        keys = self.order("GET", "/_keys")
        return {
            "STRIPE_SECRET_KEY": keys["secret_key"],
            "STRIPE_WEBHOOK_SECRETS": ",".join(keys["webhook_secrets"]),
            "STRIPE_API_URL": self.url,
        }

    def sell(self, buyer: Customer | None) -> Sold:
        assert buyer is not None, "a checkout is somebody's"
        return self.pay(self.check_out(buyer))

    def pay(self, session_id: str) -> Sold:
        """The buyer pays on the page."""
        session = self.command("pay", session=session_id)
        return Sold("stripe", session["payment_intent"], session_id)

    def command(self, name: str, **members: Any) -> Any:
        """What the other side does."""
        return self.order("POST", f"/_commands/{name}", **members)

    def give_back(self, sold: Sold) -> None:
        self.command("refund", payment_intent=sold.transaction_id)

    def notify(self, url: str) -> None:
        self.command("set_webhook", url=url)


class Fake(Shop):
    """The store that runs in no process of its own: this one signs for it, and sends."""

    provider = "fake"

    def __init__(self, population: Population) -> None:
        key = load_pem_private_key(population.store_key.encode(), password=None)
        assert isinstance(key, EllipticCurvePrivateKey)
        self.store = FakeStore(key)
        self._pack = population.pack
        self._deliveries = Deliveries()
        self._url = ""
        self._numbers = itertools.count(1)
        self._sold: dict[str, StoreTransaction] = {}

    def sell(self, buyer: Customer | None) -> Sold:
        now = clock.read()
        sale = StoreTransaction(
            environment="production",
            transaction_id=f"fake-{uuid4()}",
            store_product_id=self._pack.names["fake"],
            account_token=buyer.id if buyer else None,
            price_micros=self._pack.price_micros,
            currency="USD",
            purchased_at=now,
        )
        self._sold[sale.transaction_id] = sale
        message = self.message("sold", transactions=(sale,))
        self.send(message)
        return Sold("fake", sale.transaction_id, self.store.tell(message))

    def give_back(self, sold: Sold) -> None:
        back = StoreRefund(
            environment="production",
            transaction_id=sold.transaction_id,
            refunded_at=clock.read(),
        )
        self.send(self.message("refunded", refunds=(back,)))

    def message(self, type_: str, **told: Any) -> FakeMessage:
        """A notification of now."""
        return FakeMessage(
            event_id=f"fake-{next(self._numbers)}-{uuid4().hex}",
            type=type_,
            environment="production",
            occurred_at_ms=int(clock.read().timestamp() * 1000),
            **told,
        )

    def send(self, message: FakeMessage) -> None:
        """Signs a notification and puts it on its way."""
        body = self.store.tell(message).encode()
        self._deliveries.send(
            name=message.event_id,
            url=self._url,
            headers=lambda body, sent_at: {},
            body=body,
            at=clock.read(),
        )

    def behave(self, manners: Manners) -> None:
        self._deliveries.order(manners)

    def told(self) -> Told:
        return self._deliveries.told()

    def flush(self) -> int:
        return self._deliveries.flush()

    def notify(self, url: str) -> None:
        self._url = url
