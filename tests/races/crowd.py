"""Calls that many connections make at the same moment, and the stage on which they meet."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from threading import Barrier
from typing import TypeVar
from uuid import UUID

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from catalog.models import Series
from payments.access import paywall
from payments.idempotency import IdempotencyKey
from payments.unlocking import unlocks
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.payments import default_plan
from tests.factories.viewers import DeviceFactory

Answer = TypeVar("Answer")

PATIENCE = 4
FIRST_LOCKED = 9
"""Of the default plan, whose locked episodes cost 60 coins each."""


def at_once(calls: list[Callable[[], Answer]]) -> list[Answer]:
    """Runs the calls in threads that start together; the first exception is raised.

    Who has waited for a row too long calls again, as over HTTP they are told to: nothing of theirs was done.
    """
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Answer]) -> Answer:
        try:
            barrier.wait(timeout=60)
            for _ in range(PATIENCE):
                try:
                    return call()
                except OperationalError as error:
                    if not isinstance(error.__cause__, LockNotAvailable):
                        raise
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


@contextmanager
def connections(count: int) -> Iterator[None]:
    """The pool of a process has one for each of its few threads: a crowd would queue for them."""
    pool = connection.settings_dict["OPTIONS"]["pool"]
    kept = dict(pool)
    connection.close_pool()
    pool.update(max_size=count + 5, timeout=60)
    yield
    connection.close()
    connection.close_pool()
    pool.update(kept)


class Scene:
    """A viewer in front of locked episodes at 60 coins each, with a quote for them."""

    def __init__(self, series: Series, *, now: datetime, environment: str = "production") -> None:
        self.series, self.now, self.environment = series, now, environment
        self.device = DeviceFactory()
        self.viewer_id: UUID = self.device.viewer_id
        self.episodes = list(series.episodes.order_by("number").values_list("id", flat=True))
        self.quote = paywall.show(
            viewer_id=self.viewer_id, environment=environment, series_id=series.id, now=now
        ).quote.token()

    @transaction.atomic
    def unlock(self, place: int, key: IdempotencyKey | None = None) -> unlocks.Decision:
        """In a transaction of its own, since calls of one process would share one otherwise."""
        return unlocks.unlock(
            viewer_id=self.viewer_id,
            environment=self.environment,
            episode_id=self.episodes[place],
            quote=self.quote,
            now=self.now,
            key=key,
        )


def locked_series(episodes: int) -> Series:
    """A published series of which every episode is locked."""
    default_plan()
    series = SeriesFactory(state="published")
    episodes_of(series, range(FIRST_LOCKED, FIRST_LOCKED + episodes))
    return series
