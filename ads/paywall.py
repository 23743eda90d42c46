"""The rewarded ad as a way past the paywall."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from ads import sessions
from payments.paywall import Paywall, PaywallOption


class AdOption(PaywallOption, tag="ad"):
    """Watch an ad: open a session at `placement` for the episode. `available_at` is null when that
    may be done now."""

    placement: str
    episode_id: UUID
    remaining_today: int
    available_at: Annotated[datetime, msgspec.Meta(tz=True)] | None


def ad_option(paywall: Paywall) -> AdOption | None:
    """An ad for the next locked episode, at the placement that is available first.

    None when no placement has anything left today: the coins beside it are then the way, and
    GET /v1/ads/placements says when ads come back.
    """
    if paywall.next_locked is None:
        return None
    standings = sessions.standings(
        viewer_id=paywall.viewer_id, environment=paywall.environment, now=paywall.now
    )
    left = [standing for standing in standings if standing.remaining_today]
    if not left:
        return None
    first = min(left, key=lambda standing: standing.available_at or paywall.now)
    return AdOption(
        placement=first.placement.code,
        episode_id=paywall.next_locked.id,
        remaining_today=first.remaining_today,
        available_at=first.available_at,
    )
