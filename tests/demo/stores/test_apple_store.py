"""The App Store of our own says, over the wire, what the App Store's adapter reads."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from demo import ports
from demo.stores.apple.__main__ import peer as apple_peer
from demo.stores.deliveries import Deliveries
from demo.stores.messages import Answer, Request
from demo.stores.peer import Clock, Peer, Route
from payments.providers.apple.adapter import AppleAdapter, Preference
from payments.providers.apple.api import AppStoreApi, Door
from payments.providers.apple.settings import AppleSettings
from payments.providers.base import (
    Fault,
    Ownership,
    PriceConsent,
    ProviderError,
    RawMessage,
    RefundQuestion,
    State,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)

pytestmark = pytest.mark.matrix(3)

BUNDLE, APP = "app.cliffhanger", 1914
TOKEN = "7e3fb20b-4cdb-47cc-936d-99d65f608138"
COINS = {"product_id": "coins.500", "price": 4990, "account_token": TOKEN}
MONTHLY = {"product_id": "vip.month", "price": 9990, "account_token": TOKEN, "period_days": 30}


class Inbox:
    """Where notifications come to."""

    def __init__(self, folder: Path) -> None:
        self.received: list[RawMessage] = []
        self.port = ports.any_free()
        server = Peer(
            routes=[Route("POST", "/apple", self._receive)],
            folder=folder,
            clock=Clock(),
            deliveries=Deliveries(threads=0),
        )
        threading.Thread(target=server.serve, args=[self.port], daemon=True).start()
        self.url = f"http://127.0.0.1:{self.port}/apple"

    def _receive(self, request: Request, match: object) -> Answer:
        self.received.append(RawMessage({}, request.body))
        return Answer(status=200)


class Store:
    """The store, what it has told of, and the adapter of its only app."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "store"
        (folder / "inbox").mkdir()
        self.inbox = Inbox(folder / "inbox")
        self.start()

    def stop(self) -> None:
        self.client.close()
        self.adapter.close()

    def start(self) -> None:
        self.peer = apple_peer(
            self.folder,
            bundle_id=BUNDLE,
            app_apple_id=APP,
            notify={"Production": self.inbox.url, "Sandbox": self.inbox.url},
        )
        port = ports.any_free()
        self.url = f"http://127.0.0.1:{port}"
        threading.Thread(target=self.peer.serve, args=[port], daemon=True).start()
        self.client = httpx.Client(base_url=self.url, timeout=10)
        wait_until(lambda: answers(self.client))
        self.adapter = AppleAdapter(settings_of(self.folder, self.url))

    @property
    def now(self) -> datetime:
        return self.peer.clock()

    def post(self, path: str, **body: Any) -> Any:
        answered = self.client.post(path, json=body)
        assert answered.status_code == 200, answered.text
        return answered.json()

    def move(self, **by: float) -> None:
        self.post("/_clock", advance_seconds=timedelta(**by).total_seconds())

    def subscribe(self, **changed: Any) -> str:
        return str(self.post("/_purchases", **(MONTHLY | changed))["transaction_id"])

    def told(self) -> list[tuple[str, Any]]:
        """Everything since the last time: what kind, and the facts of it."""
        assert self.post("/_deliveries/flush") == {"left": 0}
        received, self.inbox.received = self.inbox.received, []
        read = [
            (
                self.adapter.read_message(one, now=self.now),
                self.adapter.facts_of(one, now=self.now),
            )
            for one in received
        ]
        read.sort(key=lambda each: each[0].occurred_at)
        assert all(message.is_known for message, _ in read)
        return [(message.type, facts) for message, facts in read]

    def subscription(self, name: str) -> SubscriptionSnapshot:
        facts = self.adapter.subscription(
            environment="production", subscription_id=name, now=self.now
        )
        return next(one for one in facts if isinstance(one, SubscriptionSnapshot))


