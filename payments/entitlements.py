"""Who may watch what: live entitlements."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from payments.models import Entitlement


def live(
    *, viewer_id: UUID, environment: str, series_id: UUID, at: datetime
) -> dict[UUID, Entitlement]:
    """The viewer's live entitlements of a series, by episode."""
    found = Entitlement.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=at),
        viewer_id=viewer_id,
        environment=environment,
        series_id=series_id,
        closed_at__isnull=True,
    )
    return {entitlement.episode_id: entitlement for entitlement in found}


def mark_played(entitlements: Collection[Entitlement], *, now: datetime) -> None:
    """Keeps the moment the first playback URL was issued: from then on it counts as watched."""
    unplayed = [entitlement.id for entitlement in entitlements if not entitlement.first_played_at]
    if unplayed:
        Entitlement.objects.filter(id__in=unplayed, first_played_at__isnull=True).update(
            first_played_at=now
        )
