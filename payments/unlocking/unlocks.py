"""Spending coins on an episode: one call, one round trip, one transaction."""

from datetime import datetime
from enum import StrEnum
from functools import partial
from uuid import UUID

import msgspec
from django.db import connection

from catalog.models import Episode, Series
from config.problems import Problem
from payments.access import meeting
from payments.idempotency import IdempotencyKey, KeyReused
from payments.ledger import holds
from payments.models import IdempotencyRecord
from payments.prices import pricing, quotes
from payments.unlocking import rentals, spending, unlock_collector

OPERATION = "unlock"


class EpisodeUnavailable(Problem):
    code = "episode_unavailable"
    title = "There is no such episode, or it is not published"


class InsufficientCoins(Problem):
    code = "insufficient_coins"
    title = "The wallet holds too few coins for this episode"


class WalletOnHold(Problem):
    code = "wallet_on_hold"
    title = "Nothing can be spent from this wallet until support has looked at it"
    headers = {"Retry-After": "3600"}


class EpisodeAdsOnly(Problem):
    code = "episode_ads_only"
    title = "Ads alone open this title: nothing of it is sold for coins"


class Result(StrEnum):
    """How an unlock ended. Only the first charges; from INSUFFICIENT_COINS on it was refused."""

    UNLOCKED = "unlocked"
    ALREADY_UNLOCKED = "already_unlocked"
    COVERED = "covered"
    FREE = "free"
    INSUFFICIENT_COINS = "insufficient_coins"
    QUOTE_OUTDATED = "quote_outdated"
    EPISODE_UNAVAILABLE = "episode_unavailable"
    EPISODE_ADS_ONLY = "episode_ads_only"
    WALLET_ON_HOLD = "wallet_on_hold"
    SPEND_CONFIRMATION_NEEDED = "spend_confirmation_needed"
    AUTO_UNLOCK_OFF = "auto_unlock_off"
    AUTO_UNLOCK_PRICE_ROSE = "auto_unlock_price_rose"
    AUTO_UNLOCK_CAP_REACHED = "auto_unlock_cap_reached"
    KEY_REUSED = "key_reused"


class BundledUnlock(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of a bundle, with the unlock of its own."""

    episode_id: UUID
    number: int
    unlock_id: UUID
    entitlement_id: UUID
    price_coins: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the SQL function decided, field for field as it is kept under the idempotency key.

    Coins are of all `episodes` together where it is a bundle. `ends_at` is None for what is open for good.
    """

    outcome: Result
    number: int = 0
    unlock_id: UUID | None = None
    entitlement_id: UUID | None = None
    price_coins: int = 0
    paid_coins: int = 0
    bonus_coins: int = 0
    balance_paid_coins: int = 0
    balance_bonus_coins: int = 0
    balance_coins: int = 0
    shortfall_coins: int = 0
    ends_at: datetime | None = None
    unlocked_at: datetime | None = None
    spent_today_coins: int = 0
    daily_cap_coins: int = 0
    agreed_coins: int = 0
    bundle_id: UUID | None = None
    episodes: tuple[BundledUnlock, ...] = ()


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome, whether it repeats an earlier call, and the answer pinned by that call if any."""

    outcome: Outcome
    is_replay: bool
    pinned_answer: bytes | None = None


_outcome_decoder = msgspec.json.Decoder(Outcome)


def unlock(
    *,
    viewer_id: UUID,
    environment: str,
    episode_id: UUID,
    quote: str,
    now: datetime,
    key: IdempotencyKey | None = None,
    device_id: UUID | None = None,
    playback_session_id: UUID | None = None,
    position_ms: int | None = None,
    confirmed_spend_coins: int | None = None,
) -> Decision:
    """Charges exactly what `quote` promises and opens the episode, for good or as long as it was quoted
    for; safe to repeat.

    `device_id` is where a new quote would be asked for, should this one not hold.
    `confirmed_spend_coins` is what the viewer means to have spent today when this is done.

    An episode is never charged while a live entitlement covers it. Too few coins is an outcome, not
    an exception, and stays so for its key even after a top-up. Raises QuoteInvalid or QuoteExpired
    (with nothing stored), EpisodeUnavailable, EpisodeAdsOnly, KeyReused, WalletOnHold,
    SpendConfirmationNeeded.
    """
    renewed = partial(
        with_new_quote,
        viewer_id=viewer_id,
        device_id=device_id,
        environment=environment,
        episode_id=episode_id,
        now=now,
    )
    try:
        promise = quotes.verify(quote, viewer_id=viewer_id, environment=environment, now=now)
    except (quotes.QuoteExpired, quotes.QuoteInvalid) as refusal:
        if earlier := kept(viewer_id=viewer_id, key=key):
            return checked(earlier)
        raise renewed(refusal, is_rental=_was_rental(refusal)) from refusal
    ladder = promise.price.ladder
    call = unlock_collector.Call(
        viewer_id=viewer_id,
        environment=environment,
        episode_id=episode_id,
        series_id=promise.series_id,
        numbering=promise.numbering,
        price_version_id=promise.price_version_id,
        adjustments=unlock_collector.array(promise.price.adjusted_by),
        prices=unlock_collector.array(ladder.prices),
        price_after=ladder.price_after,
        arm=promise.arm,
        quote_expires_at=promise.expires,
        playback_session_id=playback_session_id,
        position_ms=position_ms,
        rental_seconds=promise.rental_seconds,
        consent_id=None,
        most_coins=None,
        day=spending.day_of(now),
        allowed_coins=spending.allowed_coins(confirmed_coins=confirmed_spend_coins),
        key=key.value if key else None,
        fingerprint=key.fingerprint if key else None,
        now=now,
    )
    decision = decide(call)
    if decision.outcome.outcome is Result.QUOTE_OUTDATED:
        raise renewed(quotes.QuoteInvalid(), is_rental=promise.rental_seconds is not None)
    return checked(decision)


def decide(call: unlock_collector.Call) -> Decision:
    """What payments_unlock decides. A rule of the ledger that would have broken holds the wallet."""
    with holds.on_broken_rule(viewer_id=call.viewer_id, environment=call.environment, now=call.now):
        return decision_of(unlock_collector.spend(call))


def decision_of(row: unlock_collector.Row) -> Decision:
    """What an unlocking function has answered."""
    text, is_replay, answer = row
    return Decision(
        outcome=_outcome_decoder.decode(text), is_replay=is_replay, pinned_answer=_bytes(answer)
    )


def pin_answer(*, viewer_id: UUID, key: IdempotencyKey, answer: bytes) -> bytes:
    """Keeps a body that could be rendered differently later; returns the one that is kept."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payments_pin_answer(%s, %s, %s, %s)", [viewer_id, OPERATION, key.value, answer]
        )
        (kept,) = cursor.fetchone()
    return bytes(kept)