def settings_of(folder: Path, url: str) -> AppleSettings:
    """What a backend knows of a store by its folder."""
    names = msgspec.json.decode((folder / "app.json").read_bytes())
    return AppleSettings(
        apps={names["bundle_id"]: names["app_apple_id"]},
        issuer_id=names["issuer_id"],
        key_id=names["key_id"],
        private_key=(folder / "in_app_purchase_key.p8").read_text(encoding="ascii"),
        production_url=f"{url}/production",
        sandbox_url=f"{url}/sandbox",
        root_certificate=(folder / "root.der").read_bytes(),
    )


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/_ready").status_code == 204
    except httpx.TransportError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.stop()


def test_sells_coins(store: Store) -> None:
    bought = store.post("/_purchases", **COINS, quantity=2)

    ((kind, (told,)),) = store.told()
    (handed_in,) = store.adapter.submitted(bought["signed_transaction"], now=store.now)
    (looked_up,) = store.adapter.transaction(bought["transaction_id"], now=store.now)

    assert kind == "ONE_TIME_CHARGE"
    assert isinstance(told, StoreTransaction)
    assert told == handed_in == looked_up
    assert (told.price_micros, told.quantity, str(told.account_token)) == (4_990_000, 2, TOKEN)


def test_looks_in_the_sandbox_for_what_production_does_not_know(store: Store) -> None:
    bought = store.post("/_purchases", **COINS, environment="Sandbox")

    (found,) = store.adapter.transaction(bought["transaction_id"], now=store.now)

    assert found.environment == "sandbox"


def test_renews_while_months_pass(store: Store) -> None:
    name = store.subscribe(discount="FREE_TRIAL", price=0, renewal_price=9990)
    store.move(days=95)

    told = store.told()

    assert [kind for kind, _ in told] == ["SUBSCRIBED.INITIAL_BUY"] + ["DID_RENEW"] * 3
    periods = [facts[0].period for _, facts in told]
    assert [one.price_micros for one in periods] == [0] + [9_990_000] * 3
    assert [one.starts_at for one in periods[1:]] == [one.ends_at for one in periods[:-1]]
    assert store.subscription(name).period == periods[-1]
    assert store.subscription(name).state is State.ACTIVE


def test_renews_ahead_of_the_period(store: Store) -> None:
    name = store.subscribe()
    store.post(f"/_subscriptions/{name}/renew")

    _, (now,) = store.told()[-1]

    assert now.period.starts_at > now.as_of
    assert store.subscription(name).period == now.period


def test_leaves_open_what_is_unpaid_for_a_grace(store: Store) -> None:
    name = store.subscribe()
    store.post(f"/_subscriptions/{name}/fail", grace_days=16)
    failed = store.subscription(name)
    assert failed.state is State.GRACE
    assert failed.access_until
    assert failed.access_until > failed.as_of + timedelta(days=15)

    store.post(f"/_subscriptions/{name}/recover")
    assert store.subscription(name).state is State.ACTIVE
    store.post(f"/_subscriptions/{name}/fail")
    store.move(days=17)
    assert store.subscription(name).state is State.BILLING_RETRY
    store.move(days=60)

    assert store.subscription(name).state is State.EXPIRED
    assert [kind for kind, _ in store.told()] == [
        "SUBSCRIBED.INITIAL_BUY",
        "DID_FAIL_TO_RENEW.GRACE_PERIOD",
        "DID_RENEW.BILLING_RECOVERY",
        "DID_FAIL_TO_RENEW.GRACE_PERIOD",
        "GRACE_PERIOD_EXPIRED",
        "EXPIRED.BILLING_RETRY",
    ]


def test_closes_what_is_unpaid_without_a_grace(store: Store) -> None:
    name = store.subscribe()
    store.post(f"/_subscriptions/{name}/fail", grace_days=0)
    assert store.subscription(name).state is State.BILLING_RETRY
    store.move(days=3)
    store.post(f"/_subscriptions/{name}/recover")

    now = store.subscription(name)

    assert now.state is State.ACTIVE
    assert now.period.ends_at - store.now > timedelta(days=29)


