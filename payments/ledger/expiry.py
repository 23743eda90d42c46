"""Coins that lapse, and the notice that goes before."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q

from payments.models import ExpiryNotice, Lot

EXPIRED_AT_ONCE = 100
NOTICED_AT_ONCE = 500
#: A notice is told to senders only when it is so old. It is written by one statement, which the
#: database ends after five seconds, so no notice appears behind one that has been told.
SETTLED = timedelta(seconds=10)


def expire(*, now: datetime) -> int:
    """Lapses some of what is past its expiry, in one transaction; returns how many lots, 0 at the end.

    From its expiry on a lot cannot be spent, whether this has run or not. A wallet that somebody
    holds at this moment is left for the next call.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT payments_expire_lots(%s, %s)", [EXPIRED_AT_ONCE, now])
        (lapsed,) = cursor.fetchone()
    return int(lapsed)


def notice(*, now: datetime) -> int:
    """Notices some of the lots that lapse within EXPIRY_NOTICE_HOURS, each once; returns how many it
    looked at, 0 at the end.

    A lot of a shorter life is noticed as soon as it is there. Two workers at once notice no lot twice.
    """
    within = now + timedelta(hours=settings.EXPIRY_NOTICE_HOURS)
    lots = Lot.objects.filter(
        remaining_coins__gt=0,
        expires_at__gt=now,
        expires_at__lte=within,
        expiry_notice__isnull=True,
        wallet__viewer__erased_at__isnull=True,
    )
    found = list(lots.select_related("wallet").order_by("expires_at", "id")[:NOTICED_AT_ONCE])
    notices = [_notice(lot, lot.expires_at, now) for lot in found if lot.expires_at is not None]
    ExpiryNotice.objects.bulk_create(notices, ignore_conflicts=True)
    return len(found)


def noticed(
    *, after: tuple[datetime, UUID] | None, limit: int, now: datetime
) -> Sequence[ExpiryNotice]:
    """The first `limit` notices after a position, oldest first; those of the last moments come later.

    Their order is that of `created_at`, then `id`.
    """
    settled = ExpiryNotice.objects.filter(created_at__lte=now - SETTLED)
    if after is not None:
        created_at, notice_id = after
        settled = settled.filter(
            Q(created_at__gt=created_at) | Q(created_at=created_at, id__gt=notice_id),
            created_at__gte=created_at,
        )
    return list(settled.order_by("created_at", "id")[:limit])


def _notice(lot: Lot, expires_at: datetime, now: datetime) -> ExpiryNotice:
    return ExpiryNotice(
        viewer_id=lot.wallet.viewer_id,
        environment=lot.environment,
        lot=lot,
        coins=lot.remaining_coins,
        expires_at=expires_at,
        created_at=now,
    )
