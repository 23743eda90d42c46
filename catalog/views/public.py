"""What anyone may read of the catalog. The answer is the same for everyone and may be cached."""

from datetime import datetime
from uuid import UUID

from rest_framework.request import Request

from catalog import browsing
from catalog.rendering import asked_by, episode_answers, series_answer
from catalog.shapes import (
    EpisodePage,
    EpisodesQuery,
    OneSeriesQuery,
    SeriesAnswer,
    SeriesPage,
    SeriesQuery,
)
from config.endpoints import Endpoint, operation
from config.pages import CursorInvalid
from config.problems import NotFound


class SeriesListEndpoint(Endpoint):
    @operation(
        summary="Find series",
        query=SeriesQuery,
        answer=SeriesPage,
        refusals=(CursorInvalid,),
    )
    def get(self, request: Request, *, now: datetime, query: SeriesQuery) -> SeriesPage:
        """Published series: newest first, or with `q` those that hold all its words, best first."""
        asked = asked_by(request, query.locale)
        if query.q:
            rows, next_cursor = browsing.matching(
                text=query.q,
                cursor=query.cursor,
                limit=query.limit,
                genre=query.genre,
                asked=asked,
            )
        else:
            rows, next_cursor = browsing.newest(
                cursor=query.cursor, limit=query.limit, genre=query.genre, asked=asked
            )
        return SeriesPage(
            series=[series_answer(row, asked=asked) for row in rows], next_cursor=next_cursor
        )


class SeriesEndpoint(Endpoint):
    @operation(
        summary="Read a series", query=OneSeriesQuery, answer=SeriesAnswer, refusals=(NotFound,)
    )
    def get(
        self, request: Request, *, now: datetime, query: OneSeriesQuery, series_id: UUID
    ) -> SeriesAnswer:
        """A published series."""
        asked = asked_by(request, query.locale)
        return series_answer(browsing.series(series_id=series_id, asked=asked), asked=asked)


class EpisodesEndpoint(Endpoint):
    @operation(
        summary="List the episodes of a series",
        query=EpisodesQuery,
        answer=EpisodePage,
        refusals=(NotFound, CursorInvalid),
    )
    def get(
        self, request: Request, *, now: datetime, query: EpisodesQuery, series_id: UUID
    ) -> EpisodePage:
        """By number. Nothing here leads to the media of an episode, locked or not."""
        asked = asked_by(request, query.locale)
        series, rows, next_cursor = browsing.episodes(
            series_id=series_id, cursor=query.cursor, limit=query.limit, asked=asked
        )
        return EpisodePage(
            series_id=series.id,
            episodes=episode_answers(rows, series=series, asked=asked),
            next_cursor=next_cursor,
        )
