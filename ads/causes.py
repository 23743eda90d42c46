"""What opened an episode by ad: the session, the reward, and the callback that earned it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from ads.models import Callback, Reward, Verdict
from payments.models import Entitlement
from payments.support.explanations import EntitlementCause, Moment


class AdCause(EntitlementCause, tag="ad"):
    """One ad of one session, as the network attested it. `number` counts the viewer's rewards of the
    placement within `day`; `revenue_micros` is what the view is taken to have earned."""

    rows: ClassVar[Mapping[str, str]] = {
        "ad_session_id": "ads.adsession",
        "reward_id": "ads.reward",
        "callback_id": "ads.callback",
        "placement_id": "ads.placement",
    }

    ad_session_id: UUID
    placement_id: UUID
    placement: str
    network: str
    ad_unit_id: str
    transaction_id: str
    opened_at: Moment
    rewarded_at: Moment
    reward_id: UUID
    day: date
    number: int
    daily_cap: int
    revenue_micros: int
    callback_id: UUID | None
    verdict: Verdict | None
    playback_session_id: UUID | None
    position_ms: int | None


def ad_causes(entitlements: Sequence[Entitlement], at: datetime) -> Mapping[UUID, AdCause]:
    """By entitlement, in two queries. All of a reward is known from its own moment on."""
    rewards = list(
        Reward.objects.filter(
            entitlement_id__in=[row.id for row in entitlements], created_at__lte=at
        ).select_related("session", "placement")
    )
    callbacks = Callback.objects.filter(
        session_id__in=[reward.session_id for reward in rewards], verdict=Verdict.PAID
    )
    paid = {callback.session_id: callback for callback in callbacks}
    return {
        reward.entitlement_id: _cause(reward, paid.get(reward.session_id)) for reward in rewards
    }


def _cause(reward: Reward, callback: Callback | None) -> AdCause:
    session = reward.session
    return AdCause(
        ad_session_id=session.id,
        placement_id=reward.placement_id,
        placement=reward.placement.code,
        network=reward.network,
        ad_unit_id=session.ad_unit_id,
        transaction_id=reward.transaction_id,
        opened_at=session.opened_at,
        rewarded_at=reward.created_at,
        reward_id=reward.id,
        day=reward.day,
        number=reward.number,
        daily_cap=reward.daily_cap,
        revenue_micros=reward.revenue_micros,
        callback_id=callback.id if callback else None,
        verdict=Verdict(callback.verdict) if callback else None,
        playback_session_id=session.playback_session_id,
        position_ms=session.position_ms,
    )
