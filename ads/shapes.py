"""What the endpoints of ads take and answer."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from ads.models import (
    AdFormat,
    Network,
    PlacementReward,
    Precision,
    SessionState,
    Verdict,
)
from ads.revenue.impressions import ImpressionVerdict
from config.bodies import AnswerShape, RequestShape

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=24 * 3600 * 1000)]
Identifier = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)")]


class OpenSessionRequest(RequestShape):
    """`episode_id` is what the ad is watched for; null where the placement's reward is coins.
    `playback_session_id` and `position_ms` say what the viewer watched when they decided, and `decision_id`
    which of the paywall's decisions led here."""

    placement: Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
    episode_id: UUID | None = None
    playback_session_id: UUID | None = None
    position_ms: Milliseconds | None = None
    decision_id: UUID | None = None


class OpenSessionAnswer(AnswerShape):
    """What to hand to the network's SDK before the ad is shown, as it stands."""

    ad_session_id: UUID
    network: Network
    ad_unit_id: str
    custom_data: str
    user_id: str
    expires_at: Moment


class SessionAnswer(AnswerShape):
    """`watched` of `needed` ads count, this one too once its `state` is rewarded: the last one opens
    `reward_amount` episodes or the whole title for so many minutes, or pays so many coins.

    Of the last one, `entitlement_id` is to its own episode and `opened_episode_ids` are all that it opened for
    good; timed access to the whole title ends at `access_ends_at`; `transfer_id` gave the coins. `refusal` says
    why a watched ad counts for nothing.
    """

    ad_session_id: UUID
    state: SessionState
    placement: str
    series_id: UUID | None
    episode_id: UUID | None
    reward: PlacementReward
    reward_amount: int
    watched: int
    needed: int
    opened_at: Moment
    expires_at: Moment
    rewarded_at: Moment | None
    entitlement_id: UUID | None
    opened_episode_ids: list[UUID]
    access_ends_at: Moment | None
    transfer_id: UUID | None
    refusal: Verdict | None


class PlacementsQuery(RequestShape):
    """With `series_id`, only what opens episodes of this title, and how far the viewer has come there."""

    series_id: UUID | msgspec.UnsetType = msgspec.UNSET


class PlacementAnswer(AnswerShape):
    """`available_at` is null when an ad may be opened now.

    The last of `needed` ads opens `reward_amount` episodes or the whole title for so many minutes, or pays so
    many coins. `watched` is null where that depends on the title, and none was named.
    """

    placement: str
    title: str
    network: Network
    ad_unit_id: str
    reward: PlacementReward
    reward_amount: int
    coins_expire_after_days: int | None
    watched: int | None
    needed: int
    daily_cap: int
    remaining_today: int
    cooldown_seconds: int
    available_at: Moment | None


class PlacementsAnswer(AnswerShape):
    placements: list[PlacementAnswer]


class CallbackAnswer(AnswerShape, omit_defaults=True):
    """What the network waits to read. To most it is `verdict`, of which only `paid` opens an episode;
    Pangle reads `isValid`, WeChat `is_valid` or the `echostr` that it sent."""

    verdict: Verdict | msgspec.UnsetType = msgspec.UNSET
    is_valid_for_pangle: bool | msgspec.UnsetType = msgspec.field(
        default=msgspec.UNSET, name="isValid"
    )
    is_valid: bool | msgspec.UnsetType = msgspec.UNSET
    echostr: str | msgspec.UnsetType = msgspec.UNSET


class ImpressionShape(RequestShape):
    """One ad that was shown. `impression_id` is made by the app before it tells of it first, and never again.

    `revenue_micros` of `currency` and `precision` are what the network's SDK said, `network` the one whose SDK
    that was: of a mediated ad the mediation's. `ad_session_id` and `placement` where the ad was of such.
    """

    impression_id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]{1,100}$(?!\n)")]
    network: Network
    ad_unit_id: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,100}$(?!\n)")]
    format: AdFormat
    revenue_micros: Annotated[int, msgspec.Meta(ge=0, le=10**12)]
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$(?!\n)")]
    occurred_at: Moment
    precision: Precision = Precision.UNKNOWN
    country: Annotated[str, msgspec.Meta(pattern=r"^([A-Z]{2})?$(?!\n)")] = ""
    placement: Annotated[str, msgspec.Meta(max_length=50)] = ""
    ad_session_id: UUID | None = None


class ImpressionsRequest(RequestShape):
    impressions: Annotated[list[ImpressionShape], msgspec.Meta(min_length=1, max_length=100)]


class ImpressionAnswer(AnswerShape):
    """What came of one impression. Whatever it is, there is nothing to gain from sending it again."""

    impression_id: str
    verdict: ImpressionVerdict


class ImpressionsAnswer(AnswerShape):
    """In the order of the request."""

    verdicts: list[ImpressionAnswer]


class PostbackAnswer(AnswerShape):
    """Networks read the status alone."""

    verdict: ImpressionVerdict


class FakeViewRequest(RequestShape):
    """What a network's own server would know: the ad unit, and what the app told the SDK."""

    ad_unit_id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_./-]{1,100}$(?!\n)")]
    custom_data: Identifier
    user_id: Identifier


class FakeViewAnswer(AnswerShape):
    """A signed query string: GET /v1/ssv/fake? followed by it."""

    callback: str