def test_ends_what_was_cancelled_and_begins_again(store: Store) -> None:
    name = store.subscribe()
    store.post(f"/_subscriptions/{name}/cancel")
    assert store.subscription(name).state is State.CANCELLED
    store.post(f"/_subscriptions/{name}/resume")
    assert store.subscription(name).state is State.ACTIVE
    store.post(f"/_subscriptions/{name}/cancel")
    store.move(days=31)
    assert store.subscription(name).state is State.EXPIRED
    store.post(f"/_subscriptions/{name}/resubscribe")
    assert store.subscription(name).state is State.ACTIVE
    store.post(f"/_subscriptions/{name}/expire")

    assert [kind for kind, _ in store.told()] == [
        "SUBSCRIBED.INITIAL_BUY",
        "DID_CHANGE_RENEWAL_STATUS.AUTO_RENEW_DISABLED",
        "DID_CHANGE_RENEWAL_STATUS.AUTO_RENEW_ENABLED",
        "DID_CHANGE_RENEWAL_STATUS.AUTO_RENEW_DISABLED",
        "EXPIRED.VOLUNTARY",
        "SUBSCRIBED.RESUBSCRIBE",
        "EXPIRED.VOLUNTARY",
    ]


def test_changes_the_product_at_once_or_from_the_next_period(store: Store) -> None:
    name = store.subscribe()
    store.move(days=10)
    store.post(f"/_subscriptions/{name}/upgrade", product_id="vip.gold", price=19_990)
    gold = store.subscription(name)
    store.post(f"/_subscriptions/{name}/downgrade", product_id="vip.month", price=9990)
    store.move(days=31)

    assert (gold.store_product_id, gold.period.price_micros) == ("vip.gold", 19_990_000)
    told = store.told()
    assert [kind for kind, _ in told] == [
        "SUBSCRIBED.INITIAL_BUY",
        "DID_CHANGE_RENEWAL_PREF.UPGRADE",
        "DID_CHANGE_RENEWAL_PREF.DOWNGRADE",
        "DID_RENEW",
    ]
    ((_, (down,)), (_, (renewed,))) = told[2:]
    assert (down.store_product_id, down.renews_as) == ("vip.gold", "vip.month")
    assert (renewed.store_product_id, renewed.period.price_micros) == ("vip.month", 9_990_000)


def test_gives_money_back_and_takes_it_again(store: Store) -> None:
    coins = store.post("/_purchases", **COINS)["transaction_id"]
    store.post(f"/_transactions/{coins}/refund")
    store.post(f"/_transactions/{coins}/reverse-refund")
    store.post(f"/_transactions/{coins}/refund", percentage=67_932, reason=1)
    store.post(f"/_transactions/{coins}/decline-refund")

    told = [facts[-1] for kind, facts in store.told() if kind.startswith("REFUND")]

    assert [isinstance(one, StoreRefund) for one in told] == [True, True, True, True]
    full, back, part, _ = told
    assert (full.share_parts_per_million, back.reversed_at is not None) == (None, True)
    assert (part.share_parts_per_million, part.reason) == (679_320, "app_issue")
    (_, refund) = store.adapter.refunds(coins, now=store.now)
    assert refund == part


def test_refunds_a_period_and_not_the_subscription(store: Store) -> None:
    name = store.subscribe()
    store.move(days=31)
    last = store.subscription(name).period.transaction_id
    store.post(f"/_transactions/{name}/refund")
    assert store.subscription(name).state is State.ACTIVE
    store.post(f"/_transactions/{last}/refund", percentage=40_000)
    assert store.subscription(name).state is State.REVOKED

    (_, older), (_, newer) = [one for one in store.told() if one[0] == "REFUND"]
    assert [type(fact) for fact in older] == [
        SubscriptionSnapshot,
        StoreRefund,
        SubscriptionSnapshot,
    ]
    assert (older[1].transaction_id, older[2].state) == (name, State.ACTIVE)
    assert (newer[0].state, newer[1].transaction_id) == (State.REVOKED, last)


