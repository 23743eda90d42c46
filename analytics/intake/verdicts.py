"""Judging one event: is it of a known shape, at a plausible moment, of a playback we allowed?

By computation alone: nothing here reads or writes. An event that is quarantined says why; nothing
about it changes the verdict on another.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Raw

from analytics.intake.batches import Batch
from analytics.intake.events import (
    ADDED_IN,
    TYPES,
    AnyEvent,
    PlaybackEvent,
    PlaybackProgress,
    added_after,
)
from catalog import playback_sessions
from catalog.playback_sessions import PlaybackSessionForged
from config.bodies import AnswerShape

EVENT_BYTES = 8 * 1024
DETAIL_CHARACTERS = 300
LONGEST_DELAY = timedelta(days=30)
LONGEST_SESSION = timedelta(hours=24)
#: Clocks of our own servers differ by a little, and a session's moment is cut to the millisecond.
OWN_CLOCKS_DIFFER = timedelta(seconds=1)
#: Nobody watches faster than this.
FASTEST_SPEED = 4
SLACK_MS = 1000

_NO_TIME = timedelta()
_MILLISECOND = timedelta(milliseconds=1)


class Code(StrEnum):
    """Why an event is quarantined."""

    MALFORMED_EVENT = "malformed_event"
    UNKNOWN_TYPE = "unknown_type"
    EVENT_TOO_LARGE = "event_too_large"
    CREATED_AFTER_SENT = "created_after_sent"
    TOO_OLD = "too_old"
    SESSION_FORGED = "session_forged"
    SESSION_OVER = "session_over"
    PROGRESS_BACKWARDS = "progress_backwards"
    PROGRESS_IMPLAUSIBLE = "progress_implausible"
    UNREADABLE_LATER = "unreadable_later"


#: What each code means, in the words of the answer.
MEANINGS: Mapping[str, str] = {
    Code.MALFORMED_EVENT: "It is not a flat JSON object with the members of its type.",
    Code.UNKNOWN_TYPE: "There is no such type of event, or not in the version of the catalogue stated.",
    Code.EVENT_TOO_LARGE: f"It is longer than {EVENT_BYTES // 1024} KB.",
    Code.CREATED_AFTER_SENT: "It was created after it was sent, by the same clock.",
    Code.TOO_OLD: f"It was sent more than {LONGEST_DELAY.days} days after it was created.",
    Code.SESSION_FORGED: "The playback session was not issued to this viewer for this version.",
    Code.SESSION_OVER: "It did not happen within 24 hours after the playback session was issued.",
    Code.PROGRESS_BACKWARDS: "Playing does not go backwards.",
    Code.PROGRESS_IMPLAUSIBLE: "No player plays as much in that time.",
    Code.UNREADABLE_LATER: "It was accepted, and what moved it to the lake could not read it.",
}


class Verdict(StrEnum):
    """Whether an event will be in the lake."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"


class EventVerdict(AnswerShape, omit_defaults=True):
    """What became of one event. `event_id` is null where none could be read."""

    event_id: UUID | None
    verdict: Verdict
    code: Code | None = None
    detail: str = ""


_event_decoder = msgspec.json.Decoder(AnyEvent)
_members_decoder = msgspec.json.Decoder(dict[str, Raw])
_Value = TypeVar("_Value", UUID, str)


def judge(batch: Batch, *, viewer_id: UUID, received_at: datetime) -> list[EventVerdict]:
    """A verdict on each event of a batch, in order. The same arguments give the same verdicts."""
    bench = _Bench(batch, viewer_id=viewer_id, received_at=received_at)
    return [bench.verdict(position, event) for position, event in enumerate(batch.events)]


def decode(event: Raw | bytes) -> AnyEvent:
    """The event as its type. Raises msgspec.DecodeError, and UnicodeDecodeError for raw bytes."""
    decoded: AnyEvent = _event_decoder.decode(event)
    return decoded


def accepted(event_id: UUID | None) -> EventVerdict:
    """The event will be in the lake."""
    return EventVerdict(event_id=event_id, verdict=Verdict.ACCEPTED)


def quarantined(event_id: UUID | None, code: Code, reason: str = "") -> EventVerdict:
    """The event will not be in the lake, because of `reason`."""
    # What a client sent may be quoted in the reason, and PostgreSQL keeps no NUL.
    detail = (reason or MEANINGS[code]).replace("\x00", "\ufffd")[:DETAIL_CHARACTERS]
    return EventVerdict(event_id=event_id, verdict=Verdict.QUARANTINED, code=code, detail=detail)


