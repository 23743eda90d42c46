"""How long stores may take in all, where somebody waits for their answers."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from payments.providers.base import Fault, ProviderError

#: For all that is asked of stores while an app waits for its own answer.
WHILE_AN_APP_WAITS_SECONDS = 6.0

_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """All that this thread asks of stores in here ends within that time, or of a `within` around it."""
    before = _ends_at.get()
    ends_at = time.monotonic() + seconds
    token = _ends_at.set(ends_at if before is None else min(before, ends_at))
    try:
        yield
    finally:
        _ends_at.reset(token)


def end_of_answer(seconds: float) -> float:
    """When an answer that is asked for now has to be there, by the monotonic clock: in so many seconds at most.

    Raises ProviderError (UNAVAILABLE) where there is no time left to ask.
    """
    now, ends_at = time.monotonic(), _ends_at.get()
    if ends_at is not None and ends_at <= now:
        raise ProviderError("the stores took too long", Fault.UNAVAILABLE)
    return now + seconds if ends_at is None else min(now + seconds, ends_at)


def step_seconds(seconds: float) -> float:
    """How long a step of an answer may take: so long at most, and connecting and waiting no longer than is left."""
    ends_at = _ends_at.get()
    if ends_at is None:
        return seconds
    return min(seconds, max(ends_at - time.monotonic(), 0.02) / 2)
