"""The catalogue of events: one small class for each fact that an app reports.

An event is flat, refuses members it does not know, and carries its own id, made by the client, and
the moment by the client's clock. Positions and lengths are milliseconds of story; `actual_ms` is
milliseconds of real time, so that a viewer who watches at double speed is counted right.

Events of a playback carry the session id that `POST /v1/episodes/{id}/play` answered, which proves
that the viewer could open that version.

The catalogue has a version, which a batch states and each type knows that was added later. It only ever
grows: a type keeps its name and meaning, a member is added with a default or not at all, and what has to
change becomes a type of its own. So whatever an older version could say reads the same for ever.
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


class PlaybackPause(PlaybackEvent, tag="playback_pause"):
    """The viewer stopped the story at `position_ms`. Playing on is a stretch of progress again."""

    position_ms: Milliseconds


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


class PlaybackQuality(PlaybackEvent, tag="playback_quality"):
    """From `position_ms` on the picture had `height_px` lines at `bitrate_kbps`.

    Report it at the start and at each change.
    """

    position_ms: Milliseconds
    height_px: Annotated[int, Meta(ge=0, le=10_000)]
    bitrate_kbps: Annotated[int, Meta(ge=0, le=1_000_000)]


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


class UnlockTapped(Event, tag="unlock_tapped"):
    """The viewer asked for a locked episode at the price shown. Whether it was unlocked, the ledger says."""

    series_id: UUID
    episode_id: UUID
    price_coins: Coins


class AdEvent(Event):
    """What every event of an ad has: the ad session of ours, and where in the app it was offered."""

    ad_session_id: UUID
    placement: Name


class AdResult(StrEnum):
    """What a network answered when it was asked for an ad."""

    FILLED = "filled"
    NO_FILL = "no_fill"
    ERROR = "error"


class AdRequested(AdEvent, tag="ad_requested"):
    """A network was asked for an ad, and answered: it was loaded if `filled`."""

    reason: AdResult


class AdShown(AdEvent, tag="ad_shown"):
    """A rewarded ad began."""


class AdFault(StrEnum):
    """Why an ad that was loaded was not shown: `expired` if it had waited too long."""

    EXPIRED = "expired"
    MEDIA = "media"
    NETWORK = "network"
    OTHER = "other"


class AdFailed(AdEvent, tag="ad_failed"):
    """An ad that was loaded could not be shown."""

    reason: AdFault


class AdClicked(AdEvent, tag="ad_clicked"):
    """The viewer went where the ad leads."""


class AdDismissed(AdEvent, tag="ad_dismissed"):
    """The ad was closed, after `actual_ms` of it."""

    actual_ms: Milliseconds


class AdRewardSeen(AdEvent, tag="ad_reward_seen"):
    """The app showed what the ad was rewarded with. Whether it was earned, the network's callback says."""


class PurchaseEvent(Event):
    """What every event of a purchase has: our pack or pass, and the intent that announced it, if any.

    They tell where buyers are lost. What was bought is the store's to say.
    """

    product_id: UUID
    intent_id: UUID | None = None


class PurchaseStarted(PurchaseEvent, tag="purchase_started"):
    """The store's sheet was opened, for what `placement` showed."""

    placement: OptionalName = ""


class PurchaseCancelled(PurchaseEvent, tag="purchase_cancelled"):
    """The viewer left the store's sheet."""


class PurchaseFault(StrEnum):
    """Why a purchase failed: `pending` waits for somebody's consent, `refused` is ours to explain."""

    PAYMENT = "payment"
    STORE = "store"
    NETWORK = "network"
    PENDING = "pending"
    REFUSED = "refused"
    OTHER = "other"


class PurchaseFailed(PurchaseEvent, tag="purchase_failed", kw_only=True):
    """The store, or we, did not let it through."""

    reason: PurchaseFault


class PurchaseCompleted(PurchaseEvent, tag="purchase_completed"):
    """The app saw the purchase arrive in the wallet."""


AnyEvent = (
    AppOpen
    | FeedImpression
    | PlaybackStart
    | PlaybackProgress
    | PlaybackPause
    | PlaybackSeek
    | PlaybackEnd
    | PlaybackStall
    | PlaybackQuality
    | PlaybackFailed
    | PaywallShown
    | OfferShown
    | UnlockTapped
    | AdRequested
    | AdShown
    | AdFailed
    | AdClicked
    | AdDismissed
    | AdRewardSeen
    | PurchaseStarted
    | PurchaseCancelled
    | PurchaseFailed
    | PurchaseCompleted
)

#: Every type by its name.
TYPES: Mapping[str, type[AnyEvent]] = {
    str(shape.__struct_config__.tag): shape for shape in get_args(AnyEvent)
}

#: The version that is current, and the one that a type came with if it was not the first.
CATALOGUE = 2
ADDED_IN: Mapping[str, int] = {
    "playback_pause": 2,
    "playback_quality": 2,
    "unlock_tapped": 2,
    "ad_failed": 2,
    "ad_clicked": 2,
    "ad_dismissed": 2,
    "ad_reward_seen": 2,
    "purchase_started": 2,
    "purchase_cancelled": 2,
    "purchase_failed": 2,
    "purchase_completed": 2,
}


def added_after(version: int) -> frozenset[type[AnyEvent]]:
    """The types that a client of this version of the catalogue does not know."""
    return frozenset(TYPES[name] for name, since in ADDED_IN.items() if since > version)
