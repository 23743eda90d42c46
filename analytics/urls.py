"""What apps report, and what analysts read of it."""

from django.urls import URLPattern

EVENTS: list[URLPattern] = []
REPORTS: list[URLPattern] = []

urlpatterns = [*EVENTS, *REPORTS]
