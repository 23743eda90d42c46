"""Callbacks on their way to us: each network waits, understands and comes again in its own manner."""

import heapq
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import httpx
import msgspec

from config import clock

FLUSH_SECONDS = 60.0
PATIENCE_SECONDS = 10.0
#: So much of an answer is remembered.
KEPT_CHARACTERS = 200
_DAY = 24 * 3600.0

Understands = Callable[[str, int, str], bool]
"""Whether an answer to a transaction, of this status and body, is what the network waits for. No answer is
status 0."""


@dataclass(frozen=True)
class Manner:
    """How a network calls."""

    understands: Understands
    retries_seconds: Sequence[float] = ()
    patience_seconds: float = PATIENCE_SECONDS


def _any(transaction: str, status: int, body: str) -> bool:
    return status > 0


MANNERS: Mapping[str, Manner] = {
    "admob": Manner(lambda transaction, status, body: status == 200, (1.0,) * 5),
    "applovin": Manner(_any, (5.0, 5.0), patience_seconds=5.0),
    "levelplay": Manner(
        lambda transaction, status, body: status == 200 and f"{transaction}:OK" in body,
        (_DAY / 20,) * 20 + (_DAY,) * 7,
    ),
    "unity": Manner(lambda transaction, status, body: (status, body) == (200, "1")),
    "pangle": Manner(lambda transaction, status, body: '"isValid":true' in body),
    "wechat": Manner(_any, (15.0, 22.5, 33.75), patience_seconds=1.0),
}


class Attempt(msgspec.Struct, frozen=True):
    """One call and its answer; `status` 0 is none in time. `is_understood` ends the calls."""

    network: str
    transaction_id: str
    at: datetime
    status: int
    body: str
    is_understood: bool


class Told(msgspec.Struct, frozen=True):
    """What became of every callback; what is on the wire waits still."""

    waiting: Sequence[str]
    attempts: Sequence[Attempt]
    given_up: Sequence[str]


@dataclass(order=True)
class _Callback:
    due: float
    number: int
    network: str = field(compare=False)
    transaction_id: str = field(compare=False)
    url: str = field(compare=False)
    attempt: int = field(compare=False, default=0)


class Callbacks:
    """Sends from threads of its own."""

    def __init__(self, *, threads: int = 4) -> None:
        self._changed = threading.Condition()
        self._queue: list[_Callback] = []
        self._on_the_wire: dict[int, _Callback] = {}
        self._number = 0
        self._attempts: list[Attempt] = []
        self._given_up: list[str] = []
        for _ in range(threads):
            threading.Thread(target=self._work, daemon=True).start()

    def send(
        self, *, network: str, transaction_id: str, url: str, after_seconds: float = 0.0
    ) -> None:
        """Puts a callback on its way."""
        with self._changed:
            self._number += 1
            due = time.monotonic() + after_seconds
            one = _Callback(due, self._number, network, transaction_id, url)
            heapq.heappush(self._queue, one)
            self._changed.notify_all()

    def flush(self) -> int:
        """Sends everything that waits without waiting any longer; how much is still to come again."""
        until = time.monotonic() + FLUSH_SECONDS
        with self._changed:
            waiting = {callback.number: callback.attempt for callback in self._queue}
            for callback in self._queue:
                callback.due = 0.0
            heapq.heapify(self._queue)
            self._changed.notify_all()
            while time.monotonic() < until and (
                self._on_the_wire
                or any(waiting.get(one.number) == one.attempt for one in self._queue)
            ):
                self._changed.wait(0.05)
            return len(self._queue)

    def told(self) -> Told:
        """Everything, so far."""
        with self._changed:
            waiting = (*self._on_the_wire.values(), *sorted(self._queue))
            return Told(
                waiting=[callback.transaction_id for callback in waiting],
                attempts=list(self._attempts),
                given_up=list(self._given_up),
            )

    def _work(self) -> None:
        with httpx.Client() as client:
            while True:
                callback = self._taken()
                attempt = attempted(client, callback.network, callback.transaction_id, callback.url)
                with self._changed:
                    del self._on_the_wire[callback.number]
                    self._attempts.append(attempt)
                    self._settle(callback, attempt)
                    self._changed.notify_all()

    def _taken(self) -> _Callback:
        with self._changed:
            while True:
                wait = None
                if self._queue:
                    wait = self._queue[0].due - time.monotonic()
                    if wait <= 0:
                        callback = heapq.heappop(self._queue)
                        self._on_the_wire[callback.number] = callback
                        return callback
                self._changed.wait(wait)

    def _settle(self, callback: _Callback, attempt: Attempt) -> None:
        if attempt.is_understood:
            return
        retries = MANNERS[callback.network].retries_seconds
        if callback.attempt >= len(retries):
            self._given_up.append(callback.transaction_id)
            return
        callback.due = time.monotonic() + retries[callback.attempt]
        callback.attempt += 1
        heapq.heappush(self._queue, callback)


def attempted(client: httpx.Client, network: str, transaction_id: str, url: str) -> Attempt:
    """One call, as the network makes it."""
    manner = MANNERS[network]
    try:
        # The whole answer within the network's patience, as far as a client can promise that.
        answer = client.get(url, timeout=manner.patience_seconds)
        status, body = answer.status_code, answer.text
    except httpx.HTTPError:
        status, body = 0, ""
    return Attempt(
        network=network,
        transaction_id=transaction_id,
        at=clock.read(),
        status=status,
        body=body[:KEPT_CHARACTERS],
        is_understood=manner.understands(transaction_id, status, body),
    )
