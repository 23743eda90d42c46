"""What the catalog endpoints take and answer."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from catalog.models import MediaAsset, ProvenanceKind, Series
from config.bodies import AnswerShape, RequestShape

PAGE_ROWS = 20
MAXIMUM_PAGE_ROWS = 100

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
