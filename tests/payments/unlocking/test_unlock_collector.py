"""Unlocks of one process that share a statement: each has its own outcome, and none harms another."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from catalog.models import Series
from payments.access import paywall
from payments.idempotency import IdempotencyKey
from payments.models import IdempotencyRecord, Unlock
from payments.prices import pricing
from payments.unlocking import unlock_collector, unlocks
from payments.unlocking.unlock_collector import MAXIMUM_CALLS, Call, Collector, Row
from tests.factories.payments import fund
from tests.factories.viewers import DeviceFactory
from tests.payments.calls import episode, movements

ROWS = pytest.mark.django_db(transaction=True)
FIRST_LOCKED = 9


class Gate:
    """Performs batches as they are, but the first only when `opened`; remembers them all."""

    def __init__(self, answer: Callable[[Sequence[Call]], Sequence[Row]]) -> None:
        self.answer = answer
        self.opened = threading.Event()
        self.batches: list[list[UUID]] = []

    def __call__(self, calls: Sequence[Call]) -> Sequence[Row]:
        self.batches.append([call.viewer_id for call in calls])
        assert self.opened.wait(timeout=30)
        return self.answer(calls)


def told_apart(calls: Sequence[Call]) -> Sequence[Row]:
    """An answer for each call that only it can have."""
    return [(str(call.viewer_id), False, None) for call in calls]


def call_of(viewer_id: UUID, **given: Any) -> Call:
    values: dict[str, Any] = dict.fromkeys(Call._fields) | {"viewer_id": viewer_id} | given
    return Call(**values)


def queue_up(collector: Collector, gate: Gate, calls: Sequence[Call]) -> list[Future[Row]]:
    """Has each call made by a thread of its own, in this order: the first leads, the others wait."""

    def spend(call: Call) -> Row:
        try:
            return collector.spend(call)
        finally:
            connection.close()

    pool = ThreadPoolExecutor(len(calls))
    futures = []
    for place, call in enumerate(calls):
        futures.append(pool.submit(spend, call))
        _until(lambda: gate.batches and len(collector._queue) == place)  # noqa: B023
    pool.shutdown(wait=False)
    return futures


def _until(holds: Callable[[], Any]) -> None:
    give_up_at = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.001)


def test_who_comes_while_one_is_decided_shares_the_next_statement() -> None:
    gate = Gate(told_apart)
    viewers = sorted(uuid4() for _ in range(6))
    futures = queue_up(collector := Collector(gate), gate, [call_of(each) for each in viewers])

    gate.opened.set()

    assert [future.result(30)[0] for future in futures] == [str(each) for each in viewers]
    assert gate.batches == [viewers[:1], viewers[1:]]
    assert collector.spend(call_of(viewers[0]))[0] == str(viewers[0])


def test_a_batch_holds_a_viewer_once_and_is_in_the_order_of_viewers() -> None:
    gate = Gate(told_apart)
    first, low, high = sorted(uuid4() for _ in range(3))
    asked = [first, high, low, high, low]
    futures = queue_up(Collector(gate), gate, [call_of(each) for each in asked])

    gate.opened.set()

    assert [future.result(30)[0] for future in futures] == [str(each) for each in asked]
    assert gate.batches == [[first], [low, high], [low, high]]


def test_a_batch_has_a_greatest_size() -> None:
    gate = Gate(told_apart)
    calls = [call_of(uuid4()) for _ in range(MAXIMUM_CALLS + 2)]
    futures = queue_up(Collector(gate), gate, calls)

    gate.opened.set()

    assert [future.result(30)[0] for future in futures] == [str(call.viewer_id) for call in calls]
    assert [len(batch) for batch in gate.batches] == [1, MAXIMUM_CALLS, 1]


def test_when_a_statement_fails_each_asks_alone_and_fails_alone() -> None:
    viewers = [uuid4() for _ in range(4)]
    failing = viewers[2]

    def answer(calls: Sequence[Call]) -> Sequence[Row]:
        if failing in [call.viewer_id for call in calls]:
            raise OperationalError(str(len(calls)))
        return told_apart(calls)

    gate = Gate(answer)
    futures = queue_up(collector := Collector(gate), gate, [call_of(each) for each in viewers])

    gate.opened.set()

    for viewer_id, future in zip(viewers, futures, strict=True):
        if viewer_id == failing:
            with pytest.raises(OperationalError, match=r"^1$"):
                future.result(30)
        else:
            assert future.result(30)[0] == str(viewer_id)
    assert sorted(map(len, gate.batches)) == [1, 1, 1, 1, 3]
    assert collector.spend(call_of(viewers[0]))[0] == str(viewers[0])


def test_a_leader_that_dies_takes_nobody_with_it() -> None:
    viewers = [uuid4() for _ in range(4)]
    successor = viewers[1]

    def answer(calls: Sequence[Call]) -> Sequence[Row]:
        if len(calls) > 1:
            raise MemoryError
        return told_apart(calls)

    gate = Gate(answer)
    futures = queue_up(collector := Collector(gate), gate, [call_of(each) for each in viewers])

    gate.opened.set()

    with pytest.raises(MemoryError):
        futures[viewers.index(successor)].result(30)
    for viewer_id, future in zip(viewers, futures, strict=True):
        if viewer_id != successor:
            assert future.result(30)[0] == str(viewer_id)
    assert collector.spend(call_of(viewers[0]))[0] == str(viewers[0])


class Scene:
    """Viewers before one series, whose unlocks come to the database as one batch."""

    def __init__(self, series: Series, monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
        self.series, self.now = series, now
        self.gate = Gate(unlock_collector.perform)
        self.collector = Collector(self.gate)
        self.pool = ThreadPoolExecutor(8)
        monkeypatch.setattr(unlock_collector, "process", self.collector)
        self.first = self.asked_by(self.viewer(paid=600))
        _until(lambda: self.gate.batches)

    def viewer(self, *, paid: int = 0) -> UUID:
        viewer_id: UUID = DeviceFactory().viewer_id
        if paid:
            fund(viewer_id, now=self.now, paid=paid)
        return viewer_id

    def unlock(self, viewer_id: UUID, key: IdempotencyKey | None = None) -> unlocks.Decision:
        shown = paywall.show(
            viewer_id=viewer_id, environment="production", series_id=self.series.id, now=self.now
        )
        return unlocks.unlock(
            viewer_id=viewer_id,
            environment="production",
            episode_id=episode(self.series, FIRST_LOCKED),
            quote=shown.quote.token(),
            now=self.now,
            key=key,
        )

    def asked_by(
        self, viewer_id: UUID, key: IdempotencyKey | None = None
    ) -> "Future[unlocks.Decision]":
        """The same, in a thread of its own."""

        def unlock() -> unlocks.Decision:
            try:
                return self.unlock(viewer_id, key)
            finally:
                connection.close()

        return self.pool.submit(unlock)

    def send(self, *futures: "Future[unlocks.Decision]") -> None:
        """Lets the first through, and then all who have asked, in one statement."""
        _until(lambda: len(self.collector._queue) == len(futures))
        self.gate.opened.set()
        assert self.first.result(30).outcome.outcome == "unlocked"


@pytest.fixture
def scene(series: Series, monkeypatch: pytest.MonkeyPatch, now: datetime) -> Iterator[Scene]:
    made = Scene(series, monkeypatch, now)
    yield made
    made.gate.opened.set()
    made.pool.shutdown()


@ROWS
def test_each_of_a_batch_has_its_own_outcome(scene: Scene) -> None:
    rich, poor = scene.viewer(paid=600), scene.viewer(paid=59)
    keyed, key = scene.viewer(paid=100), IdempotencyKey(value="tap", fingerprint=b"f" * 32)
    futures = [scene.asked_by(rich), scene.asked_by(poor), scene.asked_by(keyed, key)]

    scene.send(*futures)

    outcomes = [future.result(30).outcome for future in futures]
    assert [each.outcome for each in outcomes] == ["unlocked", "insufficient_coins", "unlocked"]
    assert [each.balance_paid_coins for each in outcomes] == [540, 0, 40]
    assert [each.shortfall_coins for each in outcomes] == [0, 1, 0]
    assert len(scene.gate.batches) == 2
    kept = IdempotencyRecord.objects.filter(viewer_id=keyed)
    assert kept.values_list("outcome__balance_paid_coins", flat=True).get() == 40
    assert set(Unlock.objects.values_list("viewer_id", flat=True)) >= {rich, keyed}
    assert not Unlock.objects.filter(viewer_id=poor).exists()


@ROWS
def test_a_viewer_who_is_gone_fails_alone(scene: Scene) -> None:
    rich, gone = scene.viewer(paid=600), uuid4()
    key = IdempotencyKey(value="tap", fingerprint=b"f" * 32)
    futures = [scene.asked_by(rich), scene.asked_by(gone, key)]

    scene.send(*futures)

    assert futures[0].result(30).outcome.outcome == "unlocked"
    with pytest.raises(IntegrityError):
        futures[1].result(30)
    assert not IdempotencyRecord.objects.filter(viewer_id=gone).exists()
    assert Unlock.objects.filter(viewer_id=rich).count() == 1


@contextmanager
def wallet_held(viewer_id: UUID) -> Iterator[None]:
    """Somebody else's transaction that locks a wallet and takes its time."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE NONE")
        cursor.execute("SELECT FROM payments_wallet WHERE viewer_id = %s FOR UPDATE", [viewer_id])
        yield


