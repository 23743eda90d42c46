"""Who hands in what is another's: one row for each purchase and day, and whoever does so too often."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count

from payments.models import PassPurchase, Purchase, RefusedClaim
from payments.store.facts import Applied
from viewers.models import Environment, Viewer

#: In which a viewer's claims are counted together.
LOOKED_BACK = timedelta(days=1)


def note(applied: Sequence[Applied], *, viewer_id: UUID, provider: str, now: datetime) -> None:
    """Keeps that a viewer was refused what is another's, in a transaction of its own: called after that in which
    nothing was given. The same again on a day is on record already."""
    found = [row for one in applied if (row := _claim(one, viewer_id, provider, now)) is not None]
    # An access token may outlive its viewer.
    if not found or not Viewer.objects.filter(id=viewer_id).exists():
        return
    with transaction.atomic():
        RefusedClaim.objects.bulk_create(found, ignore_conflicts=True)


def crowded(*, now: datetime) -> Sequence[tuple[UUID, int]]:
    """Viewers who handed in more purchases of others within a day than REFUSED_CLAIMS_DAILY, and how many: the most
    first. A sandbox's are its testers' own."""
    found = (
        RefusedClaim.objects.filter(
            environment=Environment.PRODUCTION,
            claimed_at__gt=now - LOOKED_BACK,
            claimed_at__lte=now,
        )
        .values("viewer_id")
        .annotate(count=Count("reference_hash", distinct=True))
        .filter(count__gt=settings.REFUSED_CLAIMS_DAILY)
        .order_by("-count", "viewer_id")
    )
    return list(found.values_list("viewer_id", "count"))


def hash_of(provider: str, name: str) -> str:
    """What stands for a store's name of what it sold."""
    return hashlib.sha256(f"{provider}:{name}".encode()).hexdigest()


def _claim(one: Applied, viewer_id: UUID, provider: str, now: datetime) -> RefusedClaim | None:
    booked = one.subscription or one.bought
    if booked is None or booked.viewer_id == viewer_id:
        return None
    return RefusedClaim(
        viewer_id=viewer_id,
        owner_id=booked.viewer_id,
        provider=provider,
        environment=booked.environment,
        reference_hash=hash_of(provider, one.subject),
        purchase=one.bought if isinstance(one.bought, Purchase) else None,
        pass_purchase=one.bought if isinstance(one.bought, PassPurchase) else None,
        subscription=one.subscription,
        day=now.astimezone(UTC).date(),
        claimed_at=now,
    )
