"""An episode is played and owed for, or taken back and not playable: never both."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction

from payments.access import entitlements, playing
from payments.models import Entitlement, Purchase, RefundOrigin, Unlock, Wallet
from payments.store import refunds
from payments.store.refunds import RefundFact
from tests import ledger_rules
from tests.factories.payments import fund
from tests.proof import Proof
from tests.races.crowd import FIRST_LOCKED, Scene, at_once, connections, locked_series

EPISODES = 3  # one that is asked for, and those that are opened ahead

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_connection_for_each_caller() -> Iterator[None]:
    with connections(10):
        yield


def play(scene: Scene) -> set[int]:
    """The numbers that may be watched, counted from 0; the connection goes back to the pool."""
    try:
        opened = playing.play(
            viewer_id=scene.viewer_id,
            environment="production",
            episode_id=scene.episodes[0],
            now=scene.now,
        )
    except playing.EpisodeLocked:
        return set()
    finally:
        if not connection.in_atomic_block:
            connection.close()
    return {each.episode.number - FIRST_LOCKED for each in opened}


def refund(purchase: Purchase, *, now: datetime) -> refunds.Recorded:
    try:
        return refunds.record(
            RefundFact(
                provider="fake",
                environment="production",
                transaction_id=purchase.transaction_id,
                refund_id=refunds.ALL,
                origin=RefundOrigin.STORE,
                refunded_at=now,
            ),
            now=now,
        )
    finally:
        if not connection.in_atomic_block:
            connection.close()


def unlocked(scene: Scene) -> Purchase:
    """All three episodes, paid with one purchase and not played."""
    bought = fund(scene.viewer_id, now=scene.now, paid=60 * EPISODES)
    for place in range(EPISODES):
        assert scene.unlock(place).outcome.outcome == "unlocked"
    return bought


def standing(scene: Scene) -> set[int]:
    """The numbers of the unlocks that were not undone, counted from 0."""
    kept = Unlock.objects.filter(viewer_id=scene.viewer_id, reversal=None)
    numbers = kept.values_list("episode__number", flat=True)
    return {number - FIRST_LOCKED for number in numbers}


def debt(scene: Scene) -> int:
    return -Wallet.objects.get(viewer_id=scene.viewer_id).debt_coins


def test_what_is_played_is_owed_and_what_is_undone_is_not_played(
    now: datetime, proof: Proof
) -> None:
    series = locked_series(EPISODES)
    for number in range(proof.rounds(full=400)):
        scene = Scene(series, now=now)
        bought = unlocked(scene)
        calls: list[Callable[[], Any]] = [partial(play, scene), partial(refund, bought, now=now)]

        watched: set[int] = next(
            each for each in at_once(calls if number % 2 else calls[::-1]) if isinstance(each, set)
        )

        kept = standing(scene)
        assert watched <= kept
        assert debt(scene) == 60 * len(kept)

    assert ledger_rules.broken() == []
    proof.record("P16", "playing and refunding at once", violations=0)


def test_playing_waits_for_a_refund_that_has_not_committed(now: datetime) -> None:
    scene = Scene(locked_series(EPISODES), now=now)
    bought = unlocked(scene)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            refund(bought, now=now)
            waiting = pool.submit(play, scene)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        assert waiting.result(timeout=10) == set()

    assert (standing(scene), debt(scene)) == (set(), 0)


def test_a_refund_waits_for_a_playing_that_has_not_committed(now: datetime) -> None:
    scene = Scene(locked_series(EPISODES), now=now)
    bought = unlocked(scene)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert play(scene) == {0, 1, 2}
            waiting = pool.submit(refund, bought, now=now)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        waiting.result(timeout=10)

    assert (standing(scene), debt(scene)) == ({0, 1, 2}, 180)
    assert ledger_rules.broken() == []


def test_both_take_the_episodes_in_one_order(now: datetime) -> None:
    """Somebody holds the oldest: taken oldest first by one and newest first by the other, each would
    end up with what the other one waits for."""
    scene = Scene(locked_series(EPISODES), now=now)
    bought = unlocked(scene)
    oldest = Entitlement.objects.filter(viewer_id=scene.viewer_id).earliest("id")

    with ThreadPoolExecutor(2) as pool:
        with transaction.atomic():
            entitlements.mark_played([oldest], now=now)
            waiting = [pool.submit(play, scene)]
            with pytest.raises(TimeoutError):
                waiting[0].result(timeout=0.5)
            waiting.append(pool.submit(refund, bought, now=now))
            with pytest.raises(TimeoutError):
                waiting[1].result(timeout=0.5)
            transaction.set_rollback(True)
        assert waiting[0].result(timeout=10) == {0, 1, 2}
        waiting[1].result(timeout=10)

    assert (standing(scene), debt(scene)) == ({0, 1, 2}, 180)


def test_asking_for_a_locked_episode_marks_none_after_it_as_played(now: datetime) -> None:
    """Nothing was answered, so nothing was watched: a refund still undoes them."""
    scene = Scene(locked_series(EPISODES), now=now)
    bought = fund(scene.viewer_id, now=now, paid=60)
    scene.unlock(1)

    assert play(scene) == set()
    refund(bought, now=now)

    assert (standing(scene), debt(scene)) == (set(), 0)