def test_shares_with_a_family_until_it_does_not(store: Store) -> None:
    name = store.subscribe(is_family_shared=True)
    shared = store.subscription(name)
    assert (shared.ownership, shared.period) == (Ownership.FAMILY_SHARED, None)

    store.post(f"/_subscriptions/{name}/revoke-family")

    kind, facts = store.told()[-1]
    assert (kind, [one.state for one in facts]) == ("REVOKE", [State.REVOKED])


def test_asks_what_became_of_a_purchase_and_keeps_the_answer(store: Store) -> None:
    coins = store.post("/_purchases", **COINS)["transaction_id"]
    store.post(f"/_transactions/{coins}/ask", reason="OTHER")
    _, (_, question) = store.told()[-1]
    assert isinstance(question, RefundQuestion)

    assert store.adapter.answer_refund_question(
        question,
        consumed_share=Fraction(1, 3),
        consented=True,
        preference=Preference.GRANT_PRORATED,
    )

    (kept,) = store.client.get("/_consumption").json()["consumption"]
    assert (kept["transactionId"], kept["consumptionPercentage"]) == (coins, 33_333)


def test_asks_consent_to_a_higher_price(store: Store) -> None:
    name, silent = store.subscribe(), store.subscribe()
    for one in (name, silent):
        store.post(f"/_subscriptions/{one}/raise-price", price=12_990)
    assert store.subscription(name).price_consent is PriceConsent.PENDING
    store.post(f"/_subscriptions/{name}/consent")
    assert store.subscription(name).price_consent is PriceConsent.AGREED
    store.move(days=31)

    assert store.subscription(name).period.price_micros == 12_990_000
    assert store.subscription(silent).state is State.EXPIRED


def test_tells_again_of_what_did_not_come(store: Store) -> None:
    store.client.put("/_deliveries", json={"lose": 1})
    began = store.now
    name = store.subscribe()
    store.move(days=30 * 25)
    assert store.told() == []

    missed = list(store.adapter.missed(environment="production", since=began, until=store.now))

    found = [store.adapter.facts_of(one, now=store.now)[0] for one in missed]
    assert 1 < len(found) < 26  # what is older than half a year is told no more
    store.client.put("/_deliveries", json={})
    bought = store.adapter.history(name, now=store.now)
    assert len({one.period.transaction_id for one in bought}) == 26
    assert store.subscription(name).period == bought[-1].period


def test_gets_a_test_notification_out(store: Store) -> None:
    (token,) = store.adapter.request_test_notification(environment="sandbox")

    assert token
    assert [kind for kind, _ in store.told()] == ["TEST"]


def test_answers_nobody_without_its_key(store: Store) -> None:
    bought = store.post("/_purchases", **COINS)["transaction_id"]
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    known = settings_of(store.folder, store.url)

    for changed in (
        {"private_key": other.decode()},
        {"key_id": "OTHER"},
        {"issuer_id": "other"},
        {"apps": {"app.other": 1}},
    ):
        theirs = AppleAdapter(AppleSettings(**(_fields(known) | changed)))
        with pytest.raises(ProviderError) as refused:
            theirs.transaction(bought, now=store.now)
        theirs.close()
        assert refused.value.fault is Fault.UNAVAILABLE, changed
        assert "401" in refused.value.reason


def _fields(settings: AppleSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__dataclass_fields__}


def test_fails_on_command_without_saying_no(store: Store) -> None:
    bought = store.post("/_purchases", **COINS)["transaction_id"]
    for kind in ("status", "html", "truncated", "reset"):
        rules = {"rules": [{"kind": kind, "matching": "/inApps/"}]}
        assert store.client.put("/_faults", json=rules).status_code == 204
        with pytest.raises(ProviderError) as refused:
            store.adapter.transaction(bought, now=store.now)
        assert refused.value.fault is Fault.UNAVAILABLE, kind
    store.client.put("/_faults", json={})

    assert store.adapter.transaction(bought, now=store.now)


