"""What apps report, and what analysts read of it."""

from django.urls import path

from analytics.views.events import Events
from analytics.views.pipeline import RankingsEndpoint, SeriesBeatsEndpoint
from analytics.views.reports import (
    BeatsEndpoint,
    PaywallFunnelEndpoint,
    RetentionEndpoint,
    TitleRevenueEndpoint,
)

EVENTS = [path("events", Events.as_view())]
REPORTS = [
    path("analytics/retention", RetentionEndpoint.as_view()),
    path("analytics/funnels/paywall", PaywallFunnelEndpoint.as_view()),
    path("analytics/beats", BeatsEndpoint.as_view()),
    path("analytics/revenue", TitleRevenueEndpoint.as_view()),
]
FEEDBACK = [
    path("pipeline/rankings", RankingsEndpoint.as_view()),
    path("pipeline/series/<str:external_id>/beats", SeriesBeatsEndpoint.as_view()),
]

urlpatterns = [*EVENTS, *REPORTS, *FEEDBACK]
