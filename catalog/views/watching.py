"""History and favorites of the viewer who asks."""

from datetime import datetime

from rest_framework.request import Request

from catalog import browsing, favorites, history
from catalog.history import SeriesUnavailable
from catalog.rendering import asked_by, series_answer
from catalog.shapes import (
    FavoriteAnswer,
    FavoritePut,
    FavoritesPage,
    FavoritesRow,
    HistoryPage,
    HistoryRow,
    OwnListQuery,
    PositionAnswer,
    PositionPut,
)
from config.endpoints import operation
from config.pages import CursorInvalid
from viewers.authentication import ViewerEndpoint


class MyHistory(ViewerEndpoint):
    @operation(
        summary="Where the viewer stands in each series",
        query=OwnListQuery,
        answer=HistoryPage,
        refusals=[CursorInvalid],
    )
    def get(self, request: Request, *, now: datetime, query: OwnListQuery) -> HistoryPage:
        """Last watched first. Where the series or that episode is withdrawn, the place is left out
        until both are back."""
        asked = asked_by(request, query.locale)
        rows, next_cursor = history.page(
            viewer_id=self.viewer.viewer_id, cursor=query.cursor, limit=query.limit
        )
        series = browsing.by_id([row.series_id for row in rows], asked=asked)
        return HistoryPage(
            history=[
                HistoryRow(
                    series_id=row.series_id,
                    series=series_answer(series[row.series_id], asked=asked),
                    episode_id=row.episode_id,
                    episode_number=row.episode.number,
                    position_ms=row.position_ms,
                    updated_at=row.updated_at,
                )
                for row in rows
                if row.series_id in series
            ],
            next_cursor=next_cursor,
        )

    @operation(
        summary="Note where the viewer stands in a series",
        body=PositionPut,
        answer=PositionAnswer,
        refusals=[SeriesUnavailable],
    )
    def put(self, request: Request, *, now: datetime, body: PositionPut) -> PositionAnswer:
        """One place for each series; the last write by our clock stays, and is answered. Of more
        than 1,000 series the one least recently watched is forgotten."""
        row = history.put(
            viewer_id=self.viewer.viewer_id,
            series_id=body.series_id,
            episode_id=body.episode_id,
            position_ms=body.position_ms,
            now=now,
        )
        return PositionAnswer(
            series_id=row.series_id,
            episode_id=row.episode_id,
            episode_number=row.episode.number,
            position_ms=row.position_ms,
            updated_at=row.updated_at,
        )


class MyFavorites(ViewerEndpoint):
    @operation(
        summary="The viewer's favorites",
        query=OwnListQuery,
        answer=FavoritesPage,
        refusals=[CursorInvalid],
    )
    def get(self, request: Request, *, now: datetime, query: OwnListQuery) -> FavoritesPage:
        """Latest first. Series that are withdrawn are left out until they are back."""
        asked = asked_by(request, query.locale)
        rows, next_cursor = favorites.page(
            viewer_id=self.viewer.viewer_id, cursor=query.cursor, limit=query.limit
        )
        series = browsing.by_id([row.series_id for row in rows], asked=asked)
        return FavoritesPage(
            favorites=[
                FavoritesRow(
                    series=series_answer(series[row.series_id], asked=asked),
                    added_at=row.created_at,
                )
                for row in rows
                if row.series_id in series
            ],
            next_cursor=next_cursor,
        )

    @operation(
        summary="Add or remove a favorite",
        body=FavoritePut,
        answer=FavoriteAnswer,
        refusals=[SeriesUnavailable, favorites.FavoritesFull],
    )
    def put(self, request: Request, *, now: datetime, body: FavoritePut) -> FavoriteAnswer:
        """The same call again changes nothing. Only a published series can be added; removing
        always works. A viewer has 1,000 favorites at most."""
        viewer_id = self.viewer.viewer_id
        if body.is_favorite:
            favorites.add(viewer_id=viewer_id, series_id=body.series_id, now=now)
        else:
            favorites.remove(viewer_id=viewer_id, series_id=body.series_id)
        return FavoriteAnswer(series_id=body.series_id, is_favorite=body.is_favorite)
