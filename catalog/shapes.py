"""What the catalog endpoints take and answer."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from catalog.models import MediaAsset, ProvenanceKind, Series
from config.bodies import AnswerShape, RequestShape

PAGE_ROWS = 20
MAXIMUM_PAGE_ROWS = 100
LONGEST_EPISODE_MS = 24 * 3600 * 1000

Moment = Annotated[datetime, Meta(tz=True)]
Cursor = Annotated[str, Meta(max_length=200)]
Limit = Annotated[int, Meta(ge=1, le=MAXIMUM_PAGE_ROWS)]
LocaleWanted = Annotated[
    str,
    Meta(
        max_length=35,
        pattern=r"^([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*)?$(?!\n)",
        description="A BCP 47 tag; it goes before Accept-Language. What is missing in it is shown "
        "in the series' original locale.",
    ),
]


class SeriesQuery(RequestShape):
    """With `q`, best match first; without, newest first. Pass `next_cursor` on as `cursor`."""

    cursor: Cursor = ""
    limit: Limit = PAGE_ROWS
    genre: Annotated[str, Meta(max_length=60)] = ""
    locale: LocaleWanted = ""
    q: Annotated[str, Meta(max_length=100)] = ""


class OneSeriesQuery(RequestShape):
    locale: LocaleWanted = ""


class EpisodesQuery(RequestShape):
    cursor: Cursor = ""
    limit: Limit = PAGE_ROWS
    locale: LocaleWanted = ""


class ProvenanceAnswer(AnswerShape):
    """`content_label` is what viewers must be told about how this was made, or empty."""

    kind: ProvenanceKind
    content_label: str


class SeriesAnswer(AnswerShape):
    """`locale` is the one that title and synopsis are in."""

    id: UUID
    title: str
    synopsis: str
    locale: str
    original_locale: str
    genre: str
    tags: list[str]
    release_year: int | None
    country: str
    studio: str
    poster_url: str | None
    provenance: ProvenanceAnswer
    episode_count: int
    published_at: Moment


class SeriesPage(AnswerShape):
    series: list[SeriesAnswer]
    next_cursor: str | None


class EpisodeAnswer(AnswerShape):
    """What may be told of an episode to anyone: nothing here leads to its media."""

    id: UUID
    number: int
    title: str
    synopsis: str
    locale: str
    duration_ms: int
    provenance: ProvenanceAnswer


class EpisodePage(AnswerShape):
    series_id: UUID
    episodes: list[EpisodeAnswer]
    next_cursor: str | None


class PushedEpisode(AnswerShape):
    external_id: str
    episode_id: UUID
    version_id: UUID | None


class SeriesPushed(AnswerShape):
    """`unchanged` when the same push had been applied before. `state` is the one it is in now."""

    series_id: UUID
    external_id: str
    state: Series.State
    created: bool
    unchanged: bool
    episodes: list[PushedEpisode]


class MediaKept(AnswerShape):
    """`unchanged` when the file was already here."""

    sha256: str
    size_bytes: int
    content_type: str
    purpose: MediaAsset.Purpose
    unchanged: bool


class FeedQuery(RequestShape):
    """`after` goes on from an earlier decision of the viewer, without what was shown until there."""

    limit: Annotated[int, Meta(ge=1, le=20)] = 10
    after: Annotated[
        str,
        Meta(
            max_length=36,
            pattern=r"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$(?!\n)",
            description="A decision id; empty begins a feed.",
        ),
    ] = ""
    locale: LocaleWanted = ""


class FeedSlot(AnswerShape):
    """A place in the feed, from 0 on through all its pages. Report impressions with it.

    `propensity` is the probability with which this slot drew this series, after those before it.
    """

    slot: int
    series: SeriesAnswer
    propensity: float


class FeedAnswer(AnswerShape):
    """`decision_id` goes into what is reported of these slots, and into `after` for the next ones."""

    decision_id: UUID
    slots: list[FeedSlot]
    has_more: bool


class OwnListQuery(RequestShape):
    cursor: Cursor = ""
    limit: Limit = PAGE_ROWS
    locale: LocaleWanted = ""


class PositionPut(RequestShape):
    """`position_ms` is in the episode's story."""

    series_id: UUID
    episode_id: UUID
    position_ms: Annotated[int, Meta(ge=0, le=LONGEST_EPISODE_MS)]


class PositionAnswer(AnswerShape):
    series_id: UUID
    episode_id: UUID
    episode_number: int
    position_ms: int
    updated_at: Moment


class HistoryRow(PositionAnswer):
    series: SeriesAnswer


class HistoryPage(AnswerShape):
    history: list[HistoryRow]
    next_cursor: str | None


class FavoritePut(RequestShape):
    series_id: UUID
    is_favorite: bool


class FavoriteAnswer(AnswerShape):
    series_id: UUID
    is_favorite: bool


class FavoritesRow(AnswerShape):
    series: SeriesAnswer
    added_at: Moment


class FavoritesPage(AnswerShape):
    favorites: list[FavoritesRow]
    next_cursor: str | None
