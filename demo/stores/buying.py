"""A store as a phone and its owner have it: the SDK that buys, and what becomes of a purchase afterwards.

Nothing here speaks for the service. A phone buys of its store with the service's intent, and has something to hand in;
later the buyer cancels, their card is declined, or their money goes back, and the store tells the service of it.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import httpx

from demo import answers
from demo.client import ViewerClient
from demo.stores.addresses import Addresses
from demo.stores.peer import MOMENT_HEADER
from demo.transport import Transport

RETURN_URL = "https://app.cliffhanger.example/paid"
MILLI = 1_000
GRACE_DAYS = 3
START_SECONDS = 30


@dataclass(frozen=True)
class Bought:
    """What a phone hands in, and the store's name for what was bought."""

    handed_in: str
    name: str
    is_subscription: bool


class Store(Protocol):
    """One store. Whatever is done happens `at` a moment of the buyer's."""

    provider: str

    def buy(self, app: ViewerClient, intent: answers.Intent, *, at: datetime) -> Bought:
        """The buyer pays what was announced."""
        ...

    def on_device(self, bought: Bought, *, at: datetime) -> str:
        """What the SDK has of it on any device of the buyer's, to be handed in."""
        ...

    def cancel(self, bought: Bought, *, at: datetime) -> None:
        """A subscription is not to renew."""
        ...

    def decline(self, bought: Bought, *, at: datetime) -> None:
        """The card of a subscription is declined from its next renewal on."""
        ...

    def recover(self, bought: Bought, *, at: datetime) -> None:
        """It is paid after all."""
        ...

    def refund(self, bought: Bought, *, at: datetime) -> None:
        """The money goes back, all of it."""
        ...


class _AtStore:
    """A connection to a store's own side."""

    def __init__(self, url: str) -> None:
        self._transport = Transport(url, timeout_seconds=30)

    def close(self) -> None:
        self._transport.close()

    def is_at(self, moment: datetime | None) -> None:
        """The store's time from now on; None is the machine's. What is due by then happens."""
        told = {} if moment is None else {"now": moment.isoformat()}
        self._transport.send("PUT", "/_clock", json=told)

    def deliver(self) -> None:
        """Returns when everything that there is to tell has been told once."""
        self._transport.send("POST", "/_deliveries/flush")

    def _do(self, path: str, at: datetime, body: Mapping[str, object] | None = None) -> Any:
        headers = {MOMENT_HEADER: at.isoformat()}
        response = self._transport.send("POST", path, json=body or {}, headers=headers)
        return response.json() if response.content else None

    def _see(self, path: str, at: datetime) -> Any:
        return self._transport.send("GET", path, headers={MOMENT_HEADER: at.isoformat()}).json()


class AppStore(_AtStore):
    """StoreKit 2. The account token is `appAccountToken`; what is handed in is `jwsRepresentation`."""

    provider = "apple"

    def buy(self, app: ViewerClient, intent: answers.Intent, *, at: datetime) -> Bought:
        """See Store. The SDK needs nothing but the intent."""
        del app
        return self.sell(intent, at=at)

    def sell(self, intent: answers.Intent, *, at: datetime) -> Bought:
        """The SDK's own part."""
        sale: dict[str, object] = {
            "product_id": intent.store_product_id,
            "price": intent.price.amount_micros // MILLI,
            "currency": intent.price.currency,
            "account_token": intent.account_token,
        }
        renews = intent.pass_offer is not None and intent.pass_offer.is_renewing
        if intent.pass_offer is not None and renews:
            sale |= {"period_days": intent.pass_offer.days}
        elif intent.pass_offer is not None:
            sale |= {"type": "Non-Renewing Subscription"}
        sold = self._do("/_purchases", at, sale)
        return Bought(sold["signed_transaction"], sold["transaction_id"], renews)

    def on_device(self, bought: Bought, *, at: datetime) -> str:
        """See Store."""
        kind = "_subscriptions" if bought.is_subscription else "_transactions"
        signed: str = self._see(f"/{kind}/{bought.name}", at)["signed_transaction"]
        return signed

    def cancel(self, bought: Bought, *, at: datetime) -> None:
        """See Store."""
        self._do(f"/_subscriptions/{bought.name}/cancel", at)

    def decline(self, bought: Bought, *, at: datetime) -> None:
        """See Store. There the period ends at once."""
        self._do(f"/_subscriptions/{bought.name}/fail", at, {"grace_days": GRACE_DAYS})

    def recover(self, bought: Bought, *, at: datetime) -> None:
        """See Store."""
        self._do(f"/_subscriptions/{bought.name}/recover", at)

    def refund(self, bought: Bought, *, at: datetime) -> None:
        """See Store."""
        name = bought.name
        if bought.is_subscription:
            name = self._see(f"/_subscriptions/{name}", at)["last"]
        self._do(f"/_transactions/{name}/refund", at)


