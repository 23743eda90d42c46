"""Stores that are asked while somebody waits: for so long and no longer, and by so few at once that whoever wants
something else is served.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore
from typing import TypeVar

from config.problems import Problem
from payments.messages import outages
from payments.messages.outages import Line
from payments.providers import deadlines
from payments.store.purchases import StoreUnavailable

#: Of a store at the same time, in each process.
AT_ONCE = 4
#: So long is waited for one of those to end.
TURN_SECONDS = 1.0

Found = TypeVar("Found")


class Patience:
    """What one request has for stores. Once one has not answered, it is asked no more."""

    def __init__(self) -> None:
        self._until = time.monotonic() + deadlines.WHILE_AN_APP_WAITS_SECONDS
        self._silent: set[str] = set()

    def ask(self, provider: str, call: Callable[[], Found]) -> Found:
        """What the call answers, which reads and uses no database: one that takes too long is left to itself.

        Raises StoreUnavailable, and what the call raises.
        """
        if provider in self._silent or not outages.may_be_asked(Line.HANDED_IN, provider):
            raise StoreUnavailable
        try:
            found = self._answer(provider, call)
        except StoreUnavailable:
            self._silent.add(provider)
            raise
        except Problem:
            outages.answered(Line.HANDED_IN, provider)
            raise
        outages.answered(Line.HANDED_IN, provider)
        return found

    def _answer(self, provider: str, call: Callable[[], Found]) -> Found:
        turns = _turns(provider)
        if not turns.acquire(timeout=TURN_SECONDS):
            raise StoreUnavailable
        left_seconds = max(0.0, self._until - time.monotonic())
        asked = _threads(provider).submit(_bounded, call, left_seconds)
        asked.add_done_callback(lambda _: turns.release())
        try:
            return asked.result(timeout=left_seconds)
        except TimeoutError as error:
            outages.silent(Line.HANDED_IN, provider)
            raise StoreUnavailable from error
        except StoreUnavailable:
            outages.silent(Line.HANDED_IN, provider)
            raise


def _bounded(call: Callable[[], Found], seconds: float) -> Found:
    """By the adapters' own clock, too, so that the turn ends with what was waited for."""
    with deadlines.within(seconds):
        return call()


@contextmanager
def turn(provider: str) -> Iterator[None]:
    """Inside, the store may be asked. Raises StoreUnavailable where as many are at it as may be."""
    turns = _turns(provider)
    if not turns.acquire(timeout=TURN_SECONDS):
        raise StoreUnavailable
    try:
        yield
    finally:
        turns.release()


@cache
def _turns(provider: str) -> BoundedSemaphore:
    return BoundedSemaphore(AT_ONCE)


@cache
def _threads(provider: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix=f"ask-{provider}")
