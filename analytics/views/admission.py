"""Who of those that report events is let in: money goes first.

Each process handles so many batches at a time and refuses the others at once, so that threads and
connections are left for who unlocks and pays; and nothing is let in while the inbox is so full that
nobody empties it, before the disk that the ledger needs is. Who is refused keeps the batch.

In a flood most are refused, so that a refusal must cost next to nothing: while a process is full, it refuses
without a look at who asks and what is sent.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from threading import Lock

from django.conf import settings
from django.http import HttpRequest
from django.http.request import UnreadablePostError
from django.http.response import HttpResponseBase

from analytics.intake import inbox
from analytics.intake.batches import BATCH_BYTES
from config import api_errors
from config.problems import Problem

PATH = "/v1/events"
#: So long a look at the inbox is believed.
LOOK_AGAIN = timedelta(seconds=5)


class EventsBusy(Problem):
    code = "events_busy"
    title = "There are more events than are taken now; send the batch again"
    headers = {"Retry-After": "2"}


class InboxFull(EventsBusy):
    """The same, for longer."""

    code = "events_inbox_full"
    title = "More events wait than can be kept; send the batch again later"
    headers = {"Retry-After": "30"}


class Gate:
    """The door of one process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._looked_at: datetime | None = None
        self._is_full = False

    @property
    def is_shut(self) -> bool:
        """Whether as many are inside as may be."""
        return self._inside >= settings.EVENTS_AT_ONCE

    @contextmanager
    def passed(self, *, now: datetime) -> Iterator[None]:
        """Within it a batch may be handled. Raises EventsBusy, or InboxFull, without waiting."""
        with self._lock:
            if self.is_shut:
                raise EventsBusy
            self._inside += 1
        try:
            if self._is_inbox_full(now):
                raise InboxFull
            yield
        finally:
            with self._lock:
                self._inside -= 1

    def _is_inbox_full(self, now: datetime) -> bool:
        if self._looked_at is None or not timedelta() <= now - self._looked_at < LOOK_AGAIN:
            self._looked_at = now
            self._is_full = inbox.has_waiting(settings.EVENTS_WAITING_BATCHES)
        return self._is_full


gate = Gate()


class TurnAway:
    """Middleware that answers for the view while the gate is shut, with as little work as can be."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path == PATH and gate.is_shut:
            # Of a body that nobody takes the server cuts the connection, before the answer is read.
            with suppress(UnreadablePostError):
                request.read(BATCH_BYTES)
            return api_errors.plain_response(
                EventsBusy.code, EventsBusy.title, headers=EventsBusy.headers
            )
        return self.get_response(request)
