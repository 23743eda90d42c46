"""What analysts read: parse, one domain call, render as JSON or CSV."""

from datetime import datetime
from typing import TypeVar

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from analytics.reports import beats, cuts, funnels, retention, revenue, sources, tables
from analytics.reports.beats import BeatReport
from analytics.reports.funnels import FunnelReport
from analytics.reports.questions import (
    BeatsQuery,
    FunnelQuery,
    ReportQuery,
    RetentionQuery,
    RevenueQuery,
)
from analytics.reports.report import Report
from analytics.reports.retention import FirstOpenFilter, RetentionReport
from analytics.reports.revenue import RevenueReport
from config import csv_files
from config.csv_files import Format
from config.endpoints import operation
from config.problems import NotFound
from viewers.authentication import AnalystEndpoint

CSV = ("text/csv",)
AnyReport = TypeVar("AnyReport", bound=Report)


class RetentionEndpoint(AnalystEndpoint):
    @operation(summary="Who came back", query=RetentionQuery, answer=RetentionReport, also_as=CSV)
    def get(
        self, request: Request, *, now: datetime, query: RetentionQuery
    ) -> RetentionReport | HttpResponse:
        """Cohorts of viewers by their first open, and how many were active at each offset.

        A cell is null until every member of the cohort has had the whole window, never 0.
        """
        only = FirstOpenFilter(
            channel=query.channel or None,
            country=query.country or None,
            platform=query.platform or None,
        )
        with sources.opened(now=now) as source:
            report = retention.matrix(
                source=source, by=query.by, mode=query.mode, horizon=query.horizon, only=only
            )
        return _rendered(report, query, "retention")


class PaywallFunnelEndpoint(AnalystEndpoint):
    @operation(summary="How far starters come", query=FunnelQuery, answer=FunnelReport, also_as=CSV)
    def get(
        self, request: Request, *, now: datetime, query: FunnelQuery
    ) -> FunnelReport | HttpResponse:
        """From the start of a series to its paywall, past it, and into what was unlocked."""
        with sources.opened(now=now) as source:
            report = funnels.paywall(source=source, series_id=query.series_id or None)
        return _rendered(report, query, "paywall-funnel")


class BeatsEndpoint(AnalystEndpoint):
    @operation(
        summary="Where viewers leave",
        query=BeatsQuery,
        answer=BeatReport,
        refusals=(NotFound,),
        also_as=CSV,
    )
    def get(
        self, request: Request, *, now: datetime, query: BeatsQuery
    ) -> BeatReport | HttpResponse:
        """How each beat is left in the first pass, who is still there, and the unlocks booked on it."""
        if query.version_id:
            shown = cuts.of_version(query.version_id, series_id=query.series_id)
        else:
            shown = cuts.of_series(query.series_id)
        with sources.opened(now=now) as source:
            report = beats.curves(source=source, of=shown, currency=settings.REPORTING_CURRENCY)
        return _rendered(report, query, "beats")


class TitleRevenueEndpoint(AnalystEndpoint):
    @operation(summary="What titles earned", query=RevenueQuery, answer=RevenueReport, also_as=CSV)
    def get(
        self, request: Request, *, now: datetime, query: RevenueQuery
    ) -> RevenueReport | HttpResponse:
        """From the ledger, by local day and title; titles and unattributed are all of it."""
        with sources.ledger(now=now) as source:
            report = revenue.by_title(
                source=source,
                currency=settings.REPORTING_CURRENCY,
                since=query.since or None,
                until=query.until or None,
                series_id=query.series_id or None,
            )
        return _rendered(report, query, "title-revenue")


def _rendered(report: AnyReport, query: ReportQuery, name: str) -> AnyReport | HttpResponse:
    if query.format is Format.JSON:
        return report
    disposition = f'attachment; filename="{name}.csv"'
    return HttpResponse(
        csv_files.write(tables.of(report)),
        content_type=csv_files.CONTENT_TYPE,
        headers={"Content-Disposition": disposition},
    )
