"""The catalogue of events: one small class for each fact that an app reports.

An event is flat, refuses members it does not know, and carries its own id, made by the client, and
the moment by the client's clock. Positions and lengths are milliseconds of story; `actual_ms` is
milliseconds of real time, so that a viewer who watches at double speed is counted right.

Events of a playback carry the session id that `POST /v1/episodes/{id}/play` answered, which proves
that the viewer could open that version.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, get_args
from uuid import UUID

from msgspec import Meta

from config.bodies import RequestShape
from viewers.models import Platform

Moment = Annotated[datetime, Meta(tz=True)]
Milliseconds = Annotated[int, Meta(ge=0, le=24 * 3600 * 1000)]
Slot = Annotated[int, Meta(ge=0, le=10_000)]
Coins = Annotated[int, Meta(ge=0, le=100_000_000)]
Name = Annotated[str, Meta(max_length=60, pattern=r"^[a-z0-9][a-z0-9._-]*$(?!\n)")]
OptionalName = Annotated[str, Meta(max_length=60, pattern=r"^([a-z0-9][a-z0-9._-]*)?$(?!\n)")]


class AppContext(RequestShape):
    """The app that reports, the same for a whole batch. `country` is ISO 3166-1 alpha-2 or empty."""

    platform: Platform
    version: Annotated[str, Meta(max_length=40, pattern=r"^[0-9A-Za-z.+_ ()-]*$(?!\n)")] = ""
    locale: Annotated[str, Meta(max_length=35, pattern=r"^[A-Za-z0-9-]*$(?!\n)")] = ""
    country: Annotated[str, Meta(max_length=2, pattern=r"^([A-Z]{2})?$(?!\n)")] = ""


class Event(RequestShape, tag_field="type"):
    """What every event has: its id, by which it is counted once, and the client's time of it."""

    event_id: UUID
    created_at: Moment


class AppOpen(Event, tag="app_open"):
    """The app came to the foreground. `channel` is what brought the viewer, `organic` if nothing."""

    channel: Name = "organic"
    campaign: OptionalName = ""


class FeedImpression(Event, tag="feed_impression"):
    """A card of the feed was at least half visible, for `visible_ms` in all."""

    decision_id: UUID
    slot: Slot
    series_id: UUID
    visible_ms: Milliseconds


class PlaybackEvent(Event):
    """What every event of a playback has."""

    playback_session_id: UUID
    series_id: UUID
    episode_id: UUID
    version_id: UUID


class PlaybackStart(PlaybackEvent, tag="playback_start"):
    """The first frame was shown. `decision_id` is the feed's, if the feed led here."""

    position_ms: Milliseconds = 0
    decision_id: UUID | None = None
    first_frame_ms: Milliseconds | None = None


class PlaybackProgress(PlaybackEvent, tag="playback_progress"):
    """The story was played from `from_ms` to `to_ms` without a break, in `actual_ms`.

    Report one whenever playing stops, for whatever reason, and every ten seconds in between; the
    stretches of a session do not overlap unless the viewer went back.
    """

    from_ms: Milliseconds
    to_ms: Milliseconds
    actual_ms: Milliseconds


class PlaybackSeek(PlaybackEvent, tag="playback_seek"):
    """The viewer jumped from `from_ms` to `to_ms`, forward or back."""

    from_ms: Milliseconds
    to_ms: Milliseconds


class EndReason(StrEnum):
    """Why a playback ended: `next` went to another episode, `exit` left the player."""

    COMPLETED = "completed"
    NEXT = "next"
    EXIT = "exit"
    ERROR = "error"


class PlaybackEnd(PlaybackEvent, tag="playback_end"):
    """The playback is over at `position_ms`."""

    position_ms: Milliseconds
    reason: EndReason


class PlaybackStall(PlaybackEvent, tag="playback_stall"):
    """The story stood still at `position_ms` for want of data, for `actual_ms`, after it had begun.

    Report it when it goes on, or when the viewer has left.
    """

    position_ms: Milliseconds
    actual_ms: Milliseconds


class FailureReason(StrEnum):
    """Why a playback did not begin: `abandoned` by a viewer who waited no longer."""

    NETWORK = "network"
    MEDIA = "media"
    OTHER = "other"
    ABANDONED = "abandoned"


class PlaybackFailed(PlaybackEvent, tag="playback_failed"):
    """The viewer asked for it, and no first frame was ever shown."""

    reason: FailureReason


class PaywallShown(Event, tag="paywall_shown"):
    """The viewer stood before a locked episode."""

    series_id: UUID
    episode_id: UUID
    price_coins: Coins


class OfferShown(Event, tag="offer_shown"):
    """Coin packs were shown, because of a series if there is one."""

    placement: Name
    series_id: UUID | None = None


class AdResult(StrEnum):
    """What a network answered when it was asked for an ad."""

    FILLED = "filled"
    NO_FILL = "no_fill"
    ERROR = "error"


class AdRequested(Event, tag="ad_requested"):
    """A network was asked for an ad for an ad session of ours, and answered."""

    ad_session_id: UUID
    placement: Name
    reason: AdResult


class AdShown(Event, tag="ad_shown"):
    """A rewarded ad began for an ad session of ours."""

    ad_session_id: UUID
    placement: Name


AnyEvent = (
    AppOpen
    | FeedImpression
    | PlaybackStart
    | PlaybackProgress
    | PlaybackSeek
    | PlaybackEnd
    | PlaybackStall
    | PlaybackFailed
    | PaywallShown
    | OfferShown
    | AdRequested
    | AdShown
)

#: Every type by its name.
TYPES: Mapping[str, type[AnyEvent]] = {
    str(shape.__struct_config__.tag): shape for shape in get_args(AnyEvent)
}
