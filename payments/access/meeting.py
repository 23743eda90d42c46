"""Which experiments on prices a viewer meets by asking about one episode."""

from datetime import datetime
from uuid import UUID

from catalog.models import Episode
from payments.access import entitlements
from payments.prices import exposing
from payments.prices.pricing import Price


def expose(
    price: Price, *, viewer_id: UUID, environment: str, episode: Episode, now: datetime
) -> None:
    """The viewer is about to learn what the episode costs, or to be charged it: keeps what that tells them.

    Nothing of an episode that is open to them: its price decides nothing. A query more for who is in an
    experiment that they have not met, none for everybody else.
    """
    if not price.forks:
        return
    open_to_them = entitlements.live(
        viewer_id=viewer_id, environment=environment, series_id=episode.series_id, at=now
    )
    if episode.id in open_to_them:
        return
    exposing.expose(
        price, viewer_id=viewer_id, environment=environment, numbers=[episode.number], now=now
    )