def test_refuses_what_the_app_store_refuses(store: Store) -> None:
    coins = store.post("/_purchases", **COINS)["transaction_id"]
    name = store.subscribe()
    api = AppStoreApi(settings_of(store.folder, store.url))
    door = Door("production", BUNDLE)
    fine = {
        "customerConsented": True,
        "sampleContentProvided": True,
        "deliveryStatus": "DELIVERED",
    }
    api.consumed(door, coins, fine)
    asked: list[tuple[Callable[[], object], str]] = [
        (partial(api.consumed, door, of, fine | changed), code)
        for of, changed, code in (
            (coins, {"customerConsented": False}, "4000035"),
            (coins, {"customerConsented": "yes"}, "4000000"),
            (coins, {"deliveryStatus": "LOST"}, "4000036"),
            (coins, {"refundPreference": "PLEASE"}, "4000044"),
            (coins, {"consumptionPercentage": 100_001}, "4000000"),
            (coins, {"refundPreference": "GRANT_PRORATED"}, "4000000"),
            (name, {"refundPreference": "GRANT_PRORATED", "consumptionPercentage": 1}, "4000000"),
            ("7", {}, "4040010"),
            ("seven", {}, "4000006"),
        )
    ]
    day, until = timedelta(days=1), store.now
    asked += [
        (lambda: list(api.notifications(door, since=until, until=until - day)), "4000013"),
        (lambda: list(api.notifications(door, since=until - 181 * day, until=until)), "4000012"),
        (lambda: list(api.history(Door("sandbox", BUNDLE), coins)), "4040010"),
    ]
    for ask, code in asked:
        with pytest.raises(ProviderError) as refused:
            ask()
        assert f"answered {code}:" in refused.value.reason
        assert refused.value.permanent
    api.close()


def test_refuses_commands_that_make_no_sense(store: Store) -> None:
    name = store.subscribe()
    for path, status in (
        (f"/_subscriptions/{name}/recover", 409),
        (f"/_subscriptions/{name}/resubscribe", 409),
        (f"/_subscriptions/{name}/consent", 409),
        (f"/_subscriptions/{name}/revoke-family", 409),
        (f"/_subscriptions/{name}/dance", 404),
        (f"/_transactions/{name}/dance", 404),
        (f"/_transactions/{name}/reverse-refund", 409),
        ("/_subscriptions/7/renew", 404),
        ("/_transactions/7/refund", 404),
    ):
        assert store.client.post(path).status_code == status, path


def test_keeps_its_books_and_its_certificates(store: Store) -> None:
    name, before = store.subscribe(), store.adapter
    (raw,) = before.missed(
        environment="production", since=store.now - timedelta(days=1), until=store.now
    )
    store.stop()
    store.start()

    assert store.subscription(name).state is State.ACTIVE
    assert before.facts_of(raw, now=store.now) == store.adapter.facts_of(raw, now=store.now)


def test_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    port = ports.any_free()
    command = [sys.executable, "-m", "demo.stores.apple", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--folder", str(tmp_path / "store")],
        env=os.environ | {"PYTHONPATH": "."},
        stderr=subprocess.PIPE,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            wait_until(lambda: answers(client), seconds=60)
            bought = client.post("/_purchases", json=COINS).json()
            ours = AppleAdapter(settings_of(tmp_path / "store", str(client.base_url).rstrip("/")))
            now = datetime.fromisoformat(client.get("/_clock").json()["now"])
            assert ours.submitted(bought["signed_transaction"], now=now)
            assert ours.transaction(bought["transaction_id"], now=now)
            ours.close()
    finally:
        process.kill()
        process.communicate()