class GooglePlay(_AtStore):
    """Play Billing. The account token is `obfuscatedAccountId`, the intent's id `obfuscatedProfileId`."""

    provider = "google"

    def buy(self, app: ViewerClient, intent: answers.Intent, *, at: datetime) -> Bought:
        """See Store. The SDK needs nothing but the intent."""
        del app
        return self.sell(intent, at=at)

    def sell(self, intent: answers.Intent, *, at: datetime) -> Bought:
        """The SDK's own part."""
        product, price = intent.store_product_id, intent.price
        renews = intent.pass_offer is not None and intent.pass_offer.is_renewing
        if intent.pass_offer is not None and renews:
            plan = {
                "product_id": product,
                "price_micros": price.amount_micros,
                "currency": price.currency,
                "period_days": intent.pass_offer.days,
                "grace_days": GRACE_DAYS,
            }
            signup = {
                "plan": plan,
                "account": intent.account_token,
                "profile": intent.intent_id,
            }
            token: str = self._do("/_subscriptions", at, signup)["token"]
        else:
            sale = {
                "lines": [{"product_id": product, "price_micros": price.amount_micros}],
                "currency": price.currency,
                "account": intent.account_token,
                "profile": intent.intent_id,
            }
            token = self._do("/_purchases", at, sale)["token"]
        return Bought(_handed_in(product, token, renews), token, renews)

    def on_device(self, bought: Bought, *, at: datetime) -> str:
        """See Store."""
        del at
        return bought.handed_in

    def cancel(self, bought: Bought, *, at: datetime) -> None:
        """See Store."""
        self._do(f"/_subscriptions/{bought.name}/cancel", at)

    def decline(self, bought: Bought, *, at: datetime) -> None:
        """See Store."""
        self._do(f"/_subscriptions/{bought.name}/decline", at)

    def recover(self, bought: Bought, *, at: datetime) -> None:
        """See Store."""
        self._do(f"/_subscriptions/{bought.name}/recover", at)

    def refund(self, bought: Bought, *, at: datetime) -> None:
        """See Store. A subscription ends by it."""
        verb = "_subscriptions/{}/revoke" if bought.is_subscription else "_purchases/{}/refund"
        self._do(f"/{verb.format(bought.name)}", at)


class Stripe(_AtStore):
    """A page that the service opens and the buyer pays on. What is handed in is the page's session."""

    provider = "stripe"

    def buy(self, app: ViewerClient, intent: answers.Intent, *, at: datetime) -> Bought:
        """See Store."""
        page = app.checkout(intent.intent_id, success_url=RETURN_URL, cancel_url=RETURN_URL)
        self._do("/_commands/pay", at, {"session": page.session_id})
        return self.paid(page.session_id, at=at)

    def paid(self, session_id: str, *, at: datetime) -> Bought:
        """What was paid on a page."""
        session = self._see(f"/_sessions/{session_id}", at)
        renews = session["mode"] == "subscription"
        name = session["subscription"] if renews else session["payment_intent"]
        return Bought(session_id, name, renews)

    def on_device(self, bought: Bought, *, at: datetime) -> str:
        """See Store."""
        del at
        return bought.handed_in

    def cancel(self, bought: Bought, *, at: datetime) -> None:
        """See Store."""
        self._do("/_commands/cancel", at, {"subscription": bought.name})

    def decline(self, bought: Bought, *, at: datetime) -> None:
        """See Store."""
        self._do("/_commands/fail_renewals", at, {"subscription": bought.name})

    def recover(self, bought: Bought, *, at: datetime) -> None:
        """See Store."""
        self._do("/_commands/recover", at, {"subscription": bought.name})

    def refund(self, bought: Bought, *, at: datetime) -> None:
        """See Store. A subscription ends by it, too."""
        if bought.is_subscription:
            ended = {"subscription": bought.name, "at_period_end": False}
            invoice = self._do("/_commands/cancel", at, ended)["latest_invoice"]
            self._do("/_commands/refund", at, {"invoice": invoice})
        else:
            self._do("/_commands/refund", at, {"payment_intent": bought.name})


class Stores:
    """The three stores of a demo, and the time in them."""

    def __init__(self, at: Addresses) -> None:
        self._apple = AppStore(at.url("apple"))
        self._google = GooglePlay(at.url("google"))
        self._stripe = Stripe(at.url("stripe"))
        self._all = (self._apple, self._google, self._stripe)

    def close(self) -> None:
        """Closes all connections."""
        for store in self._all:
            store.close()

    def of(self, platform: str) -> Store | None:
        """Where a platform's viewers buy; None is the fake store."""
        by_platform: Mapping[str, Store] = {
            "ios": self._apple,
            "android": self._google,
            "web": self._stripe,
        }
        return by_platform.get(platform)

    def are_at(self, moment: datetime | None) -> None:
        """Their time from now on; None is the machine's. Everything that is due by then has happened and is told."""
        for store in self._all:
            store.is_at(moment)
        for store in self._all:
            store.deliver()


def are_open(at: Addresses) -> bool:
    """Whether the stores at those addresses answer."""
    with httpx.Client(timeout=2, trust_env=False) as http, suppress(httpx.TransportError):
        names = ("apple", "google", "stripe")
        return all(http.get(f"{at.url(name)}/_ready").is_success for name in names)
    return False


def wait_until_open(at: Addresses) -> None:
    """Returns when they answer, or after as long as they may take: who buys there says what is wrong."""
    until = time.monotonic() + START_SECONDS
    while not are_open(at) and time.monotonic() < until:
        time.sleep(0.2)


def _handed_in(product_id: str, token: str, is_subscription: bool) -> str:
    return json.dumps(
        {
            "product_id": product_id,
            "purchase_token": token,
            "is_subscription": is_subscription,
        }
    )
