"""A store's notifications on their way to us: they get lost, come twice, late, in another order and damaged."""

import heapq
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

import httpx
import msgspec

from config import clock
from demo.transport import trusted

TIMEOUT_SECONDS = 10.0
FLUSH_SECONDS = 60.0
#: What happened longer ago, and goes out only now, happened in simulated days.
SIMULATED_AFTER = timedelta(minutes=5)

Headers = Callable[[bytes, datetime], Mapping[str, str]]
"""What goes with a body, made anew for every attempt, at a moment: signatures carry times."""
Stamp = Callable[[datetime], Mapping[str, str]]
"""Headers that make it a moment for whom is told."""


class Manners(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What befalls notifications, each as a share of all, drawn by a seed.

    `lose` is never sent, `repeat` once more than needed, `delay` held back for up to `delay_seconds` so that
    later ones overtake it, `corrupt` sent damaged once before it is sent whole. What is not answered with 2xx is
    sent again after each of `retries_seconds`, then given up. Nothing goes out while `is_paused`.
    """

    lose: float = 0.0
    repeat: float = 0.0
    delay: float = 0.0
    delay_seconds: float = 1.0
    corrupt: float = 0.0
    retries_seconds: Sequence[float] = (1.0, 2.0, 4.0, 8.0, 16.0)
    is_paused: bool = False
    seed: int = 0


class Delivered(msgspec.Struct, frozen=True):
    """An attempt: `status` 0 is no answer."""

    name: str
    at: datetime
    status: int


class Told(msgspec.Struct, frozen=True):
    """What became of everything that was to be delivered. What is on the wire waits still."""

    waiting: Sequence[str]
    attempts: Sequence[Delivered]
    lost: Sequence[str]
    given_up: Sequence[str]


@dataclass(order=True)
class _Parcel:
    due: float
    number: int
    name: str = field(compare=False)
    url: str = field(compare=False)
    headers: Headers = field(compare=False)
    at: datetime = field(compare=False)
    body: bytes = field(compare=False)
    attempt: int = field(compare=False, default=0)
    is_damaged: bool = field(compare=False, default=False)
    is_repeat: bool = field(compare=False, default=False)


class Deliveries:
    """Sends from threads of its own. `content_type` is the same for all.

    With a `stamp`, what happened in simulated days arrives at the moment at which it happened.
    """

    def __init__(
        self,
        *,
        content_type: str = "application/json",
        threads: int = 4,
        stamp: Stamp | None = None,
    ) -> None:
        self._content_type = content_type
        self._stamp = stamp
        self._changed = threading.Condition()
        self._queue: list[_Parcel] = []
        self._on_the_wire: dict[int, _Parcel] = {}
        self._number = 0
        self._attempts: list[Delivered] = []
        self._lost: list[str] = []
        self._given_up: list[str] = []
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        self.order(Manners())

    def order(self, manners: Manners) -> None:
        """How it goes from now on."""
        with self._changed:
            self._manners = manners
            self._chance = Random(manners.seed)  # noqa: S311  repeatable by its seed
            self._changed.notify_all()

    def send(self, *, name: str, url: str, headers: Headers, body: bytes, at: datetime) -> None:
        """Puts a notification of something that happened `at` on its way. Without an address nobody is told."""
        if not url:
            return
        with self._changed:
            manners, chance = self._manners, self._chance
            if chance.random() < manners.lose:
                self._lost.append(name)
                return
            late = chance.uniform(0, manners.delay_seconds) * (chance.random() < manners.delay)
            is_damaged = chance.random() < manners.corrupt
            self._put(name, url, headers, body, at, late, is_damaged=is_damaged)
            if chance.random() < manners.repeat:
                late += chance.uniform(0, 0.5)
                self._put(name, url, headers, body, at, late, is_repeat=True)

    def flush(self) -> int:
        """Sends everything that waits without waiting any longer; how much could not be delivered yet."""
        until = time.monotonic() + FLUSH_SECONDS
        with self._changed:
            for parcel in self._queue:
                parcel.due = 0.0
            heapq.heapify(self._queue)
            waiting = {parcel.number for parcel in self._queue}
            self._changed.notify_all()
            while time.monotonic() < until and (
                self._on_the_wire or any(p.number in waiting and not p.attempt for p in self._queue)
            ):
                self._changed.wait(0.05)
            return len(self._queue)

    def told(self) -> Told:
        """Everything, so far."""
        with self._changed:
            return Told(
                waiting=[
                    parcel.name for parcel in (*self._on_the_wire.values(), *sorted(self._queue))
                ],
                attempts=list(self._attempts),
                lost=list(self._lost),
                given_up=list(self._given_up),
            )

    def _put(
        self,
        name: str,
        url: str,
        headers: Headers,
        body: bytes,
        at: datetime,
        late_seconds: float,
        *,
        is_damaged: bool = False,
        is_repeat: bool = False,
    ) -> None:
        self._number += 1
        while self._threads:  # only who has something to send needs them
            self._threads.pop().start()
        heapq.heappush(
            self._queue,
            _Parcel(
                due=time.monotonic() + late_seconds,
                number=self._number,
                name=name,
                url=url,
                headers=headers,
                body=body,
                at=at,
                is_damaged=is_damaged,
                is_repeat=is_repeat,
            ),
        )
        self._changed.notify_all()

    def _work(self) -> None:
        with httpx.Client(timeout=TIMEOUT_SECONDS, verify=trusted()) as client:
            while True:
                parcel = self._taken()
                status = self._attempt(client, parcel)
                with self._changed:
                    del self._on_the_wire[parcel.number]
                    self._attempts.append(Delivered(parcel.name, clock.read(), status))
                    self._settle(parcel, status)
                    self._changed.notify_all()

    def _taken(self) -> _Parcel:
        with self._changed:
            while True:
                wait = None
                if self._queue and not self._manners.is_paused:
                    wait = self._queue[0].due - time.monotonic()
                    if wait <= 0:
                        parcel = heapq.heappop(self._queue)
                        self._on_the_wire[parcel.number] = parcel
                        return parcel
                self._changed.wait(wait)

    def _attempt(self, client: httpx.Client, parcel: _Parcel) -> int:
        sent_at, stamps = clock.read(), {}
        if self._stamp is not None and sent_at - parcel.at > SIMULATED_AFTER:
            sent_at, stamps = parcel.at, dict(self._stamp(parcel.at))
        headers = {
            "Content-Type": self._content_type,
            **parcel.headers(parcel.body, sent_at),
            **stamps,
        }
        body = _damaged(parcel.body) if parcel.is_damaged else parcel.body
        try:
            return client.post(parcel.url, content=body, headers=headers).status_code
        except httpx.HTTPError:
            return 0

    def _settle(self, parcel: _Parcel, status: int) -> None:
        if 200 <= status < 300 or parcel.is_repeat:
            return
        retries = self._manners.retries_seconds
        if parcel.is_damaged:
            parcel.is_damaged, parcel.due = False, time.monotonic() + 0.1
        elif parcel.attempt < len(retries):
            parcel.due = time.monotonic() + retries[parcel.attempt]
            parcel.attempt += 1
        else:
            self._given_up.append(parcel.name)
            return
        heapq.heappush(self._queue, parcel)


def _damaged(body: bytes) -> bytes:
    """With one byte in its middle changed."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 0x01]) + body[middle + 1 :] if body else b"?"
