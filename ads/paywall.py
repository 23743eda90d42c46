"""The rewarded ad as a way past the paywall."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec

from ads import sessions
from ads.goals import Progress
from ads.limits import Standing
from ads.models import AdSession, PlacementReward
from ads.policies import Onlooker
from ads.sessions import OnOffer
from payments.access.paywall import Paywall, PaywallOption
from payments.models.offer_choices import Means


class AdOption(PaywallOption, tag="ad"):
    """Watch an ad: open a session at `placement` for the episode. `available_at` is null when that
    may be done now.

    The last of `needed` ads opens `reward_amount` episodes for good, this one first, or the whole title for so
    many minutes; `watched` of them count already.
    """

    means: ClassVar[Means] = Means.AD

    placement: str
    episode_id: UUID
    reward: PlacementReward
    reward_amount: int
    watched: int
    needed: int
    remaining_today: int
    available_at: Annotated[datetime, msgspec.Meta(tz=True)] | None

    @property
    def is_usable(self) -> bool:
        """See PaywallOption."""
        return self.available_at is None


def ad_option(paywall: Paywall) -> AdOption | None:
    """An ad for the next locked episode, at the placement that is available first.

    A viewer with an open session for it is sent back there, whatever is left of the day: opening it
    again resumes it, and it is refused elsewhere. So is one whose open session is for another episode of the
    title, where this one could not be opened beside it. None when no placement has anything left today: the
    coins beside it are then the way, and GET /v1/ads/placements says when ads come back.
    """
    if paywall.next_locked is None or not paywall.takes_ads:
        return None
    onlooker = Onlooker(
        viewer_id=paywall.viewer_id,
        environment=paywall.environment,
        now=paywall.now,
        is_covered=paywall.is_covered,
    )
    on_offer = sessions.on_offer(onlooker, series_id=paywall.series.id)
    if not on_offer:
        return None
    opened = sessions.open_in(
        viewer_id=paywall.viewer_id,
        environment=paywall.environment,
        series_id=paywall.series.id,
        now=paywall.now,
    )
    episode_id = paywall.next_locked.id
    back = _back_to(opened, on_offer, episode_id)
    if back is not None:
        episode_id = back.episode_id or episode_id
        on_offer = [_again(one, back) for one in on_offer if _is_of(one, back)]
    left = [one for one in on_offer if one.standing.remaining_today]
    if not left:
        return None
    return _option(min(left, key=lambda one: one.standing.available_at or paywall.now), episode_id)


def _option(offered: OnOffer, episode_id: UUID) -> AdOption:
    terms = offered.progress.terms
    return AdOption(
        placement=offered.placement.code,
        episode_id=episode_id,
        reward=PlacementReward(terms.reward),
        reward_amount=terms.reward_amount,
        watched=offered.progress.watched or 0,
        needed=terms.ads_needed,
        remaining_today=offered.standing.remaining_today,
        available_at=offered.standing.available_at,
    )


def _back_to(
    opened: Sequence[AdSession], on_offer: Sequence[OnOffer], episode_id: UUID
) -> AdSession | None:
    """The open session that the viewer has to go on with: for this episode, else one that keeps an ad for it
    out at every placement."""
    for session in opened:
        if session.episode_id == episode_id:
            return session
    if all(any(_keeps_out(session, one) for session in opened) for one in on_offer):
        return opened[0]
    return None


def _keeps_out(session: AdSession, offered: OnOffer) -> bool:
    """Whether an ad for another episode of the title cannot be announced beside a session, since one of the
    two could open what the other is watched for. As `ads_open_session` has it."""
    both = (session, offered.progress.terms)
    return any(one.reward == PlacementReward.MINUTES or one.reward_amount > 1 for one in both)


def _is_of(offered: OnOffer, session: AdSession) -> bool:
    return offered.placement.id == session.placement_id


def _again(offered: OnOffer, session: AdSession) -> OnOffer:
    """The place in front of a session of its own, which an edit of the placement leaves behind."""
    placement, standing = offered.placement, offered.standing
    if (placement.network, placement.ad_unit_id) != (session.network, session.ad_unit_id):
        return offered
    watched = offered.progress.watched or 0
    return replace(
        offered,
        standing=Standing(
            placement=placement,
            remaining_today=max(standing.remaining_today, 1),
            available_at=None,
        ),
        progress=offered.progress if watched else Progress(session, 0),
    )
