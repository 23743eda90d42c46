"""Unlocks without a tap: what a viewer has agreed to for a series, charging under it, and taking it back.

It is off until a viewer agrees, for one series, to the prices that they were shown and to a cap on each
day. Playing never charges; the app asks for the unlock when the viewer swipes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection
from django.db.models import Sum

from catalog.models import Episode, Series
from config.problems import NotFound, Problem
from payments.access import meeting, paywall
from payments.idempotency import IdempotencyKey
from payments.ledger import wallets
from payments.ledger.wallets import Balance
from payments.models import AutoUnlockConsent, Unlock
from payments.prices import pricing, quotes
from payments.prices.pricing import Price
from payments.unlocking import spending, unlock_collector, unlocks
from payments.unlocking.unlocks import Decision, EpisodeUnavailable, Outcome, Result

#: How often to look again when a series is numbered anew between looking and charging.
_LOOKS = 3


class AutoUnlockOff(Problem):
    code = "auto_unlock_off"
    title = "The viewer has not agreed to unlock this series without being asked"


class AutoUnlockTermsMissing(Problem):
    code = "auto_unlock_terms_missing"
    title = "To agree takes the quote that was shown, and a cap for the day"


class AutoUnlockPriceRose(Problem):
    """Carries `price_coins`, the `agreed_coins` and a `quote` to agree to, or to unlock with."""

    code = "auto_unlock_price_rose"
    title = "The episode costs more than the viewer has agreed to; ask them"


class AutoUnlockCapReached(Problem):
    """Carries `price_coins`, `spent_today_coins` and `daily_cap_coins`."""

    code = "auto_unlock_cap_reached"
    title = "This would be more than the viewer has agreed to for a day; ask them"


class AutoUnlockStopped(Problem):
    """Carries `price_coins` and `spent_today_coins`."""

    code = "auto_unlock_stopped"
    title = "The viewer has spent much today: nothing more is unlocked without asking"


class UndoRefused(Problem):
    """`reason` is `not_automatic`, `played`, `too_late` or `refunded`."""

    code = "undo_refused"
    title = "This unlock cannot be taken back"


@dataclass(frozen=True)
class Standing:
    """What holds for a viewer and a series. `agreed_at` is None while it is off."""

    series_id: UUID
    daily_cap_coins: int = 0
    spent_today_coins: int = 0
    agreed_at: datetime | None = None


@dataclass(frozen=True)
class Undone:
    """An unlock taken back: what has returned, and what can be spent now."""

    unlock_id: UUID
    episode_id: UUID
    paid_coins: int
    bonus_coins: int
    balance: Balance


def agree(
    *,
    viewer_id: UUID,
    environment: str,
    series_id: UUID,
    quote: str,
    daily_cap_coins: int,
    now: datetime,
    device_id: UUID | None = None,
) -> Standing:
    """Lets episodes of a published series be charged without a tap, at no more than `quote` promises and
    no more than `daily_cap_coins` a day. The same again changes nothing.

    Raises QuoteInvalid or QuoteExpired with a new quote, and NotFound.
    """
    shown = paywall.show(
        viewer_id=viewer_id,
        device_id=device_id,
        environment=environment,
        series_id=series_id,
        now=now,
    )
    try:
        promise = quotes.verify(quote, viewer_id=viewer_id, environment=environment, now=now)
        about = (promise.series_id, promise.numbering, promise.rental_seconds)
        if about != (series_id, shown.series.numbering, None):
            raise quotes.QuoteInvalid
    except (quotes.QuoteExpired, quotes.QuoteInvalid) as refusal:
        raise type(refusal)(quote=shown.quote.token()) from refusal
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payments_agree_to_auto_unlock(%s, %s, %s, %s, %s, %s::uuid[], %s)",
            [
                viewer_id,
                environment,
                series_id,
                daily_cap_coins,
                promise.price_version_id,
                list(promise.adjustment_ids),
                now,
            ],
        )
    (standing,) = standings(
        viewer_id=viewer_id, environment=environment, now=now, series_id=series_id
    )
    return standing


def end(*, viewer_id: UUID, environment: str, series_id: UUID, now: datetime) -> Standing:
    """Charges nothing of a series without a tap from now on. The same again changes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payments_end_auto_unlock(%s, %s, %s, %s)",
            [viewer_id, environment, series_id, now],
        )
    return Standing(series_id)


