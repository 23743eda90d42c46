"""Under /v1/."""

from django.urls import path

from catalog.views import feed, pipeline, watching
from catalog.views import public as reads
from config.public import public

READ_SECONDS = 30
_for_anyone = public(seconds=READ_SECONDS)

urlpatterns = [
    path("series", _for_anyone(reads.SeriesListEndpoint.as_view())),
    path("series/<uuid:series_id>", _for_anyone(reads.SeriesEndpoint.as_view())),
    path("series/<uuid:series_id>/episodes", _for_anyone(reads.EpisodesEndpoint.as_view())),
    path("feed", feed.FeedEndpoint.as_view()),
    path("me/history", watching.MyHistory.as_view()),
    path("me/favorites", watching.MyFavorites.as_view()),
    path("pipeline/series/<str:external_id>", pipeline.SeriesPushEndpoint.as_view()),
    path("pipeline/media/<str:sha256>", pipeline.MediaUploadEndpoint.as_view()),
]
