"""Many callers at once, each on its own connection: exactly one effect."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from threading import Barrier
from typing import Any, TypeVar

import pytest
from django.db import connection

from payments import paywall, purchases, unlocks, verification
from payments.idempotency import IdempotencyKey
from payments.models import Entry, Purchase, Unlock
from payments.purchases import TransactionOfAnotherViewer
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.payments import (
    StoreProductFactory,
    default_plan,
    fund,
    give_bonus,
    signed_sale,
)
from tests.factories.viewers import DeviceFactory
from tests.proof import Proof

Answer = TypeVar("Answer")

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(calls: list[Callable[[], Answer]]) -> list[Answer]:
    """Runs the calls in threads that start together; the first exception is raised."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Answer]) -> Answer:
        try:
            barrier.wait(timeout=10)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


class Scene:
    """A viewer, a series of locked episodes at 60 coins, and a quote for them."""

    def __init__(self, *, now: datetime, episodes: int, paid: int = 60) -> None:
        default_plan()
        self.now = now
        self.viewer_id = DeviceFactory().viewer_id
        series = SeriesFactory(state="published")
        self.episodes = [
            EpisodeFactory(series=series, number=number).id for number in range(9, 9 + episodes)
        ]
        fund(self.viewer_id, now=now, paid=paid)
        self.quote = paywall.show(
            viewer_id=self.viewer_id, environment="production", series_id=series.id, now=now
        ).quote.token()

    def unlock(self, place: int, key: IdempotencyKey | None = None) -> unlocks.Decision:
        return unlocks.unlock(
            viewer_id=self.viewer_id,
            environment="production",
            episode_id=self.episodes[place],
            quote=self.quote,
            now=self.now,
            key=key,
        )


def test_one_affordable_unlock_of_many_episodes_succeeds_once(now: datetime, proof: Proof) -> None:
    callers, doubled = 20, 0
    for _ in range(proof.rounds(full=200)):
        scene = Scene(now=now, episodes=callers)
        decisions = at_once([partial(scene.unlock, place) for place in range(callers)])
        won = [d for d in decisions if d.outcome.outcome == "unlocked"]
        doubled += abs(len(won) - 1)
        assert {d.outcome.outcome for d in decisions} == {"unlocked", "insufficient_coins"}

    assert doubled == 0
    assert list(verification.violations()) == []
    proof.record("P3", "one affordable unlock, 20 callers", violations=doubled)


def test_one_episode_is_charged_once_however_many_taps(now: datetime, proof: Proof) -> None:
    charges = 0
    for _ in range(proof.rounds(full=200)):
        scene = Scene(now=now, episodes=1, paid=600)
        at_once([partial(scene.unlock, 0)] * 20)
        charges = Unlock.objects.filter(viewer_id=scene.viewer_id).count()
        assert charges == 1

    assert list(verification.violations()) == []
    proof.record("P9", "one episode, 20 simultaneous taps", violations=0)


def test_one_key_from_many_callers_has_one_effect_and_one_answer(
    now: datetime, proof: Proof
) -> None:
    for number in range(proof.rounds(full=100)):
        scene = Scene(now=now, episodes=1, paid=600)
        key = IdempotencyKey(value=f"tap-{number}", fingerprint=b"f" * 32)
        decisions = at_once([partial(scene.unlock, 0, key)] * 20)
        assert sum(not decision.is_replay for decision in decisions) == 1
        assert len({decision.outcome.unlock_id for decision in decisions}) == 1
        assert Unlock.objects.filter(viewer_id=scene.viewer_id).count() == 1

    proof.record("P5", "one idempotency key, 20 simultaneous callers", violations=0)


def test_paid_and_bonus_together_are_never_overdrawn(now: datetime, proof: Proof) -> None:
    """Two unlocks that each need both kinds: read-then-write without a lock would pay for both."""
    for _ in range(proof.rounds(full=200)):
        scene = Scene(now=now, episodes=2, paid=50)
        give_bonus(scene.viewer_id, coins=50, now=now)
        decisions = at_once([partial(scene.unlock, 0), partial(scene.unlock, 1)])
        assert sorted(d.outcome.outcome for d in decisions) == ["insufficient_coins", "unlocked"]

    assert list(verification.violations()) == []
    proof.record("P3", "paid and bonus skew pair", violations=0)


def test_one_store_transaction_credits_one_wallet_once(now: datetime, proof: Proof) -> None:
    product = StoreProductFactory()
    for _ in range(proof.rounds(full=100)):
        owner = DeviceFactory().viewer_id
        others = [DeviceFactory().viewer_id for _ in range(5)]
        signed = signed_sale(product, viewer_id=owner, now=now)

        def hand_in(viewer_id: Any, signed: str = signed) -> bool | None:
            try:
                return purchases.submit(
                    viewer_id=viewer_id, provider="fake", signed=signed, now=now
                )[1]
            except TransactionOfAnotherViewer:
                return None

        callers = [owner] * 10 + others
        answers = at_once([partial(hand_in, who) for who in callers])

        assert answers.count(True) == 1
        assert answers.count(None) == len(others)

    credited = Purchase.objects.count()
    assert Entry.objects.filter(account="store").count() == credited
    assert list(verification.violations()) == []
    proof.record("P7", "one transaction, 15 callers", violations=0)