def standings(
    *, viewer_id: UUID, environment: str, now: datetime, series_id: UUID | None = None
) -> Sequence[Standing]:
    """Where it is on, the latest agreement first: for one series or for all."""
    agreed = AutoUnlockConsent.objects.filter(
        viewer_id=viewer_id, environment=environment, ended_at=None
    )
    if series_id is not None:
        agreed = agreed.filter(series_id=series_id)
    spent = _spent_today(viewer_id, environment, now)
    return [
        Standing(
            series_id=consent.series_id,
            daily_cap_coins=consent.daily_cap_coins,
            spent_today_coins=spent.get(consent.series_id, 0),
            agreed_at=consent.agreed_at,
        )
        for consent in agreed.order_by("-agreed_at", "-id")
    ]


def unlock(
    *,
    viewer_id: UUID,
    environment: str,
    episode_id: UUID,
    now: datetime,
    key: IdempotencyKey | None = None,
    device_id: UUID | None = None,
    playback_session_id: UUID | None = None,
    position_ms: int | None = None,
) -> Decision:
    """Charges what the episode costs now, if the viewer has agreed to as much, and opens it; safe to repeat.

    What is open, covered or free is not charged, as by `unlocks.unlock`. Too few coins is an outcome, and
    stays so for its key. Raises AutoUnlockOff, AutoUnlockPriceRose with a quote, AutoUnlockCapReached,
    AutoUnlockStopped at SPEND_CONFIRM_COINS, EpisodeUnavailable, EpisodeAdsOnly, KeyReused, WalletOnHold.
    """
    for _ in range(_LOOKS):
        try:
            call = _call(
                viewer_id=viewer_id,
                environment=environment,
                episode_id=episode_id,
                device_id=device_id,
                playback_session_id=playback_session_id,
                position_ms=position_ms,
                key=key,
                now=now,
            )
        except (AutoUnlockOff, EpisodeUnavailable):
            if earlier := unlocks.kept(viewer_id=viewer_id, key=key):
                return unlocks.checked(earlier)
            raise
        decision = unlocks.decide(call)
        if decision.outcome.outcome is not Result.QUOTE_OUTDATED:
            break
    if refusal := _refusal(decision.outcome):
        if isinstance(refusal, AutoUnlockPriceRose | quotes.QuoteInvalid):
            refusal = unlocks.with_new_quote(
                refusal,
                viewer_id=viewer_id,
                device_id=device_id,
                environment=environment,
                episode_id=episode_id,
                now=now,
            )
        raise refusal
    return unlocks.checked(decision)


def undo_until(outcome: Outcome) -> datetime | None:
    """Until when an unlock may be taken back; None where nothing was charged."""
    if outcome.unlocked_at is None:
        return None
    return outcome.unlocked_at + timedelta(seconds=settings.AUTO_UNLOCK_UNDO_SECONDS)


