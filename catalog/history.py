"""Where a viewer stands in each series: continue watching, on any device."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from catalog import moments
from catalog.models import Episode, Series, WatchPosition
from config import pages
from config.problems import Problem

#: The series least recently watched falls out.
KEPT_SERIES = 1000


class SeriesUnavailable(Problem):
    code = "series_unavailable"
    title = "There is no such series, or no such episode of it, or it is not published"


def page(*, viewer_id: UUID, cursor: str, limit: int) -> tuple[Sequence[WatchPosition], str | None]:
    """A page of positions with their episodes, last watched first, and the next page's cursor.

    What is withdrawn, the series or the episode, is left out until it is back. Raises CursorInvalid.
    """
    found = WatchPosition.objects.filter(
        viewer_id=viewer_id,
        series__state=Series.State.PUBLISHED,
        episode__state=Episode.State.PUBLISHED,
    ).select_related("episode")
    if cursor:
        moment, row_id = moments.decode(cursor)
        found = found.filter(updated_at__lte=moment).exclude(updated_at=moment, id__gte=row_id)
    rows = list(found.order_by("-updated_at", "-id")[: limit + 1])
    return pages.cut(
        rows, limit=limit, position=lambda row: moments.position(row.updated_at, row.id)
    )


def put(
    *, viewer_id: UUID, series_id: UUID, episode_id: UUID, position_ms: int, now: datetime
) -> WatchPosition:
    """Notes where the viewer stands; what was noted later than `now` stays.

    Answers what is noted afterwards. Raises SeriesUnavailable.
    """
    is_published = Episode.objects.filter(
        id=episode_id,
        series_id=series_id,
        state=Episode.State.PUBLISHED,
        series__state=Series.State.PUBLISHED,
    ).exists()
    if not is_published:
        raise SeriesUnavailable
    own = WatchPosition.objects.filter(viewer_id=viewer_id, series_id=series_id)
    noted = {"episode_id": episode_id, "position_ms": position_ms, "updated_at": now}
    if not own.filter(updated_at__lte=now).update(**noted):
        first = WatchPosition(viewer_id=viewer_id, series_id=series_id, **noted)
        WatchPosition.objects.bulk_create([first], ignore_conflicts=True)
        # A twin may have been first, and be older.
        own.filter(updated_at__lt=now).update(**noted)
        _forget_oldest(viewer_id, but=series_id)
    return own.select_related("episode").get()


def _forget_oldest(viewer_id: UUID, *, but: UUID) -> None:
    rows = WatchPosition.objects.filter(viewer_id=viewer_id).exclude(series_id=but)
    too_many = rows.order_by("-updated_at", "-id").values("id")[KEPT_SERIES - 1 :]
    rows.filter(id__in=too_many).delete()
