"""Spending coins on an episode: one call, one round trip, one transaction."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec
from django.db import connection

from catalog.models import Episode, Series
from config.problems import Problem
from payments import exposing, holds, pricing, quotes, unlock_collector
from payments.idempotency import IdempotencyKey, KeyReused
from payments.models import IdempotencyRecord

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


class Result(StrEnum):
    """How an unlock ended. Only the first charges; from INSUFFICIENT_COINS on it was refused."""

    UNLOCKED = "unlocked"
    ALREADY_UNLOCKED = "already_unlocked"
    COVERED = "covered"
    FREE = "free"
    INSUFFICIENT_COINS = "insufficient_coins"
    QUOTE_OUTDATED = "quote_outdated"
    EPISODE_UNAVAILABLE = "episode_unavailable"
    WALLET_ON_HOLD = "wallet_on_hold"
    KEY_REUSED = "key_reused"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the SQL function decided, field for field as it is kept under the idempotency key."""

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
) -> Decision:
    """Charges exactly what `quote` promises and opens the episode; safe to repeat.

    `device_id` is where a new quote would be asked for, should this one not hold.

    An episode is never charged while a live entitlement covers it. Too few coins is an outcome, not
    an exception, and stays so for its key even after a top-up. Raises QuoteInvalid or QuoteExpired
    (with nothing stored), EpisodeUnavailable, KeyReused, WalletOnHold.
    """
    try:
        promise = quotes.verify(quote, viewer_id=viewer_id, environment=environment, now=now)
    except (quotes.QuoteExpired, quotes.QuoteInvalid) as refusal:
        if kept := _kept(viewer_id=viewer_id, key=key):
            return _checked(kept)
        raise _with_new_quote(
            refusal,
            viewer_id=viewer_id,
            device_id=device_id,
            environment=environment,
            episode_id=episode_id,
            now=now,
        ) from refusal
    ladder = promise.price.ladder
    call = unlock_collector.Call(
        viewer_id=viewer_id,
        environment=environment,
        episode_id=episode_id,
        series_id=promise.series_id,
        numbering=promise.numbering,
        price_version_id=promise.price_version_id,
        adjustments=unlock_collector.array(promise.adjustment_ids),
        prices=unlock_collector.array(ladder.prices),
        price_after=ladder.price_after,
        arm=promise.arm,
        quote_expires_at=promise.expires,
        playback_session_id=playback_session_id,
        position_ms=position_ms,
        key=key.value if key else None,
        fingerprint=key.fingerprint if key else None,
        now=now,
    )
    with holds.on_broken_rule(viewer_id=viewer_id, environment=environment, now=now):
        text, is_replay, answer = unlock_collector.spend(call)
    outcome = _outcome_decoder.decode(text)
    if outcome.outcome is Result.QUOTE_OUTDATED:
        raise _with_new_quote(
            quotes.QuoteInvalid(),
            viewer_id=viewer_id,
            device_id=device_id,
            environment=environment,
            episode_id=episode_id,
            now=now,
        )
    return _checked(Decision(outcome=outcome, is_replay=is_replay, pinned_answer=_bytes(answer)))


def pin_answer(*, viewer_id: UUID, key: IdempotencyKey, answer: bytes) -> bytes:
    """Keeps a body that could be rendered differently later; returns the one that is kept."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payments_pin_answer(%s, %s, %s, %s)", [viewer_id, OPERATION, key.value, answer]
        )
        (kept,) = cursor.fetchone()
    return bytes(kept)


def _kept(*, viewer_id: UUID, key: IdempotencyKey | None) -> Decision | None:
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


def _with_new_quote(
    refusal: Problem,
    *,
    viewer_id: UUID,
    device_id: UUID | None,
    environment: str,
    episode_id: UUID,
    now: datetime,
) -> Problem:
    """The same refusal, carrying what the episode costs now. Raises EpisodeUnavailable."""
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
    price = pricing.price_for(
        viewer_id=viewer_id, device_id=device_id, series_id=episode.series_id, at=now
    )
    exposing.expose(
        price, viewer_id=viewer_id, environment=environment, numbers=[episode.number], now=now
    )
    quote = quotes.make(
        viewer_id=viewer_id,
        environment=environment,
        series_id=episode.series_id,
        numbering=episode.series.numbering,
        price=price,
        now=now,
    )
    return type(refusal)(quote=quote.token(), price_coins=price.ladder.price_of(episode.number))


def _checked(decision: Decision) -> Decision:
    if decision.outcome.outcome is Result.KEY_REUSED:
        raise KeyReused
    if decision.outcome.outcome is Result.EPISODE_UNAVAILABLE:
        raise EpisodeUnavailable
    if decision.outcome.outcome is Result.WALLET_ON_HOLD:
        raise WalletOnHold
    return decision


def _bytes(column: bytes | memoryview | None) -> bytes | None:
    return None if column is None else bytes(column)
