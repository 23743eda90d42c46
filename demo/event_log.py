"""The app's log of what happened: collected, sent in batches, kept until the service has answered.

    log = EventLog(app={"platform": "ios", "version": "1.4"}, clock=device_clock)
    log.note("app_open", channel="organic")
    log.send(app.report)

An app keeps the log on the device's disk; this one is kept by whoever holds it. A batch is made once,
and its id and events are sent again as they are until they are answered; `sent_at` alone is read from
the clock at each try.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from config.ids import uuid7
from demo.answers import Reported

BATCH_EVENTS = 50

Report = Callable[[bytes], Reported]
Noted = dict[str, Any]


class EventLog:
    """What happened on one device, by its own clock, in order."""

    def __init__(self, *, app: Mapping[str, str], clock: Callable[[], datetime]) -> None:
        self._app = dict(app)
        self._clock = clock
        self._waiting: list[Noted] = []
        self._sealed: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def note(self, kind: str, **members: object) -> Noted:
        """Something happened now. Its id is made here, once, and in the order of time."""
        event = {
            "type": kind,
            "event_id": str(uuid7()),
            "created_at": self._clock().isoformat(),
            **members,
        }
        self._waiting.append(event)
        return event

    def note_again(self, event: Noted) -> None:
        """Put an event in once more, as an app does that crashed before it knew it was sent."""
        self._waiting.append(event)

    def send(self, report: Report) -> None:
        """Send everything. What `report` raises passes through, and nothing is lost or altered."""
        while self._sealed or self._waiting:
            if self._sealed is None:
                self._sealed = self._seal()
            batch = {**self._sealed, "sent_at": self._clock().isoformat()}
            report(msgspec.json.encode(batch))
            self._sealed = None

    def _seal(self) -> dict[str, Any]:
        events, self._waiting = self._waiting[:BATCH_EVENTS], self._waiting[BATCH_EVENTS:]
        return {"batch_id": str(uuid7()), "app": self._app, "events": events}
