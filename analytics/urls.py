"""What apps report, and what analysts read of it."""

from django.urls import path

from analytics.views.dashboard import DashboardEndpoint
from analytics.views.events import Events
from analytics.views.exports import ExportEndpoint, ExportFile, Exports
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
    OfferChoiceEndpoint,
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
    path("analytics/offer-choice", OfferChoiceEndpoint.as_view()),
    path("analytics/survival", SurvivalEndpoint.as_view()),
    path("analytics/beats", BeatsEndpoint.as_view()),
    path("analytics/heat", HeatEndpoint.as_view()),
    path("analytics/revenue", TitleRevenueEndpoint.as_view()),
    path("analytics/money", MoneyEndpoint.as_view()),
    path("analytics/ads", AdsEndpoint.as_view()),
    path("analytics/charts", ChartsEndpoint.as_view()),
    path("analytics/quality", QualityEndpoint.as_view()),
    path("analytics/dashboard", DashboardEndpoint.as_view()),
]
EXPORTS = [
    path("analytics/exports", Exports.as_view()),
    path("analytics/exports/<uuid:export_id>", ExportEndpoint.as_view()),
    path("analytics/exports/<uuid:export_id>/file", ExportFile.as_view()),
]
FEEDBACK = [
    path("pipeline/rankings", RankingsEndpoint.as_view()),
    path("pipeline/series/<str:external_id>/beats", SeriesBeatsEndpoint.as_view()),
]

urlpatterns = [*EVENTS, *REPORTS, *EXPORTS, *FEEDBACK]
