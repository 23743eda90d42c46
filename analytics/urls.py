"""What apps report, and what analysts read of it."""

from django.urls import URLPattern, path

from analytics.views.events import Events

EVENTS = [path("events", Events.as_view())]
REPORTS: list[URLPattern] = []

urlpatterns = [*EVENTS, *REPORTS]