def undo(*, viewer_id: UUID, environment: str, unlock_id: UUID, now: datetime) -> Undone:
    """Closes an episode that was unlocked without a tap and puts its coins back where they came from.

    Only before its first playback, and AUTO_UNLOCK_UNDO_SECONDS after the unlock at most. Once more is
    the same. Raises NotFound, UndoRefused.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payments_undo_auto_unlock(%s, %s, %s, %s, %s)::text",
            [viewer_id, environment, unlock_id, settings.AUTO_UNLOCK_UNDO_SECONDS, now],
        )
        (text,) = cursor.fetchone()
    answer = msgspec.json.decode(text, type=_Undo)
    if answer.outcome == "unknown":
        raise NotFound
    if answer.outcome != "undone":
        raise UndoRefused(reason=answer.outcome)
    return Undone(
        unlock_id=unlock_id,
        episode_id=answer.episode_id,
        paid_coins=answer.paid_coins,
        bonus_coins=answer.bonus_coins,
        balance=wallets.balance(viewer_id=viewer_id, environment=environment, at=now),
    )


class _Undo(msgspec.Struct, frozen=True, kw_only=True):
    """What payments_undo_auto_unlock answers."""

    outcome: str
    episode_id: UUID = UUID(int=0)
    paid_coins: int = 0
    bonus_coins: int = 0


def _call(
    *,
    viewer_id: UUID,
    environment: str,
    episode_id: UUID,
    device_id: UUID | None,
    playback_session_id: UUID | None,
    position_ms: int | None,
    key: IdempotencyKey | None,
    now: datetime,
) -> unlock_collector.Call:
    """The unlock at the price of now, under what was agreed. Raises AutoUnlockOff, EpisodeUnavailable."""
    episode = (
        Episode.objects.filter(
            id=episode_id, state=Episode.State.PUBLISHED, series__state=Series.State.PUBLISHED
        )
        .select_related("series")
        .first()
    )
    if episode is None:
        raise EpisodeUnavailable
    consent = AutoUnlockConsent.objects.filter(
        viewer_id=viewer_id, environment=environment, series_id=episode.series_id, ended_at=None
    ).first()
    if consent is None:
        raise AutoUnlockOff
    price = pricing.price_for(
        viewer_id=viewer_id, device_id=device_id, series_id=episode.series_id, at=now
    )
    meeting.expose(price, viewer_id=viewer_id, environment=environment, episode=episode, now=now)
    agreed = Price(consent.price_version_id, tuple(consent.adjustments)).ladder
    return unlock_collector.Call(
        viewer_id=viewer_id,
        environment=environment,
        episode_id=episode_id,
        series_id=episode.series_id,
        numbering=episode.series.numbering,
        price_version_id=price.version_id,
        adjustments=unlock_collector.array(price.adjusted_by),
        prices=unlock_collector.array(price.ladder.prices),
        price_after=price.ladder.price_after,
        arm=price.arm,
        quote_expires_at=None,
        playback_session_id=playback_session_id,
        position_ms=position_ms,
        rental_seconds=None,
        consent_id=consent.id,
        most_coins=agreed.price_of(episode.number),
        day=spending.day_of(now),
        allowed_coins=spending.allowed_coins(),
        key=key.value if key else None,
        fingerprint=key.fingerprint if key else None,
        now=now,
    )


def _refusal(outcome: Outcome) -> Problem | None:
    """What stands against charging without a tap; None where nothing of that kind does."""
    price, spent = outcome.price_coins, outcome.spent_today_coins
    if outcome.outcome is Result.QUOTE_OUTDATED:
        return quotes.QuoteInvalid()
    if outcome.outcome is Result.AUTO_UNLOCK_OFF:
        return AutoUnlockOff()
    if outcome.outcome is Result.AUTO_UNLOCK_PRICE_ROSE:
        return AutoUnlockPriceRose(agreed_coins=outcome.agreed_coins)
    if outcome.outcome is Result.AUTO_UNLOCK_CAP_REACHED:
        return AutoUnlockCapReached(
            price_coins=price, spent_today_coins=spent, daily_cap_coins=outcome.daily_cap_coins
        )
    if outcome.outcome is Result.SPEND_CONFIRMATION_NEEDED:
        return AutoUnlockStopped(price_coins=price, spent_today_coins=spent)
    return None


def _spent_today(viewer_id: UUID, environment: str, now: datetime) -> Mapping[UUID, int]:
    """What was unlocked without a tap today and stands, by series."""
    found = Unlock.objects.filter(
        viewer_id=viewer_id,
        environment=environment,
        day=spending.day_of(now),
        consent__isnull=False,
        reversal=None,
    )
    return dict(found.values_list("consent__series_id").annotate(Sum("price_coins")))
