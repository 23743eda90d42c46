"""Google Play as a process speaks as Google does: our adapter buys, hears, asks and answers there."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from config import clock
from demo import ports
from demo.stores.deliveries import Deliveries
from demo.stores.google.server import GooglePeer
from demo.stores.messages import Answer, Request
from demo.stores.peer import Clock, Peer, Route
from demo.transport import trusted
from payments.providers.base import (
    Facts,
    Fault,
    Owed,
    Payment,
    ProviderError,
    RawMessage,
    RefundOrigin,
    RefundQuestion,
    State,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)
from payments.providers.google.adapter import GoogleAdapter
from payments.providers.google.settings import GoogleSettings

pytestmark = pytest.mark.matrix(3)

DISCOVERY = (
    Path(__file__).parents[2] / "payments/payloads/google_play/androidpublisher.v3.discovery.json"
)
ACCOUNT = "0192f0a0-0000-7000-8000-000000000001"
COINS = {"product_id": "coins_500", "price_micros": 4_990_000}
PLAN = {"product_id": "vip", "price_micros": 16_990_000, "currency": "AUD", "period_days": 30}
DAY = 86_400


class Inbox:
    """Where pushes arrive: it answers 204 to what the adapter takes, and 401 to what it does not."""

    def __init__(self, folder: Path) -> None:
        self.messages: list[RawMessage] = []
        self.refused: list[Fault] = []
        self.adapter: GoogleAdapter | None = None
        self.url = serve(
            Peer(
                routes=[Route("POST", "/push", self._receive)],
                folder=folder,
                clock=Clock(),
                deliveries=Deliveries(),
            )
        )

    def _receive(self, request: Request, match: object) -> Answer:
        message = RawMessage(request.headers, request.body)
        try:
            assert self.adapter is not None
            self.adapter.read_message(message, now=clock.read())
        except ProviderError as error:
            self.refused.append(error.fault)
            return Answer(status=401)
        self.messages.append(message)
        return Answer(status=204)


class Google:
    """The peer, its commands, and an adapter that was told what a backend has to know."""

    def __init__(self, folder: Path, inbox: Inbox) -> None:
        port = ports.any_free()
        self.inbox = inbox
        self.server = GooglePeer(
            folder,
            address=f"http://127.0.0.1:{port}",
            push_url=f"{inbox.url}/push",
            discovery=DISCOVERY,
        )
        self.http = httpx.Client(base_url=serve(self.server.peer, port), timeout=10)
        app = self.http.get("/_app").json()
        self.adapter = GoogleAdapter(
            GoogleSettings(
                package_name=app["package_name"],
                service_account=app["service_account"],
                push_audience=app["push"]["audience"],
                push_email=app["push"]["email"],
                push_subscription=app["push"]["subscription"],
                api_url=app["api_url"],
                token_url=app["token_url"],
                keys_url=app["keys_url"],
            )
        )
        inbox.adapter = self.adapter

    def close(self) -> None:
        self.http.close()
        self.adapter.close()

    def order(self, path: str, **what: Any) -> Any:
        """A command, and what it answers."""
        answer = self.http.post(path, json=what)
        assert answer.status_code in {200, 204}, answer.text
        return answer.json() if answer.content else None

    def buys(self, **changes: Any) -> str:
        return str(
            self.order("/_purchases", **({"lines": [COINS], "account": ACCOUNT} | changes))["token"]
        )

    def subscribes(self, plan: dict[str, Any] | None = None, **changes: Any) -> str:
        made = {"plan": PLAN | (plan or {}), "account": ACCOUNT} | changes
        return str(self.order("/_subscriptions", **made)["token"])

    def does(self, token: str, *verbs: str, **what: Any) -> None:
        for verb in verbs:
            self.order(f"/_subscriptions/{token}/{verb}", **what)

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(self.http.get("/_clock").json()["now"])

    def passes(self, days: float) -> None:
        self.order("/_clock", advance_seconds=days * DAY)

    def told(self) -> Sequence[tuple[str, Facts]]:
        """What was pushed since the last time: its word, and what it stands for."""
        wait_until(lambda: not self.http.get("/_deliveries").json()["waiting"])
        messages, self.inbox.messages = self.inbox.messages, []
        found = []
        for message in sorted(messages, key=_number):
            word = self.adapter.read_message(message, now=clock.read()).type
            found.append((word.rpartition(".")[2], self.adapter.facts_of(message, now=self.now)))
        return found

    def words(self) -> Sequence[str]:
        return [word.removeprefix("SUBSCRIPTION_") for word, _ in self.told()]

    def snapshot(self, token: str) -> SubscriptionSnapshot:
        (fact,) = self.adapter.subscription(
            environment="production", subscription_id=token, now=self.now
        )
        assert isinstance(fact, SubscriptionSnapshot)
        return fact

    def product(self, token: str, product_id: str = "coins_500") -> Facts:
        handed_in = {"product_id": product_id, "purchase_token": token, "is_subscription": False}
        return self.adapter.submitted(json.dumps(handed_in), now=self.now)

    def acknowledges(self, token: str) -> None:
        self.adapter.acknowledge(store_product_id="vip", name=token, is_subscription=True)

    def voided(self) -> list[Facts]:
        since = self.now - timedelta(days=2)
        return list(self.adapter.voided(since=since, until=self.now, now=self.now))


def _number(message: RawMessage) -> int:
    return int(json.loads(message.body)["message"]["messageId"])


def serve(peer: Peer, port: int | None = None) -> str:
    port = port or ports.any_free()
    threading.Thread(target=peer.serve, args=[port], daemon=True).start()
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: answers(url))
    return url


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/_ready", verify=trusted()).status_code == 204
    except httpx.TransportError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(scope="module")
def keys() -> dict[str, bytes]:
    """Those that the first of the stores made, which the others find."""
    return {}


@pytest.fixture
def google(tmp_path: Path, keys: dict[str, bytes]) -> Iterator[Google]:
    (tmp_path / "inbox").mkdir()
    folder = tmp_path / "google"
    folder.mkdir()
    for name, pem in keys.items():
        (folder / name).write_bytes(pem)
    opened = Google(folder, Inbox(tmp_path / "inbox"))
    keys |= {file.name: file.read_bytes() for file in folder.glob("*.pem")}
    yield opened
    violations = opened.http.get("/_violations").json()
    opened.close()
    assert violations == []


def refunds(facts: Facts) -> list[StoreRefund]:
    return [fact for fact in facts if isinstance(fact, StoreRefund)]


def test_coins_are_bought_told_of_consumed_and_bought_again(google: Google) -> None:
    token = google.buys(profile="0192f0a0-0000-7000-8000-000000000002")
    ((word, facts),) = google.told()
    (transaction,) = facts

    assert word == "ONE_TIME_PRODUCT_PURCHASED"
    assert facts == google.product(token)
    assert isinstance(transaction, StoreTransaction)
    assert str(transaction.account_token) == ACCOUNT
    assert (transaction.price_micros, transaction.currency) == (4_990_000, "USD")
    assert (transaction.transaction_id, transaction.owed) == (token, Owed.CONSUME)

    for _ in range(2):
        google.adapter.consume(store_product_id="coins_500", transaction_id=token)
    (consumed,) = google.product(token)
    assert isinstance(consumed, StoreTransaction)
    assert consumed.owed is None
    assert google.buys() != token


def test_what_is_pending_is_paid_or_is_not(google: Google) -> None:
    paid, unpaid = google.buys(is_pending=True), google.buys(is_pending=True)
    assert google.told() == []
    google.order(f"/_purchases/{paid}/complete")
    google.order(f"/_purchases/{unpaid}/cancel")

    payments = {
        fact.transaction_id: (word, fact.payment)
        for word, facts in google.told()
        for fact in facts
        if isinstance(fact, StoreTransaction)
    }
    assert payments == {
        paid: ("ONE_TIME_PRODUCT_PURCHASED", Payment.PAID),
        unpaid: ("ONE_TIME_PRODUCT_CANCELED", Payment.FAILED),
    }


def test_units_go_back_one_by_one_and_the_rest_at_once(google: Google) -> None:
    token = google.buys(lines=[COINS | {"quantity": 3}])
    google.told()
    google.order(f"/_purchases/{token}/refund", quantity=1)
    ((word, first),) = google.told()
    google.order(f"/_purchases/{token}/refund", quantity=2)
    ((_, rest),) = google.told()

    assert word == "REFUND_TYPE_QUANTITY_BASED_PARTIAL_REFUND"
    assert [refund.amount_micros for refund in refunds(first)] == [4_990_000]
    assert [refund.refund_id for refund in refunds(rest)] == ["unit-1", "unit-2", "unit-3"]
    (listed,) = google.voided()
    assert [refund.refund_id for refund in refunds(listed)] == ["unit-1", "unit-2", "unit-3"]


@pytest.mark.parametrize("revoke", [True, False])
def test_all_goes_back(google: Google, revoke: bool) -> None:
    token = google.buys()
    google.told()
    google.order(f"/_purchases/{token}/refund", reason=7, revoke=revoke)
    ((_, facts),) = google.told()
    (listed,) = google.voided()

    for (refund,) in (refunds(facts), refunds(listed), refunds(google.product(token))):
        assert (refund.transaction_id, refund.refund_id) == (token, "all")
        assert refund.origin is RefundOrigin.CHARGEBACK


def test_what_nobody_acknowledges_goes_back_after_three_days(google: Google) -> None:
    forgotten, known = google.buys(), google.buys()
    lapsed, kept = google.subscribes(), google.subscribes()
    google.adapter.acknowledge(store_product_id="coins_500", name=known, is_subscription=False)
    google.acknowledges(kept)
    google.told()
    google.passes(2.9)
    assert google.told() == []
    google.passes(0.2)

    words = [word for word, _ in google.told()]
    assert words.count("REFUND_TYPE_FULL_REFUND") == 2
    reasons = {refund.reason for facts in google.voided() for refund in refunds(facts)}
    assert reasons == {"unacknowledged_purchase"}
    assert refunds(google.product(forgotten))
    assert not refunds(google.product(known))
    assert google.snapshot(lapsed).state is State.EXPIRED
    assert google.snapshot(kept).state is State.ACTIVE


def test_a_subscription_renews_by_itself(google: Google) -> None:
    token = google.subscribes()
    google.acknowledges(token)
    first = google.snapshot(token).period
    google.passes(65)

    assert google.words() == ["PURCHASED", "RENEWED", "RENEWED"]
    last = google.snapshot(token).period
    assert first is not None
    assert last is not None
    assert last.transaction_id == f"{first.transaction_id}..1"
    assert last.starts_at == first.ends_at + timedelta(days=30)
    assert (last.price_micros, last.currency) == (16_990_000, "AUD")


def test_a_declined_payment_is_in_grace_then_on_hold_then_over(google: Google) -> None:
    """Word for word as Google told of real ones."""
    token = google.subscribes()
    google.acknowledges(token)
    google.does(token, "decline")
    seen = []
    for days in (31, 7, 30):
        google.passes(days)
        snapshot = google.snapshot(token)
        seen.append((snapshot.state, snapshot.access_until is not None))
        assert snapshot.period is not None
        assert ".." not in snapshot.period.transaction_id

    assert seen == [(State.GRACE, True), (State.ON_HOLD, False), (State.EXPIRED, False)]
    assert google.words() == ["PURCHASED", "IN_GRACE_PERIOD", "ON_HOLD", "CANCELED", "EXPIRED"]


@pytest.mark.parametrize(("verb", "word"), [("grace", "RENEWED"), ("hold", "RECOVERED")])
def test_a_payment_is_made_after_all(google: Google, verb: str, word: str) -> None:
    token = google.subscribes()
    google.acknowledges(token)
    google.does(token, verb, "recover")

    assert google.words()[-1] == word
    snapshot = google.snapshot(token)
    assert snapshot.state is State.ACTIVE
    assert snapshot.period is not None
    assert snapshot.period.transaction_id.endswith("..0")


def test_cancelled_it_runs_to_its_end_unless_it_is_restarted(google: Google) -> None:
    token = google.subscribes()
    google.acknowledges(token)
    google.does(token, "cancel")
    cancelled = google.snapshot(token)
    google.does(token, "restart")
    restarted = google.snapshot(token)
    google.adapter.api.cancel_subscription(token, as_asked_by_viewer=True)
    google.passes(31)

    assert (cancelled.state, cancelled.renews_as) == (State.CANCELLED, "")
    assert cancelled.access_until is not None
    assert (restarted.state, restarted.renews_as) == (State.ACTIVE, "vip")
    assert google.snapshot(token).state is State.EXPIRED
    assert google.words() == ["PURCHASED", "CANCELED", "RESTARTED", "CANCELED", "EXPIRED"]


def test_it_pauses_from_the_end_of_its_period_on(google: Google) -> None:
    token = google.subscribes()
    google.acknowledges(token)
    google.does(token, "pause", days=10)
    assert google.snapshot(token).state is State.ACTIVE
    google.passes(31)
    assert google.snapshot(token).state is State.PAUSED
    google.passes(10)
    assert google.snapshot(token).state is State.ACTIVE
    google.does(token, "pause", days=10)
    google.passes(30)
    google.does(token, "resume")

    assert google.words() == [
        *("PURCHASED", "PAUSE_SCHEDULE_CHANGED", "PAUSED", "RENEWED"),
        *("PAUSE_SCHEDULE_CHANGED", "PAUSED", "RECOVERED"),
    ]


@pytest.mark.parametrize("is_prorated", [True, False])
def test_revoked_it_ends_and_its_money_goes_back(google: Google, is_prorated: bool) -> None:
    token = google.subscribes()
    google.acknowledges(token)
    google.passes(15)
    paid = google.snapshot(token).period
    google.told()
    google.adapter.api.revoke_subscription(token, prorated=is_prorated)
    told = google.told()

    assert [word for word, _ in told] == [
        *("SUBSCRIPTION_REVOKED", "REFUND_TYPE_FULL_REFUND", "SUBSCRIPTION_EXPIRED")
    ]
    ((refund,),) = [refunds(facts) for _, facts in told if refunds(facts)]
    assert paid is not None
    assert refund.transaction_id == paid.transaction_id
    if is_prorated:
        assert refund.amount_micros is not None
        assert 8_490_000 < refund.amount_micros < 8_500_000
    else:
        assert (refund.refund_id, refund.amount_micros) == ("all", None)
    assert google.snapshot(token).access_until is None


def test_an_earlier_periods_money_goes_back_and_nothing_ends(google: Google) -> None:
    token = google.subscribes()
    google.acknowledges(token)
    first = google.snapshot(token).period
    google.passes(31)
    google.told()
    assert first is not None
    google.does(token, "refund", order_id=first.transaction_id)

    ((_, facts),) = google.told()
    assert [refund.transaction_id for refund in refunds(facts)] == [first.transaction_id]
    assert google.snapshot(token).state is State.ACTIVE


def test_an_upgrade_takes_the_place_of_the_old_one(google: Google) -> None:
    old = google.subscribes()
    google.acknowledges(old)
    new = google.subscribes({"product_id": "vip_year"}, replaces=old)

    assert google.words() == ["PURCHASED", "PURCHASED", "EXPIRED"]
    assert google.snapshot(new).replaces == old
    assert google.snapshot(old).access_until is None


def test_an_upgrade_for_the_difference_goes_on_to_the_end_of_the_old_period(
    google: Google,
) -> None:
    old = google.subscribes()
    google.acknowledges(old)
    before = google.snapshot(old).period
    google.passes(20)
    dearer = {"price_micros": 33_980_000}
    new = google.subscribes(dearer, replaces=old, is_prorated=True)
    google.acknowledges(new)
    rest = google.snapshot(new).period
    google.passes(11)
    renewed = google.snapshot(new).period

    assert rest is not None
    assert before is not None
    assert renewed is not None
    assert (rest.is_prorated, rest.ends_at) == (True, before.ends_at)
    # Ten days of thirty, for as much again as the other costs.
    assert 5_650_000 < rest.price_micros <= 5_663_333
    assert (renewed.is_prorated, renewed.starts_at) == (False, rest.ends_at)
    assert renewed.price_micros == dearer["price_micros"]


@pytest.mark.parametrize("price", [1, PLAN["price_micros"]])
def test_an_upgrade_for_the_difference_is_to_what_is_dearer(google: Google, price: int) -> None:
    old = google.subscribes()
    with pytest.raises(AssertionError, match="not higher"):
        google.subscribes({"price_micros": price}, replaces=old, is_prorated=True)


def test_an_upgrade_that_is_never_paid_changes_nothing(google: Google) -> None:
    old = google.subscribes()
    google.acknowledges(old)
    google.told()
    new = google.subscribes({"product_id": "vip_year"}, replaces=old, is_pending=True)
    pending = google.snapshot(new)
    google.does(new, "never_pay")
    ((_, facts),) = google.told()

    assert (pending.state, pending.replaces) == (State.PENDING, "")
    states = [
        (fact.subscription_id, fact.state)
        for fact in facts
        if isinstance(fact, SubscriptionSnapshot)
    ]
    assert states == [(new, State.EXPIRED), (old, State.ACTIVE)]


def test_another_plan_begins_at_the_next_renewal(google: Google) -> None:
    token = google.subscribes()
    google.acknowledges(token)
    google.does(token, "change", plan=PLAN | {"product_id": "vip_year"})
    before = google.snapshot(token)
    google.passes(31)
    after = google.snapshot(token)

    assert (before.store_product_id, before.renews_as) == ("vip", "vip_year")
    assert (after.store_product_id, after.subscription_id) == ("vip_year", token)


def test_a_trial_is_a_period_of_nothing(google: Google) -> None:
    token = google.subscribes({"trial_days": 7})
    google.acknowledges(token)
    trial = google.snapshot(token).period
    google.passes(8)
    paid = google.snapshot(token).period
    assert trial is not None
    assert paid is not None
    assert (trial.price_micros, paid.price_micros) == (0, 16_990_000)


@pytest.mark.parametrize("is_subscription", [True, False])
def test_a_refunds_question_is_answered_once_it_is_asked(
    google: Google, is_subscription: bool
) -> None:
    token = google.subscribes() if is_subscription else google.buys()
    google.told()
    kind = "_subscriptions" if is_subscription else "_purchases"
    google.order(f"/{kind}/{token}/ask", reason="REMORSE")
    ((_, (question,)),) = google.told()
    assert isinstance(question, RefundQuestion)
    google.adapter.answer_refund_question(
        question_id=question.question_id,
        preference="DECLINE",
        sample_content_provided=True,
        consumed_parts_per_million=1_000_000,
    )

    (kept,) = google.http.get("/_questions").json()
    assert kept["answer"]["consumptionPercentageMilliunits"] == 100_000
    period = google.snapshot(token).period if is_subscription else None
    assert question.transaction_id == (period.transaction_id if period else token)


def test_the_list_has_pages(google: Google) -> None:
    tokens = [google.buys() for _ in range(5)]
    for token in tokens:
        google.order(f"/_purchases/{token}/refund")
    app = google.http.get("/_app").json()["package_name"]
    path = f"/androidpublisher/v3/applications/{app}/purchases/voidedpurchases"
    bearer = {"Authorization": f"Bearer {google.adapter.api._tokens.current()}"}
    seen, page = [], ""
    for _ in range(3):
        answer = google.http.get(
            path, params={"maxResults": 2, "token": page}, headers=bearer
        ).json()
        seen += [entry["purchaseToken"] for entry in answer["voidedPurchases"]]
        page = answer.get("tokenPagination", {}).get("nextPageToken", "")
    assert (seen, page) == (tokens, "")


@pytest.mark.parametrize("kind", ["html", "truncated", "reset", "status"])
def test_trouble_is_no_verdict(google: Google, kind: str) -> None:
    token = google.buys()
    google.product(token)
    google.http.put(
        "/_faults", json={"rules": [{"kind": kind, "matching": "productsv2", "times": 1}]}
    )
    with pytest.raises(ProviderError) as trouble:
        google.product(token)
    assert trouble.value.fault is Fault.UNAVAILABLE
    google.product(token)


@pytest.mark.parametrize("path", ["/token", "/orders/"])
def test_trouble_beside_it_is_none_either(google: Google, path: str) -> None:
    token = google.buys()
    google.http.put("/_faults", json={"rules": [{"kind": "status", "matching": path, "times": 1}]})
    with pytest.raises(ProviderError) as trouble:
        google.product(token)
    assert trouble.value.fault is Fault.UNAVAILABLE
    google.product(token)


def test_pushes_that_come_twice_and_late_arrive(google: Google) -> None:
    """Damaged ones are none of Pub/Sub's: its token says who sends, and nothing of what is sent."""
    manners = {"repeat": 0.5, "delay": 0.5, "delay_seconds": 0.1, "seed": 4}
    google.http.put("/_deliveries", json=manners | {"retries_seconds": [0.05] * 5})
    tokens = {google.buys() for _ in range(10)}

    told = {
        fact.transaction_id
        for _, facts in google.told()
        for fact in facts
        if isinstance(fact, StoreTransaction)
    }
    assert told == tokens