@ROWS
def test_a_wallet_that_is_held_keeps_only_its_own_viewer_waiting(scene: Scene) -> None:
    rich, held = scene.viewer(paid=600), scene.viewer(paid=600)
    futures = [scene.asked_by(rich), scene.asked_by(held)]
    with wallet_held(held):
        scene.send(*futures)

        assert futures[0].result(30).outcome.outcome == "unlocked"
        with pytest.raises(OperationalError):
            futures[1].result(30)

    assert Unlock.objects.filter(viewer_id=rich).count() == 1
    assert not Unlock.objects.filter(viewer_id=held).exists()


@ROWS
def test_batches_of_two_processes_never_wait_for_each_other_in_a_circle(
    series: Series, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    """Both collectors hold the same viewers, who came in opposite orders, and are let go at once."""
    version = pricing.version_in_force(series_id=series.id, at=now)
    viewers = sorted(DeviceFactory().viewer_id for _ in range(12))
    for viewer_id in viewers:
        fund(viewer_id, now=now, paid=600)

    def calls(order: Sequence[UUID], number: int) -> list[Call]:
        given: dict[str, Any] = {
            "environment": "production",
            "episode_id": episode(series, number),
            "series_id": series.id,
            "numbering": series.numbering,
            "price_version_id": version.id,
            "adjustments": "{}",
            "prices": "{}",
            "price_after": 60,
            "arm": "",
            "now": now,
        }
        return [call_of(uuid4()), *(call_of(viewer_id, **given) for viewer_id in order)]

    answers: list[str] = []
    for number in (9, 10, 11):
        gates = [Gate(unlock_collector.perform), Gate(unlock_collector.perform)]
        futures = [
            future
            for gate, order in zip(gates, (viewers, viewers[::-1]), strict=True)
            for future in queue_up(Collector(gate), gate, calls(order, number))
        ]
        for gate in gates:
            gate.opened.set()
        answers += [future.result(30)[0] for future in futures]

    assert caplog.messages == []
    assert sum('"unlocked"' in answer for answer in answers) == 3 * len(viewers)
    assert sum('"already_unlocked"' in answer for answer in answers) == 3 * len(viewers)


@ROWS
def test_an_unlock_within_a_transaction_is_part_of_it_and_waits_for_nobody(scene: Scene) -> None:
    viewer_id = scene.viewer(paid=600)
    before = movements()

    with transaction.atomic():
        decision = scene.unlock(viewer_id)
        transaction.set_rollback(True)

    assert decision.outcome.outcome == "unlocked"
    assert movements() == before
    assert len(scene.gate.batches) == 1
    scene.send()


@ROWS
def test_the_patience_of_a_batch_ends_with_it(now: datetime) -> None:
    calls = [call_of(uuid4(), episode_id=uuid4(), prices="{}", now=now) for _ in range(2)]
    rows = unlock_collector.perform(calls)

    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("2s",)
    assert [text for text, *_ in rows] == ['{"outcome": "episode_unavailable"}'] * 2


def test_plans_that_a_connection_keeps_never_read_a_whole_table(db: None) -> None:
    """Made while a table was empty, they would go on reading all of it when it is large."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT proconfig FROM pg_proc WHERE proname = 'payments_unlock'")
        found = cursor.fetchall()

    assert found
    assert all("enable_seqscan=off" in settings for (settings,) in found)
