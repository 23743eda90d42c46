"""The series that a viewer wants to find again."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from catalog import moments
from catalog.history import SeriesUnavailable
from catalog.models import Favorite, Series
from config import pages
from config.problems import Problem

#: Against a list without end; requests at the very same moment may pass it by a few.
MOST_FAVORITES = 1000


class FavoritesFull(Problem):
    code = "favorites_full"
    title = "A viewer has so many favorites and no more; take one out first"


def page(*, viewer_id: UUID, cursor: str, limit: int) -> tuple[Sequence[Favorite], str | None]:
    """A page of favorites, latest first, and the next page's cursor.

    What is withdrawn is left out until it is back. Raises CursorInvalid.
    """
    found = Favorite.objects.filter(viewer_id=viewer_id, series__state=Series.State.PUBLISHED)
    if cursor:
        moment, row_id = moments.decode(cursor)
        found = found.filter(created_at__lte=moment).exclude(created_at=moment, id__gte=row_id)
    rows = list(found.order_by("-created_at", "-id")[: limit + 1])
    return pages.cut(
        rows, limit=limit, position=lambda row: moments.position(row.created_at, row.id)
    )


def add(*, viewer_id: UUID, series_id: UUID, now: datetime) -> None:
    """Makes a published series a favorite. Again it changes nothing, not even its place.

    Raises SeriesUnavailable, and FavoritesFull with the `limit`.
    """
    if not Series.objects.visible().filter(id=series_id).exists():
        raise SeriesUnavailable
    own = Favorite.objects.filter(viewer_id=viewer_id)
    if own.filter(series_id=series_id).exists():
        return
    if own.count() >= MOST_FAVORITES:
        raise FavoritesFull(limit=MOST_FAVORITES)
    row = Favorite(viewer_id=viewer_id, series_id=series_id, created_at=now)
    Favorite.objects.bulk_create([row], ignore_conflicts=True)


def remove(*, viewer_id: UUID, series_id: UUID) -> None:
    """A favorite no longer, whatever has become of the series. Again it changes nothing."""
    Favorite.objects.filter(viewer_id=viewer_id, series_id=series_id).delete()
