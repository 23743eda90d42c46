"""What anyone may find: published series, newest first or by a search, and their episodes.

Every page costs a fixed number of queries whatever its size. Rows carry the texts that could serve
the reader's languages in `texts_to_choose_from`.
"""

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Annotated
from uuid import UUID

from django.contrib.postgres.search import SearchRank
from django.db.models import Count, F, IntegerField, OuterRef, Prefetch, Q, Subquery, Value
from django.db.models.functions import Cast, Coalesce
from msgspec import Meta

from catalog import locales, moments, search
from catalog.models import Episode, EpisodeText, Series, SeriesText
from catalog.models.series import SeriesQuerySet
from config import pages
from config.problems import NotFound

TEXTS = "texts_to_choose_from"
RANK_STEPS = 1_000_000

_Rank = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_Number = Annotated[int, Meta(ge=0, le=2**31 - 1)]


def newest(
    *, cursor: str, limit: int, genre: str, asked: Sequence[str]
) -> tuple[Sequence[Series], str | None]:
    """A page of series by first publication, latest first, and the next page's cursor.

    An empty `cursor` starts, an empty `genre` takes all. Raises CursorInvalid.
    """
    found = _shown(asked, genre)
    if cursor:
        published_at, series_id = moments.decode(cursor)
        found = found.filter(published_at__lte=published_at).exclude(
            published_at=published_at, id__gte=series_id
        )
    rows = list(found.order_by("-published_at", "-id")[: limit + 1])
    return pages.cut(rows, limit=limit, position=_position)


def matching(
    *, text: str, cursor: str, limit: int, genre: str, asked: Sequence[str]
) -> tuple[Sequence[Series], str | None]:
    """A page of series that hold every word of `text`, best match first, and the next cursor.

    Raises CursorInvalid.
    """
    query = search.query(text)
    if query is None:
        return [], None
    rank = Cast(SearchRank(F("search"), query) * Value(RANK_STEPS), IntegerField())
    found = _shown(asked, genre).filter(search=query).annotate(rank=rank)
    if cursor:
        after, series_id = pages.decode(cursor, tuple[_Rank, UUID])
        found = found.filter(Q(rank__lt=after) | Q(rank=after, id__lt=series_id))
    rows = list(found.order_by("-rank", "-id")[: limit + 1])
    return pages.cut(rows, limit=limit, position=attrgetter("rank", "id"))


def series(*, series_id: UUID, asked: Sequence[str]) -> Series:
    """One published series. Raises NotFound."""
    row: Series | None = _shown(asked, "").filter(id=series_id).first()
    if row is None:
        raise NotFound
    return row


def by_id(series_ids: Collection[UUID], *, asked: Sequence[str]) -> dict[UUID, Series]:
    """Those of the series that are published, by id."""
    return {row.id: row for row in _shown(asked, "").filter(id__in=series_ids)}


def episodes(
    *, series_id: UUID, cursor: str, limit: int, asked: Sequence[str]
) -> tuple[Series, Sequence[Episode], str | None]:
    """A published series, a page of its playable episodes by number, and the next cursor.

    Raises NotFound or CursorInvalid.
    """
    owner: Series | None = Series.objects.visible().filter(id=series_id).first()
    if owner is None:
        raise NotFound
    texts = EpisodeText.objects.filter(
        locales.rows_that_may_serve(asked, original=owner.original_locale)
    )
    found = (
        Episode.objects.filter(series=owner, state=Episode.State.PUBLISHED)
        .exclude(current_version=None)
        .select_related("current_version")
        .prefetch_related(Prefetch("texts", texts, to_attr=TEXTS))
    )
    if cursor:
        (number,) = pages.decode(cursor, tuple[_Number])
        found = found.filter(number__gt=number)
    rows = list(found.order_by("number")[: limit + 1])
    page, next_cursor = pages.cut(rows, limit=limit, position=lambda row: (row.number,))
    return owner, page, next_cursor


def _shown(asked: Sequence[str], genre: str) -> SeriesQuerySet:
    texts = SeriesText.objects.filter(
        locales.rows_that_may_serve(asked, original=F("series__original_locale"))
    )
    counted = (
        Episode.objects.filter(series=OuterRef("pk"), state=Episode.State.PUBLISHED)
        .order_by()
        .values("series")
        .annotate(count=Count("*"))
        .values("count")
    )
    rows: SeriesQuerySet = (
        Series.objects.visible()
        .select_related("poster")
        .annotate(episode_count=Coalesce(Subquery(counted), 0))
        .prefetch_related(Prefetch("texts", texts, to_attr=TEXTS))
    )
    return rows.filter(genre=genre) if genre else rows


def _position(row: Series) -> tuple[int, str]:
    return moments.position(row.first_published_at, row.id)
