"""No worker asks stores how they are today, while they live through days that are over."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from config import advisory_lock
from payments import tasks
from payments.messages import history
from payments.reconciliation import runs

_POLL_SECONDS = 0.2


@contextmanager
def kept() -> Iterator[None]:
    """Inside, no worker reads stores' histories, asks about subscriptions or compares books. Waits for those that do."""
    with ExitStack() as held:
        histories = [history.lock_of(*one) for one in history.kept()]
        for lock in (tasks.INQUIRIES_LOCK, runs.LOCK, *histories):
            while not held.enter_context(advisory_lock.tried(lock)):
                time.sleep(_POLL_SECONDS)
        yield
