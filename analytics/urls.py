"""What apps report, and what analysts read of it."""

from django.urls import path

from analytics.views.events import Events
from analytics.views.pipeline import RankingsEndpoint, SeriesBeatsEndpoint
from analytics.views.reports import (
    AdsEndpoint,
    ArpuEndpoint,
    BeatsEndpoint,
    ChartsEndpoint,
    EncountersEndpoint,
    HeatEndpoint,
    LtvEndpoint,
    MoneyEndpoint,
    PaywallFunnelEndpoint,
    QualityEndpoint,
    RepurchaseEndpoint,
    RetentionEndpoint,
    RhythmEndpoint,
    StepsEndpoint,
    SurvivalEndpoint,
    TitleRevenueEndpoint,
)

EVENTS = [path("events", Events.as_view())]
REPORTS = [
    path("analytics/retention", RetentionEndpoint.as_view()),
    path("analytics/ltv", LtvEndpoint.as_view()),
    path("analytics/arpu", ArpuEndpoint.as_view()),
    path("analytics/repurchase", RepurchaseEndpoint.as_view()),
    path("analytics/rhythm", RhythmEndpoint.as_view()),
    path("analytics/funnels", StepsEndpoint.as_view()),
    path("analytics/funnels/paywall", PaywallFunnelEndpoint.as_view()),
    path("analytics/encounters", EncountersEndpoint.as_view()),
    path("analytics/survival", SurvivalEndpoint.as_view()),
    path("analytics/beats", BeatsEndpoint.as_view()),
    path("analytics/heat", HeatEndpoint.as_view()),
    path("analytics/revenue", TitleRevenueEndpoint.as_view()),
    path("analytics/money", MoneyEndpoint.as_view()),
    path("analytics/ads", AdsEndpoint.as_view()),
    path("analytics/charts", ChartsEndpoint.as_view()),
    path("analytics/quality", QualityEndpoint.as_view()),
]
FEEDBACK = [
    path("pipeline/rankings", RankingsEndpoint.as_view()),
    path("pipeline/series/<str:external_id>/beats", SeriesBeatsEndpoint.as_view()),
]

urlpatterns = [*EVENTS, *REPORTS, *FEEDBACK]
