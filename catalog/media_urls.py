"""Where the service hands out media itself, outside the versioned API."""

from django.urls import path

from catalog.views import delivery

urlpatterns = [
    path("media/posters/<str:name>", delivery.PosterEndpoint.as_view()),
    path("media/video/<str:token>", delivery.VideoEndpoint.as_view()),
]