def kept(*, viewer_id: UUID, key: IdempotencyKey | None) -> Decision | None:
    """The outcome of an earlier call with this key: it stands although its quote has lapsed."""
    if key is None:
        return None
    record = IdempotencyRecord.objects.filter(
        viewer_id=viewer_id, operation=OPERATION, key=key.value
    ).first()
    if record is None:
        return None
    if bytes(record.fingerprint) != key.fingerprint:
        raise KeyReused
    return Decision(
        outcome=msgspec.convert(record.outcome, Outcome),
        is_replay=True,
        pinned_answer=_bytes(record.answer),
    )


def with_new_quote(
    refusal: Problem,
    *,
    viewer_id: UUID,
    device_id: UUID | None,
    environment: str,
    episode_id: UUID,
    now: datetime,
    is_rental: bool = False,
) -> Problem:
    """The same refusal, carrying what the episode costs now; EpisodeUnavailable where there is none,
    EpisodeAdsOnly where it is not sold.

    Who asked to rent is quoted a rental, as long as there is one: `rental_seconds` says so.
    """
    episode = (
        Episode.objects.filter(
            id=episode_id,
            state=Episode.State.PUBLISHED,
            series__state=Series.State.PUBLISHED,
        )
        .select_related("series")
        .first()
    )
    if episode is None:
        return EpisodeUnavailable()
    if episode.series.access_mode == Series.AccessMode.AD:
        return EpisodeAdsOnly()
    price = pricing.price_for(
        viewer_id=viewer_id, device_id=device_id, series_id=episode.series_id, at=now
    )
    meeting.expose(price, viewer_id=viewer_id, environment=environment, episode=episode, now=now)
    rental = is_rental and rentals.quote_for(
        viewer_id=viewer_id,
        environment=environment,
        series=episode.series,
        price=price,
        now=now,
    )
    quote = rental or quotes.make(
        viewer_id=viewer_id,
        environment=environment,
        series_id=episode.series_id,
        numbering=episode.series.numbering,
        price=price,
        now=now,
    )
    terms: dict[str, object] = {"rental_seconds": quote.rental_seconds} if is_rental else {}
    return type(refusal)(
        quote=quote.token(),
        price_coins=quote.price.ladder.price_of(episode.number),
        **terms,
        **refusal.extra,
    )


def checked(decision: Decision) -> Decision:
    """The same decision. Raises what it is, if it is a refusal that no answer is rendered of."""
    if decision.outcome.outcome is Result.KEY_REUSED:
        raise KeyReused
    if decision.outcome.outcome is Result.EPISODE_UNAVAILABLE:
        raise EpisodeUnavailable
    if decision.outcome.outcome is Result.EPISODE_ADS_ONLY:
        raise EpisodeAdsOnly
    if decision.outcome.outcome is Result.WALLET_ON_HOLD:
        raise WalletOnHold
    if decision.outcome.outcome is Result.SPEND_CONFIRMATION_NEEDED:
        raise spending.SpendConfirmationNeeded.of(
            spent_today_coins=decision.outcome.spent_today_coins,
            price_coins=decision.outcome.price_coins,
        )
    return decision


def _was_rental(refusal: Problem) -> bool:
    """Whether the quote had been one of a rental, as far as it can be told."""
    lapsed = refusal.lapsed if isinstance(refusal, quotes.QuoteExpired) else None
    return isinstance(lapsed, quotes.Quote) and lapsed.rental_seconds is not None


def _bytes(column: bytes | memoryview | None) -> bytes | None:
    return None if column is None else bytes(column)
