"""Many callers at once, each on its own connection: exactly one effect."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from uuid import UUID

import pytest
from django.db.models import Sum
from django.http import HttpResponse
from django.test import Client

from payments.idempotency import IdempotencyKey
from payments.models import Entry, Purchase, Transfer, Unlock, Wallet
from payments.providers.base import StoreTransaction
from payments.store import purchases
from payments.store.purchases import TransactionOfAnotherViewer
from payments.unlocking import unlocks
from tests import ledger_rules
from tests.factories.payments import (
    StoreProductFactory,
    fund,
    give_bonus,
    hand_in,
    signed_sale,
    told,
)
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import unlock
from tests.proof import Proof
from tests.races.crowd import Scene, at_once, connections, locked_series

CALLERS = 40
KEY_HOLDERS = 50

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_connection_for_each_caller() -> Iterator[None]:
    with connections(KEY_HOLDERS):
        yield


def spent(scene: Scene) -> int:
    """The coins that the viewer's unlocks were charged."""
    charged = Unlock.objects.filter(viewer_id=scene.viewer_id).aggregate(total=Sum("price_coins"))
    return charged["total"] or 0


def test_one_affordable_unlock_of_many_episodes_succeeds_once(now: datetime, proof: Proof) -> None:
    series, wrong = locked_series(CALLERS), 0
    for _ in range(proof.rounds(full=200)):
        scene = Scene(series, now=now)
        fund(scene.viewer_id, now=now, paid=60)

        decisions = at_once([partial(scene.unlock, place) for place in range(CALLERS)])

        ended = Counter(decision.outcome.outcome for decision in decisions)
        wrong += ended != {"unlocked": 1, "insufficient_coins": CALLERS - 1}
        wrong += spent(scene) != 60

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.record("P3", f"one affordable unlock, {CALLERS} callers", violations=wrong)


def test_one_episode_is_charged_once_however_many_taps(now: datetime, proof: Proof) -> None:
    series = locked_series(1)
    for _ in range(proof.rounds(full=200)):
        scene = Scene(series, now=now)
        fund(scene.viewer_id, now=now, paid=600)

        decisions = at_once([partial(scene.unlock, 0)] * CALLERS)

        ended = Counter(decision.outcome.outcome for decision in decisions)
        assert ended == {"unlocked": 1, "already_unlocked": CALLERS - 1}
        assert spent(scene) == 60

    assert ledger_rules.broken() == []
    proof.record("P9", f"one episode, {CALLERS} simultaneous taps", violations=0)


def test_one_key_from_many_callers_has_one_effect_and_one_answer(
    now: datetime, proof: Proof
) -> None:
    series, rounds = locked_series(1), proof.rounds(full=100)
    for number in range(rounds):
        scene = Scene(series, now=now)
        fund(scene.viewer_id, now=now, paid=600)
        key = IdempotencyKey(value=f"tap-{number}", fingerprint=b"f" * 32)

        decisions = at_once([partial(scene.unlock, 0, key)] * KEY_HOLDERS)

        assert sum(not decision.is_replay for decision in decisions) == 1
        assert len({decision.outcome for decision in decisions}) == 1
        assert spent(scene) == 60

    assert ledger_rules.broken() == []
    proof.count = rounds * KEY_HOLDERS
    proof.record("P5", f"attempts with one key, {KEY_HOLDERS} at once", violations=0)


def test_a_refusal_is_one_for_all_who_hold_its_key(now: datetime, proof: Proof) -> None:
    """A top-up comes while they ask: all were refused, or all were served."""
    series = locked_series(1)
    for number in range(proof.rounds(full=100)):
        scene = Scene(series, now=now)
        key = IdempotencyKey(value=f"tap-{number}", fingerprint=b"f" * 32)

        def top_up(scene: Scene = scene) -> None:
            fund(scene.viewer_id, now=now, paid=60)

        calls: list[Callable[[], unlocks.Decision | None]] = [partial(scene.unlock, 0, key)] * 10
        ended = at_once([*calls, top_up])

        outcomes = {decision.outcome for decision in ended if decision is not None}
        assert len(outcomes) == 1
        assert (outcomes.pop().outcome == "unlocked") == (spent(scene) == 60)

    assert ledger_rules.broken() == []
    proof.record("P6", "one key while a top-up comes, 10 callers", violations=0)


