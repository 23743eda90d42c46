"""Who may watch what: live entitlements."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from config.compiled_queries import CompiledQuery
from payments.models import Cover, Entitlement


class Held(NamedTuple):
    """A live entitlement, as far as doors ask about it."""

    id: UUID
    episode_id: UUID
    source: str
    ends_at: datetime | None
    first_played_at: datetime | None


def live(
    *, viewer_id: UUID, environment: str, series_id: UUID, at: datetime
) -> Mapping[UUID, Held]:
    """The viewer's live entitlements of a series, by episode."""
    rows = _LIVE.rows(viewer_id=viewer_id, environment=environment, series_id=series_id, at=at)
    return {held.episode_id: held for held in map(Held._make, rows)}


def is_covered(*, viewer_id: UUID, environment: str, at: datetime) -> bool:
    """Whether a subscription or pass opens every episode for the viewer at a moment."""
    return _COVERING.first(viewer_id=viewer_id, environment=environment, at=at) is not None


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


def mark_played(entitlements: Collection[Entitlement | Held], *, now: datetime) -> frozenset[UUID]:
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


def _live(
    *, viewer_id: UUID, environment: str, series_id: UUID, at: datetime
) -> QuerySet[Any, Any]:
    return Entitlement.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=at),
        viewer_id=viewer_id,
        environment=environment,
        series_id=series_id,
        closed_at__isnull=True,
    ).values_list(*Held._fields)


def _covering(*, viewer_id: UUID, environment: str, at: datetime) -> QuerySet[Any, Any]:
    return Cover.objects.filter(
        viewer_id=viewer_id,
        environment=environment,
        closed_at__isnull=True,
        starts_at__lte=at,
        ends_at__gt=at,
    ).values_list("id")[:1]


_LIVE = CompiledQuery(_live, viewer_id=UUID, environment=str, series_id=UUID, at=datetime)
_COVERING = CompiledQuery(_covering, viewer_id=UUID, environment=str, at=datetime)