def test_a_push_for_somebody_else_is_refused(google: Google) -> None:
    google.http.put("/_deliveries", json={"retries_seconds": []})
    push = google.http.get("/_push").json()
    for changes in ({"audience": "https://other"}, {"email": "other@example.com"}):
        google.http.put("/_push", json=push | changes)
        google.buys()
        wait_until(lambda: not google.http.get("/_deliveries").json()["waiting"])
    # Anybody has a Google account that signs: who is not the one that was named has no signature.
    assert google.inbox.refused == [Fault.FOREIGN, Fault.FORGED]
    assert google.inbox.messages == []


def test_trials_are_told(google: Google) -> None:
    google.order("/_test")
    assert google.told() == [("testNotification", ())]


def test_test_purchases_are_of_the_sandbox(google: Google) -> None:
    (fact,) = google.product(google.buys(is_test=True))
    assert fact.environment == "sandbox"


def test_unknown_and_old_tokens_are_gone(google: Google) -> None:
    token = google.subscribes()
    google.acknowledges(token)
    google.does(token, "expire")
    assert google.snapshot(token).state is State.EXPIRED
    google.passes(61)
    for ask in (lambda: google.snapshot(token), lambda: google.product("no-such-token")):
        with pytest.raises(ProviderError) as gone:
            ask()
        assert gone.value.fault is Fault.GONE


def test_it_remembers_after_a_restart(google: Google, tmp_path: Path) -> None:
    token = google.buys()
    again = Google(tmp_path / "google", google.inbox)
    bought = again.product(token)
    again.close()
    assert bought == google.product(token)


def test_a_key_that_it_did_not_give_out_is_refused(google: Google, tmp_path: Path) -> None:
    stranger = Google(tmp_path / "another", google.inbox)
    settings = google.adapter._settings
    adapter = GoogleAdapter(
        GoogleSettings(
            package_name=settings.package_name,
            service_account=stranger.adapter._settings.service_account,
            push_audience=settings.push_audience,
            push_email=settings.push_email,
            push_subscription=settings.push_subscription,
            api_url=settings.api_url,
            token_url=settings.token_url,
        )
    )
    with pytest.raises(ProviderError) as refused:
        adapter.api.product("token")
    adapter.close()
    stranger.close()
    assert refused.value.fault is Fault.UNAVAILABLE
