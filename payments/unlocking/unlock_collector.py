"""Unlocks that are asked for at the same moment share one statement and one commit.

A commit waits for the disk whether it carries one unlock or ten, and a server that is asked ten times
switches ten times between two processes. So the first caller of a process leads: it takes whatever
waits, has payments_unlock decide each of them in one statement on its own connection, and hands out
the answers. Who comes in the meantime waits for the next turn, which the first of them leads.

What keeps that as safe as one statement each:

- Nobody is answered before the commit, and nothing is kept outside the database.
- A batch holds a viewer once and is worked off in the order of viewers, so that wherever batches meet,
  in any number of processes, they take their locks in one order.
- When the statement fails, nothing of it has happened; then each caller asks alone, and fails or
  succeeds alone. A lock that somebody holds for long makes it fail soon.
- A caller inside a transaction of its own asks alone, in that transaction.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from django.db import Error, connection

from config.postgresql import prepared

logger = logging.getLogger(__name__)

MAXIMUM_CALLS = 16

#: How long a batch waits for a row that another transaction holds, in place of the usual lock_timeout.
PATIENCE = "100ms"

# The rows of `call` come from one scan, whose arguments are computed before the first of them: so the
# patience is set before payments_unlock first waits for a lock. It lasts until the commit. Each run of
# payments_unlock reads what is committed at that moment, as a function of a statement of its own would.
# Arrays of different lengths cannot stand in one array, so that prices come as text.
_UNLOCK = """
    SELECT done.outcome::text, done.is_replay, done.answer
    FROM unnest(
        CASE WHEN set_config('lock_timeout', coalesce(%s, current_setting('lock_timeout')), true) <> ''
             THEN %s::uuid[] END,
        %s::text[], %s::uuid[], %s::uuid[], %s::integer[], %s::uuid[], %s::text[], %s::text[],
        %s::integer[],
        %s::text[], %s::timestamptz[], %s::uuid[], %s::integer[],
        %s::integer[], %s::uuid[], %s::integer[], %s::date[], %s::bigint[], %s::text[], %s::bytea[],
        %s::timestamptz[]
    ) WITH ORDINALITY AS call(
        viewer, environment, episode, series, numbering, price_version, adjustments, prices,
        price_after, arm, quote_expires_at, playback_session, position_ms, rental_seconds, consent,
        most_coins, day, allowed_coins, key, fingerprint, now, place
    ), LATERAL payments_unlock(
        call.viewer, call.environment, call.episode, call.series, call.numbering,
        call.price_version, call.adjustments::uuid[], call.prices::integer[], call.price_after, call.arm,
        call.quote_expires_at, call.playback_session, call.position_ms, call.rental_seconds,
        call.consent, call.most_coins, call.day, call.allowed_coins, call.key,
        call.fingerprint, call.now
    ) AS done
    ORDER BY call.place
"""


class Call(NamedTuple):
    """The arguments of payments_unlock, in its order.

    `rental_seconds` is None for what is opened for good. `consent_id` and the `most_coins` that were
    agreed to are of an unlock without a tap. `allowed_coins` may be spent on `day`, None being no limit.
    """

    viewer_id: UUID
    environment: str
    episode_id: UUID
    series_id: UUID
    numbering: int
    price_version_id: UUID
    adjustments: str
    prices: str
    price_after: int
    arm: str
    quote_expires_at: datetime | None
    playback_session_id: UUID | None
    position_ms: int | None
    rental_seconds: int | None
    consent_id: UUID | None
    most_coins: int | None
    day: date
    allowed_coins: int | None
    key: str | None
    fingerprint: bytes | None
    now: datetime


#: What payments_unlock answers: the outcome in JSON, whether it is a replay, and the pinned body.
Row = tuple[str, bool, bytes | memoryview | None]


class Collector:
    """One queue of calls and the thread that leads. `perform` answers a batch's calls in their order."""

    def __init__(self, perform: Callable[[Sequence[Call]], Sequence[Row]]) -> None:
        self._perform = perform
        self._lock = threading.Lock()
        self._queue: list[_Waiting] = []
        self._is_led = False

    def spend(self, call: Call) -> Row:
        """The answer to `call`, when it is committed. Raises what `perform` raises for it alone."""
        mine = _Waiting(call)
        with self._lock:
            self._queue.append(mine)
            if not self._is_led:
                self._is_led = True
                mine.batch = self._next_batch()
        if not mine.batch:
            mine.is_up.wait()
        if mine.batch:
            self._lead(mine.batch)
        if mine.row is None:
            (mine.row,) = self._perform([call])
        return mine.row

    def _lead(self, batch: "Sequence[_Waiting]") -> None:
        """Answers the batch if it can, and lets go of it and of the lead whatever happens."""
        try:
            rows = self._perform([waiting.call for waiting in batch])
            for waiting, row in zip(batch, rows, strict=True):
                waiting.row = row
        except Error as error:
            if len(batch) == 1:
                raise
            logger.warning("%d unlocks are asked one by one after: %s", len(batch), error)
        finally:
            with self._lock:
                successor = self._queue[0] if self._queue else None
                if successor:
                    successor.batch = self._next_batch()
                self._is_led = successor is not None
            for waiting in [successor, *batch] if successor else batch:
                waiting.is_up.set()

    def _next_batch(self) -> "Sequence[_Waiting]":
        """Takes the first of the queue and who may go with it. The caller holds the lock."""
        taken: dict[UUID, _Waiting] = {}
        left: list[_Waiting] = []
        for waiting in self._queue:
            if len(taken) < MAXIMUM_CALLS and waiting.call.viewer_id not in taken:
                taken[waiting.call.viewer_id] = waiting
            else:
                left.append(waiting)
        self._queue = left
        return [taken[viewer_id] for viewer_id in sorted(taken)]


class _Waiting:
    """A call whose thread waits until it `is_up`: it was given a batch to lead, or was in one."""

    __slots__ = ("batch", "call", "is_up", "row")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.is_up = threading.Event()
        self.batch: Sequence[_Waiting] = ()
        self.row: Row | None = None


def array(members: Sequence[int] | Sequence[UUID]) -> str:
    """A ladder's prices, or the ids of what adjusts it, as a Call carries them."""
    return "{" + ",".join(map(str, members)) + "}"


def spend(call: Call) -> Row:
    """What payments_unlock answers to `call`: committed, or part of the caller's own transaction."""
    if connection.in_atomic_block:
        (row,) = perform([call])
        return row
    return process.spend(call)


def perform(calls: Sequence[Call]) -> Sequence[Row]:
    columns = [list(column) for column in zip(*calls, strict=True)]
    patience = PATIENCE if len(calls) > 1 else None
    with prepared.cursor() as cursor:
        cursor.execute(_UNLOCK, [patience, *columns])
        rows: Sequence[Row] = cursor.fetchall()
    return rows


#: The queue of this process.
process = Collector(perform)
