"""What the endpoints of ads take and answer."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from ads.models import Network, PlacementReward, SessionState, Verdict
from config.bodies import AnswerShape, RequestShape

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=24 * 3600 * 1000)]
Identifier = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)")]


class OpenSessionRequest(RequestShape):
    """`playback_session_id` and `position_ms` say what the viewer watched when they decided, and `decision_id`
    which of the paywall's decisions led here."""

    placement: Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
    episode_id: UUID
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
    """`refusal` says why a watched ad opened nothing; `entitlement_id` is what it opened."""

    ad_session_id: UUID
    state: SessionState
    placement: str
    series_id: UUID
    episode_id: UUID
    opened_at: Moment
    expires_at: Moment
    rewarded_at: Moment | None
    entitlement_id: UUID | None
    refusal: Verdict | None


class PlacementAnswer(AnswerShape):
    """`available_at` is null when an ad may be opened now."""

    placement: str
    title: str
    network: Network
    ad_unit_id: str
    reward: PlacementReward
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


class FakeViewRequest(RequestShape):
    """What a network's own server would know: the ad unit, and what the app told the SDK."""

    ad_unit_id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_./-]{1,100}$(?!\n)")]
    custom_data: Identifier
    user_id: Identifier


class FakeViewAnswer(AnswerShape):
    """A signed query string: GET /v1/ssv/fake? followed by it."""

    callback: str