class _Bench:
    """Where the events of one batch are judged, and what was already found out about its sessions."""

    def __init__(self, batch: Batch, *, viewer_id: UUID, received_at: datetime) -> None:
        self._sent_at, self._unreadable = batch.sent_at, batch.unreadable
        self._catalogue, self._too_new = batch.catalogue, added_after(batch.catalogue)
        self._viewer_id, self._received_at = viewer_id, received_at
        self._issued: dict[tuple[int, ...], datetime | None] = {}

    def verdict(self, position: int, event: Raw | bytes) -> EventVerdict:
        if position in self._unreadable:
            return quarantined(None, Code.MALFORMED_EVENT, self._unreadable[position])
        if len(event) > EVENT_BYTES:
            return quarantined(_member(event, "event_id", UUID), Code.EVENT_TOO_LARGE)
        try:
            decoded = decode(event)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _of_unknown_shape(event, str(error))
        if type(decoded) in self._too_new:
            return quarantined(decoded.event_id, Code.UNKNOWN_TYPE, self._told_of(decoded))
        code = self._code(decoded)
        if code is None:
            return accepted(decoded.event_id)
        return quarantined(decoded.event_id, code)

    def _told_of(self, event: AnyEvent) -> str:
        name = str(event.__struct_config__.tag)
        return f"`{name}` is of catalogue {ADDED_IN[name]}; the batch says {self._catalogue}."

    def _code(self, event: AnyEvent) -> Code | None:
        delay = self._sent_at - event.created_at
        if delay < _NO_TIME:
            return Code.CREATED_AFTER_SENT
        if delay > LONGEST_DELAY:
            return Code.TOO_OLD
        if isinstance(event, PlaybackEvent):
            return self._code_of_playback(event, occurred_at=self._received_at - delay)
        return None

    def _code_of_playback(self, event: Any, *, occurred_at: datetime) -> Code | None:
        issued_at = self._issued_at(event)
        if issued_at is None:
            return Code.SESSION_FORGED
        since = occurred_at - issued_at
        if not -OWN_CLOCKS_DIFFER <= since <= LONGEST_SESSION:
            return Code.SESSION_OVER
        if isinstance(event, PlaybackProgress):
            return code_of_progress(event, since=since)
        return None

    def _issued_at(self, event: PlaybackEvent) -> datetime | None:
        """When the event's session was issued, or None if it never was."""
        # By their numbers, which compare quicker than the ids themselves.
        key = (
            event.playback_session_id.int,
            event.series_id.int,
            event.episode_id.int,
            event.version_id.int,
        )
        try:
            return self._issued[key]
        except KeyError:
            self._issued[key] = issued_at = self._verified(event)
            return issued_at

    def _verified(self, event: PlaybackEvent) -> datetime | None:
        try:
            return playback_sessions.verify(
                event.playback_session_id,
                viewer_id=self._viewer_id,
                series_id=event.series_id,
                episode_id=event.episode_id,
                version_id=event.version_id,
            )
        except PlaybackSessionForged:
            return None


def code_of_progress(event: PlaybackProgress, *, since: timedelta) -> Code | None:
    """The stretch is no longer than a player plays in its time, and its time fits in the session."""
    story_ms = event.to_ms - event.from_ms
    if story_ms < 0:
        return Code.PROGRESS_BACKWARDS
    if story_ms > FASTEST_SPEED * event.actual_ms + SLACK_MS:
        return Code.PROGRESS_IMPLAUSIBLE
    if event.actual_ms > since // _MILLISECOND + SLACK_MS:
        return Code.PROGRESS_IMPLAUSIBLE
    return None


def _of_unknown_shape(event: Raw | bytes, reason: str) -> EventVerdict:
    event_id, kind = _member(event, "event_id", UUID), _member(event, "type", str)
    if kind is not None and kind not in TYPES:
        return quarantined(event_id, Code.UNKNOWN_TYPE)
    return quarantined(event_id, Code.MALFORMED_EVENT, reason)


def _member(event: Raw | bytes, name: str, shape: type[_Value]) -> _Value | None:
    """A member of an event that is not as it should be, if at least that member is."""
    try:
        return msgspec.json.decode(_members_decoder.decode(event)[name], type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
        return None
