"""The rewarded ad as a way past the paywall."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec

from ads import sessions
from ads.limits import Standing
from ads.models import AdSession
from payments.access.paywall import Paywall, PaywallOption
from payments.models.offer_choices import Means


class AdOption(PaywallOption, tag="ad"):
    """Watch an ad: open a session at `placement` for the episode. `available_at` is null when that
    may be done now."""

    means: ClassVar[Means] = Means.AD

    placement: str
    episode_id: UUID
    remaining_today: int
    available_at: Annotated[datetime, msgspec.Meta(tz=True)] | None


def ad_option(paywall: Paywall) -> AdOption | None:
    """An ad for the next locked episode, at the placement that is available first.

    A viewer with an open session for it is sent back there, whatever is left of the day: opening it
    again resumes it, and it is refused elsewhere. None when no placement has anything left today: the
    coins beside it are then the way, and GET /v1/ads/placements says when ads come back.
    """
    if paywall.next_locked is None:
        return None
    viewer_id, environment, now = paywall.viewer_id, paywall.environment, paywall.now
    standings = sessions.standings(viewer_id=viewer_id, environment=environment, now=now)
    if not standings:
        return None
    session = sessions.open_for(
        viewer_id=viewer_id, environment=environment, episode_id=paywall.next_locked.id, now=now
    )
    if session is not None:
        standings = [_again(one, session) for one in standings if _is_of(one, session)]
    left = [standing for standing in standings if standing.remaining_today]
    if not left:
        return None
    first = min(left, key=lambda standing: standing.available_at or now)
    return AdOption(
        placement=first.placement.code,
        episode_id=paywall.next_locked.id,
        remaining_today=first.remaining_today,
        available_at=first.available_at,
    )


def _is_of(standing: Standing, session: AdSession) -> bool:
    return standing.placement.id == session.placement_id


def _again(standing: Standing, session: AdSession) -> Standing:
    """The place in front of a session of its own, which an edit of the placement leaves behind."""
    placement = standing.placement
    if (placement.network, placement.ad_unit_id) != (session.network, session.ad_unit_id):
        return standing
    return Standing(
        placement=placement,
        remaining_today=max(standing.remaining_today, 1),
        available_at=None,
    )
