"""What opened an episode by ad: the session, the reward and the callback, and the ads before it that counted."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from django.db.models import Q

from ads.models import Callback, Opening, PlacementReward, ResolutionKind, Reward, Verdict
from config.bodies import AnswerShape
from payments.models import Entitlement
from payments.support.explanations import EntitlementCause, Moment


class EarlierAd(AnswerShape):
    """An ad that counted towards the same and opened nothing by itself."""

    ad_session_id: UUID
    reward_id: UUID
    transaction_id: str
    place: int
    revenue_micros: int
    rewarded_at: Moment


class AdCause(EntitlementCause, tag="ad"):
    """The ad of one session, as the network attested it. `number` counts the viewer's rewards of the
    placement within `day`; `revenue_micros` is what the view is taken to have earned.

    It was the last of `needed` for `reward_amount` episodes, or for so many minutes of the whole title until
    `access_ends_at`; `earlier_ads` are the others. Where the callback had been parked, `settled_by` is the
    operator who paid it after all, and `settled_because` why.
    """

    rows: ClassVar[Mapping[str, str]] = {
        "ad_session_id": "ads.adsession",
        "reward_id": "ads.reward",
        "goal_id": "ads.goal",
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
    goal_id: UUID
    reward: PlacementReward
    reward_amount: int
    needed: int
    access_ends_at: Moment | None
    earlier_ads: list[EarlierAd]
    day: date
    number: int
    daily_cap: int
    revenue_micros: int
    callback_id: UUID | None
    verdict: Verdict | None
    settled_by: str | None
    settled_because: str | None
    playback_session_id: UUID | None
    position_ms: int | None


def ad_causes(entitlements: Sequence[Entitlement], at: datetime) -> Mapping[UUID, AdCause]:
    """By entitlement, in two queries, and one more where it took several ads. All of a reward is known from
    its own moment on."""
    openings = list(
        Opening.objects.filter(
            entitlement_id__in=[row.id for row in entitlements], reward__created_at__lte=at
        ).select_related("reward__session", "reward__placement", "reward__goal")
    )
    rewards = {opening.reward_id: opening.reward for opening in openings}
    paid, earlier = _paid(rewards.values()), _earlier(rewards.values())
    causes = {
        reward.id: _cause(reward, paid.get(reward.session_id), earlier.get(reward.goal_id, []))
        for reward in rewards.values()
    }
    return {opening.entitlement_id: causes[opening.reward_id] for opening in openings}


def _paid(rewards: Iterable[Reward]) -> Mapping[UUID | None, Callback]:
    """The callbacks that earned them, by session."""
    counted = Q(verdict__in=[Verdict.PAID, Verdict.LATE])
    settled = Q(resolution__kind=ResolutionKind.SETTLED)
    callbacks = Callback.objects.filter(
        counted | settled, session_id__in=[reward.session_id for reward in rewards]
    ).select_related("resolution__resolved_by")
    return {callback.session_id: callback for callback in callbacks}


def _earlier(rewards: Iterable[Reward]) -> Mapping[UUID, list[EarlierAd]]:
    """The ads before them, by goal, in their order."""
    goal_ids = [reward.goal_id for reward in rewards if reward.place > 1]
    found: dict[UUID, list[EarlierAd]] = {}
    if not goal_ids:
        return found
    last = [reward.id for reward in rewards]
    for ad in Reward.objects.filter(goal_id__in=goal_ids).exclude(id__in=last).order_by("place"):
        found.setdefault(ad.goal_id, []).append(
            EarlierAd(
                ad_session_id=ad.session_id,
                reward_id=ad.id,
                transaction_id=ad.transaction_id,
                place=ad.place,
                revenue_micros=ad.revenue_micros,
                rewarded_at=ad.created_at,
            )
        )
    return found


def _cause(reward: Reward, callback: Callback | None, earlier: list[EarlierAd]) -> AdCause:
    session, goal = reward.session, reward.goal
    resolution = getattr(callback, "resolution", None)
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
        goal_id=goal.id,
        reward=PlacementReward(goal.reward),
        reward_amount=goal.reward_amount,
        needed=goal.ads_needed,
        access_ends_at=goal.access_ends_at,
        earlier_ads=earlier,
        day=reward.day,
        number=reward.number,
        daily_cap=reward.daily_cap,
        revenue_micros=reward.revenue_micros,
        callback_id=callback.id if callback else None,
        verdict=Verdict(callback.verdict) if callback else None,
        settled_by=resolution.resolved_by.get_username() if resolution else None,
        settled_because=resolution.reason if resolution else None,
        playback_session_id=session.playback_session_id,
        position_ms=session.position_ms,
    )
