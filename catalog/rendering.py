"""Rows to answers, in the locale that suits the reader."""

from collections.abc import Iterable, Sequence

from rest_framework.request import Request

from catalog import locales
from catalog.browsing import TEXTS
from catalog.media import poster_url
from catalog.models import Episode, EpisodeVersion, Provenance, ProvenanceKind, Series
from catalog.models.locales import Text
from catalog.shapes import EpisodeAnswer, ProvenanceAnswer, SeriesAnswer


def asked_by(request: Request, locale: str) -> tuple[str, ...]:
    """The locales that a reader asks for, best first: by the parameter, else by the header."""
    return locales.preferences(
        locale=locale, accept_language=request.headers.get("Accept-Language", "")
    )


def series_answer(row: Series, *, asked: Sequence[str]) -> SeriesAnswer:
    """A series as anyone may see it."""
    text = _text(row, asked, row.original_locale)
    return SeriesAnswer(
        id=row.id,
        title=text.title if text else "",
        synopsis=text.synopsis if text else "",
        locale=text.locale if text else row.original_locale,
        original_locale=row.original_locale,
        genre=row.genre,
        tags=row.tags,
        release_year=row.release_year,
        country=row.country,
        studio=row.studio,
        poster_url=poster_url(row.poster),
        provenance=_provenance(row),
        episode_count=row.episode_count,
        published_at=row.first_published_at,
    )


def episode_answers(
    rows: Iterable[Episode], *, series: Series, asked: Sequence[str]
) -> list[EpisodeAnswer]:
    """Episodes as anyone may see them, owned or not."""
    return [
        _episode_answer(row, version, series=series, asked=asked)
        for row in rows
        if (version := row.current_version)
    ]


def _episode_answer(
    row: Episode, version: EpisodeVersion, *, series: Series, asked: Sequence[str]
) -> EpisodeAnswer:
    text = _text(row, asked, series.original_locale)
    return EpisodeAnswer(
        id=row.id,
        number=row.number,
        title=text.title if text else "",
        synopsis=text.synopsis if text else "",
        locale=text.locale if text else series.original_locale,
        duration_ms=version.duration_ms,
        provenance=_provenance(version),
    )


def _text(row: Series | Episode, asked: Sequence[str], original: str) -> Text | None:
    texts: dict[str, Text] = {text.locale: text for text in getattr(row, TEXTS)}
    return texts.get(locales.negotiate(texts, asked=asked, original=original))


def _provenance(row: Provenance) -> ProvenanceAnswer:
    return ProvenanceAnswer(
        kind=ProvenanceKind(row.provenance_kind), content_label=row.content_label
    )
