"""An episode opened for a time: what that costs, and the paywall's offer of it."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from catalog.models import Series
from payments.access.paywall import Paywall, PaywallOption
from payments.money import Money
from payments.prices import pricing, quotes
from payments.prices.pricing import Price
from payments.prices.quotes import Quote


class RentalOption(PaywallOption, tag="rental"):
    """Open the next locked episode for `rental_seconds` from the unlock on. Hand `quote` to its unlock.

    `equivalent` is what its coins cost at most in money.
    """

    episode_id: UUID
    price_coins: int
    equivalent: Money | None
    rental_seconds: int
    shortfall_coins: int
    quote: str
    quote_expires_at: Annotated[datetime, msgspec.Meta(tz=True)]

    @property
    def is_usable(self) -> bool:
        """See PaywallOption."""
        return not self.shortfall_coins


def rental_option(paywall: Paywall) -> RentalOption | None:
    """The next locked episode for a time, where its price offers that for less than for good."""
    episode = paywall.next_locked
    if episode is None or not paywall.takes_coins:
        return None
    quote = quote_for(
        viewer_id=paywall.viewer_id,
        environment=paywall.environment,
        series=paywall.series,
        price=paywall.quote.price,
        now=paywall.now,
    )
    if quote is None or quote.rental_seconds is None:
        return None
    price_coins = quote.price.ladder.price_of(episode.number)
    if price_coins >= paywall.ladder.price_of(episode.number):
        return None
    return RentalOption(
        episode_id=episode.id,
        price_coins=price_coins,
        equivalent=paywall.money_for(price_coins),
        rental_seconds=quote.rental_seconds,
        shortfall_coins=max(price_coins - paywall.balance.coins, 0),
        quote=quote.token(),
        quote_expires_at=quote.expires,
    )


def quote_for(
    *, viewer_id: UUID, environment: str, series: Series, price: Price, now: datetime
) -> Quote | None:
    """A quote for renting episodes of a series of which this is the price; None if none can be."""
    ways = pricing.ways(price.version_id)
    if ways.rental_adjustment_id is None:
        return None
    return quotes.make(
        viewer_id=viewer_id,
        environment=environment,
        series_id=series.id,
        numbering=series.numbering,
        price=replace(price, way_adjustment_id=ways.rental_adjustment_id),
        now=now,
        rental_seconds=ways.rental_seconds,
    )
