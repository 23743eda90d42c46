"""Events as an app reports them, the batches that carry them, and playbacks that were allowed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from catalog import playback_sessions


def event(kind: str, *, at: datetime, **members: Any) -> dict[str, Any]:
    """An event of a type, created at a moment by the client's clock."""
    return {"type": kind, "event_id": str(uuid4()), "created_at": at.isoformat(), **members}


def app_open(*, at: datetime, **members: Any) -> dict[str, Any]:
    """The plainest event."""
    return event("app_open", at=at, **members)


def batch(events: Sequence[Any], *, sent_at: datetime, **members: Any) -> dict[str, Any]:
    """A batch of events, with an id of its own."""
    return {
        "batch_id": str(uuid4()),
        "sent_at": sent_at.isoformat(),
        "app": {"platform": "ios", "version": "1.4.2", "locale": "en-US", "country": "US"},
        "events": list(events),
        **members,
    }


def body(events: Sequence[Any], *, sent_at: datetime, **members: Any) -> bytes:
    """The same as it goes over the wire."""
    return msgspec.json.encode(batch(events, sent_at=sent_at, **members))


@dataclass
class Playback:
    """A playback that a viewer was allowed at a moment, and the events that a player makes of it."""

    viewer_id: UUID
    started_at: datetime
    series_id: UUID = field(default_factory=uuid4)
    episode_id: UUID = field(default_factory=uuid4)
    version_id: UUID = field(default_factory=uuid4)
    session_id: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.session_id = playback_sessions.issue(now=self.started_at, **self.identifiers)

    @property
    def identifiers(self) -> dict[str, UUID]:
        """What the session's id proves."""
        return {
            "viewer_id": self.viewer_id,
            "series_id": self.series_id,
            "episode_id": self.episode_id,
            "version_id": self.version_id,
        }

    def event(self, kind: str, *, after: timedelta = timedelta(), **members: Any) -> dict[str, Any]:
        """An event of this playback, so long after its start."""
        own = {
            "playback_session_id": str(self.session_id),
            "series_id": str(self.series_id),
            "episode_id": str(self.episode_id),
            "version_id": str(self.version_id),
        }
        return event(kind, at=self.started_at + after, **{**own, **members})

    def progress(
        self, from_ms: int, to_ms: int, *, actual_ms: int | None = None, **members: Any
    ) -> dict[str, Any]:
        """A stretch that was watched, at normal speed, reported when it ended."""
        actual_ms = to_ms - from_ms if actual_ms is None else actual_ms
        return self.event(
            "playback_progress",
            after=timedelta(milliseconds=max(to_ms, actual_ms)),
            **{"from_ms": from_ms, "to_ms": to_ms, "actual_ms": actual_ms, **members},
        )
