"""Money that moves in past days, and days that are closed."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection

from catalog.models import Episode, Series
from payments.access import paywall
from payments.ledger.days import closing, ladder
from payments.ledger.days.ladder import Ladder
from payments.models import PassPurchase, Purchase, RefundOrigin, Unlock
from payments.store import refunds
from payments.store.refunds import RefundFact
from payments.unlocking import unlocks
from tests.factories.ads import PlacementFactory, ad_session, watch
from tests.factories.payments import as_owner

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
PRODUCTION, SANDBOX = "production", "sandbox"


def of_day(moment: datetime) -> Ladder:
    """The ladder of the day that a moment lies in, in production."""
    day = closing.local_date(moment)
    return ladder.read(
        environment=PRODUCTION,
        start=closing.day_starts_at(day),
        end=closing.day_starts_at(day + DAY),
    )


def close_all(now: datetime) -> None:
    while closing.close_next(now=now):
        pass


def spend(
    viewer_id: UUID,
    series: Series,
    number: int,
    now: datetime,
    environment: str = PRODUCTION,
    playback_session_id: UUID | None = None,
) -> Unlock | None:
    """Coins for an episode; None where it was not charged."""
    shown = paywall.show(viewer_id=viewer_id, environment=environment, series_id=series.id, now=now)
    outcome = unlocks.unlock(
        viewer_id=viewer_id,
        environment=environment,
        episode_id=series.episodes.get(number=number).id,
        quote=shown.quote.token(),
        now=now,
        playback_session_id=playback_session_id,
    ).outcome
    return Unlock.objects.get(id=outcome.unlock_id) if outcome.outcome == "unlocked" else None


def see_ad(viewer_id: UUID, episode: Episode, now: datetime) -> None:
    """An ad of 12,000 micros for an episode."""
    seen = ad_session(PlacementFactory(), viewer_id=viewer_id, episode_id=episode.id, now=now)
    watch(seen, now=now)


def money_back(purchase: Purchase | PassPurchase, now: datetime, **facts: object) -> None:
    """The store gives back all that was paid, if nothing else is said."""
    told = {"refund_id": refunds.ALL, "refunded_at": now} | facts
    fact = RefundFact(
        provider=purchase.provider,
        environment=purchase.environment,
        transaction_id=purchase.transaction_id,
        origin=RefundOrigin.STORE,
        **told,
    )
    refunds.record(fact, now=now)


def lapse(now: datetime) -> None:
    """Lets pack bonus lapse that nothing was taken of since. Nothing gives it an expiry yet."""
    with as_owner() as cursor:
        cursor.execute(
            """
            UPDATE payments_lot lot SET expires_at = %s
            WHERE kind = 'bonus' AND expires_at IS NULL AND NOT EXISTS (
                SELECT FROM payments_lotmovement
                WHERE lot_id = lot.id AND created_at >= %s)
            """,
            [now, now],
        )
    with connection.cursor() as cursor:
        cursor.execute("SELECT payments_expire_lots(1000, %s)", [now])
