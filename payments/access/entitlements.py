"""Who may watch what: live entitlements."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Q

from payments.models import Cover, Entitlement


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


def is_covered(*, viewer_id: UUID, environment: str, at: datetime) -> bool:
    """Whether a subscription or pass opens every episode for the viewer at a moment."""
    return Cover.objects.filter(
        viewer_id=viewer_id,
        environment=environment,
        closed_at__isnull=True,
        starts_at__lte=at,
        ends_at__gt=at,
    ).exists()


def open_covered(
    *,
    viewer_id: UUID,
    environment: str,
    series_id: UUID,
    episode_ids: Sequence[UUID],
    now: datetime,
) -> Sequence[UUID]:
    """Opens those of a series' published episodes that a cover opens, until its end; returns them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payments_open_covered(%s, %s, %s, %s::uuid[], %s)",
            [viewer_id, environment, series_id, list(episode_ids), now],
        )
        (opened,) = cursor.fetchone()
    return list(opened)


def mark_played(entitlements: Collection[Entitlement], *, now: datetime) -> frozenset[UUID]:
    """Keeps the moment the first playback URL was issued: from then on it counts as watched.

    Returns the entitlements that still stand. One that a refund closes at this moment is not among
    them: either it is marked first, and the refund leaves it, or it is closed, and nobody plays it.
    """
    wanted = {entitlement.id for entitlement in entitlements}
    unplayed = [entitlement.id for entitlement in entitlements if not entitlement.first_played_at]
    if not unplayed:
        return frozenset(wanted)
    with connection.cursor() as cursor:
        cursor.execute("SELECT payments_mark_played(%s, %s)", [unplayed, now])
        marked = {row[0] for row in cursor.fetchall()}
    return frozenset(wanted - set(unplayed) | marked)