def test_paid_and_bonus_together_are_never_overdrawn(now: datetime, proof: Proof) -> None:
    """Two unlocks that each need both kinds: read-then-write without a lock would pay for both."""
    series = locked_series(2)
    for _ in range(proof.rounds(full=1000)):
        scene = Scene(series, now=now)
        fund(scene.viewer_id, now=now, paid=50)
        give_bonus(scene.viewer_id, coins=50, now=now)

        decisions = at_once([partial(scene.unlock, 0), partial(scene.unlock, 1)])

        assert sorted(d.outcome.outcome for d in decisions) == ["insufficient_coins", "unlocked"]
        assert spent(scene) == 60

    assert ledger_rules.broken() == []
    proof.record("P3", "paid and bonus skew pair", violations=0)


def test_one_store_transaction_credits_one_wallet_once(now: datetime, proof: Proof) -> None:
    """Even where its owner is not known: the first of 20 accounts has it, for good."""
    product = StoreProductFactory()
    for _ in range(proof.rounds(full=100)):
        accounts = [DeviceFactory().viewer_id for _ in range(20)]
        signed = signed_sale(product, viewer_id=accounts[0], now=now)
        sold = told(signed, now=now)

        def credit(viewer_id: UUID, sold: StoreTransaction = sold) -> bool | None:
            try:
                return purchases.credit(
                    viewer_id=viewer_id, provider="fake", transaction=sold, now=now
                )[1]
            except TransactionOfAnotherViewer:
                return None

        answers = at_once([partial(credit, who) for who in accounts * 2])
        repeated = [credit(who) for who in accounts]

        assert Counter(answers) == {True: 1, False: 1, None: 38}
        assert Counter(repeated) == {False: 1, None: 19}
        assert Wallet.objects.filter(viewer_id__in=accounts).count() == 1

    credited = Purchase.objects.count()
    assert Entry.objects.filter(account="store").count() == credited
    assert ledger_rules.broken() == []
    proof.record("P7", "one transaction, 20 accounts twice", violations=0)


def test_only_the_account_that_paid_is_credited(now: datetime, proof: Proof) -> None:
    product = StoreProductFactory()
    for _ in range(proof.rounds(full=60)):
        accounts = [DeviceFactory().viewer_id for _ in range(20)]
        signed = signed_sale(product, viewer_id=accounts[-1], now=now)

        def submit(viewer_id: UUID, signed: str = signed) -> bool | None:
            try:
                return hand_in(signed, viewer_id=viewer_id, now=now).is_new
            except TransactionOfAnotherViewer:
                return None

        answers = at_once([partial(submit, who) for who in [*accounts, *accounts[-1:] * 5]])

        assert Counter(answers) == {True: 1, False: 5, None: 19}
        assert Purchase.objects.latest("id").viewer_id == accounts[-1]

    assert ledger_rules.broken() == []
    proof.record("P7", "one signed transaction, brought by 20 accounts", violations=0)


def test_posted_at_once_over_http_it_is_charged_once(now: datetime, proof: Proof) -> None:
    series = locked_series(2)
    for number in range(proof.rounds(full=60)):
        scene = Scene(series, now=now)
        fund(scene.viewer_id, now=now, paid=600)
        headers = viewer_headers(scene.device, now=now)
        key = {"Idempotency-Key": f"tap-{number}"}

        def post(
            place: int,
            more: dict[str, str],
            scene: Scene = scene,
            headers: dict[str, str] = headers,
        ) -> HttpResponse:
            api = Client(raise_request_exception=False)
            return unlock(api, scene.episodes[place], headers | more, quote=scene.quote)

        bare = at_once([partial(post, 0, {})] * CALLERS)
        keyed = at_once([partial(post, 1, key)] * CALLERS)

        assert {answer.status_code for answer in [*bare, *keyed]} == {200}
        outcomes = Counter(answer.json()["outcome"] for answer in bare)
        assert outcomes == {"unlocked": 1, "already_unlocked": CALLERS - 1}
        assert len({answer.content for answer in keyed}) == 1
        assert sum("Idempotent-Replayed" not in answer.headers for answer in keyed) == 1
        assert Transfer.objects.filter(viewer_id=scene.viewer_id, code="unlock").count() == 2

    assert ledger_rules.broken() == []
    proof.record("P9", f"one unlock over HTTP, {CALLERS} posts", violations=0)
