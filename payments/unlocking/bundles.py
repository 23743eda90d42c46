"""The rest of a series at once: what it costs, and spending coins on it, all or nothing."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from config.postgresql import prepared
from config.problems import Problem
from payments.access import paywall
from payments.access.paywall import EpisodeState, Paywall, PaywallOption
from payments.idempotency import IdempotencyKey
from payments.ledger import holds
from payments.money import Money
from payments.prices import pricing, quotes
from payments.prices.quotes import BundleQuote
from payments.unlocking import spending, unlocks
from payments.unlocking.unlocks import Decision, Result

_UNLOCK = """
    SELECT outcome::text, is_replay, answer FROM payments_unlock_bundle(
        %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


class NothingToUnlock(Problem):
    code = "nothing_to_unlock"
    title = "Nothing of this series can be unlocked at once"


class BundleOption(PaywallOption, tag="bundle"):
    """Open every locked episode of the series for good. Hand `quote` to the series' unlock.

    `price_coins_single` is what these episodes cost one by one, `equivalent` what `price_coins` cost at most
    in money.
    """

    episode_count: int
    price_coins: int
    equivalent: Money | None
    price_coins_single: int
    shortfall_coins: int
    quote: str
    quote_expires_at: Annotated[datetime, msgspec.Meta(tz=True)]

    @property
    def is_usable(self) -> bool:
        """See PaywallOption."""
        return not self.shortfall_coins


def bundle_option(shown: Paywall) -> BundleOption | None:
    """Everything that is locked, where the price offers that."""
    quote = quote_for(shown)
    if quote is None:
        return None
    return BundleOption(
        episode_count=len(quote.numbers),
        price_coins=quote.total_coins,
        equivalent=shown.money_for(quote.total_coins),
        price_coins_single=sum(shown.ladder.price_of(number) for number in quote.numbers),
        shortfall_coins=max(quote.total_coins - shown.balance.coins, 0),
        quote=quote.token(),
        quote_expires_at=quote.expires,
    )


def quote_for(shown: Paywall) -> BundleQuote | None:
    """A quote for everything that is locked; None where nothing is, or no bundle is on offer."""
    way = pricing.ways(shown.quote.price_version_id).bundle_adjustment_id
    locked = [
        episode.number
        for episode in shown.episodes
        if way is not None and shown.takes_coins and shown.state_of(episode) is EpisodeState.LOCKED
    ]
    if not locked:
        return None
    return quotes.make_bundle(
        viewer_id=shown.viewer_id,
        environment=shown.environment,
        series_id=shown.series.id,
        numbering=shown.series.numbering,
        price=replace(shown.quote.price, way_adjustment_id=way),
        numbers=locked,
        now=shown.now,
    )


def unlock(
    *,
    viewer_id: UUID,
    environment: str,
    series_id: UUID,
    quote: str,
    now: datetime,
    key: IdempotencyKey | None = None,
    device_id: UUID | None = None,
    playback_session_id: UUID | None = None,
    position_ms: int | None = None,
    confirmed_spend_coins: int | None = None,
) -> Decision:
    """Charges exactly what `quote` promises and opens all of its episodes, each with an unlock of its own,
    in one transaction; safe to repeat.

    Too few coins is an outcome, and stays so for its key. Where any of the episodes is owned by now, or
    cannot be had any more, nothing is opened and the quote is invalid. Raises QuoteInvalid or
    QuoteExpired with a new quote, NothingToUnlock where there is none, EpisodeAdsOnly, NotFound, KeyReused,
    WalletOnHold, SpendConfirmationNeeded.
    """
    asking = _Asking(viewer_id, environment, series_id, device_id, now)
    try:
        promise = quotes.verify_bundle(quote, viewer_id=viewer_id, environment=environment, now=now)
        if promise.series_id != series_id:
            raise quotes.QuoteInvalid
    except (quotes.QuoteExpired, quotes.QuoteInvalid) as refusal:
        if earlier := unlocks.kept(viewer_id=viewer_id, key=key):
            return unlocks.checked(earlier)
        raise asking.with_new_quote(refusal) from refusal
    numbers, ladder = promise.numbers, promise.price.ladder
    if sum(ladder.price_of(number) for number in numbers) != promise.total_coins:
        raise asking.with_new_quote(quotes.QuoteInvalid())
    arguments: list[Any] = [
        viewer_id,
        environment,
        series_id,
        promise.numbering,
        numbers,
        promise.price_version_id,
        list(promise.price.adjusted_by),
        list(ladder.prices),
        ladder.price_after,
        promise.arm,
        promise.expires,
        playback_session_id,
        position_ms,
        spending.day_of(now),
        spending.allowed_coins(confirmed_coins=confirmed_spend_coins),
        key.value if key else None,
        key.fingerprint if key else None,
        now,
    ]
    with (
        holds.on_broken_rule(viewer_id=viewer_id, environment=environment, now=now),
        prepared.cursor() as cursor,
    ):
        cursor.execute(_UNLOCK, arguments)
        decision = unlocks.decision_of(cursor.fetchone())
    if decision.outcome.outcome is Result.QUOTE_OUTDATED:
        raise asking.with_new_quote(quotes.QuoteInvalid())
    return unlocks.checked(decision)


@dataclass(frozen=True)
class _Asking:
    """Who asks for the rest of which series, and where."""

    viewer_id: UUID
    environment: str
    series_id: UUID
    device_id: UUID | None
    now: datetime

    def with_new_quote(self, refusal: Problem) -> Problem:
        """The same refusal, carrying what is left and what it costs now; NothingToUnlock where nothing
        is. Raises NotFound."""
        quote = quote_for(
            paywall.show(
                viewer_id=self.viewer_id,
                environment=self.environment,
                series_id=self.series_id,
                device_id=self.device_id,
                now=self.now,
            )
        )
        if quote is None:
            return NothingToUnlock()
        return type(refusal)(
            quote=quote.token(),
            price_coins=quote.total_coins,
            episode_count=len(quote.numbers),
        )
