"""What dashboards show: parse, one domain call, render as JSON or CSV."""

from datetime import datetime

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from analytics.reports.refusals import ReportImpossible
from analytics.rollups import dashboard
from analytics.rollups.dashboard import DashboardQuery, DashboardReport
from analytics.views.reports import CSV
from config import csv_files
from config.csv_files import Format
from config.endpoints import operation
from viewers.authentication import AnalystEndpoint


class DashboardEndpoint(AnalystEndpoint):
    @operation(
        summary="What dashboards show",
        query=DashboardQuery,
        answer=DashboardReport,
        refusals=(ReportImpossible,),
        also_as=CSV,
    )
    def get(
        self, request: Request, *, now: datetime, query: DashboardQuery
    ) -> DashboardReport | HttpResponse:
        """Metrics by local day or hour, with how far each is filled. Quick: it reads neither lake nor ledger."""
        report = dashboard.read(query, zone=settings.REPORTING_ZONE, now=now)
        if query.format is Format.JSON:
            return report
        return HttpResponse(
            csv_files.write(dashboard.table(report)),
            content_type=csv_files.CONTENT_TYPE,
            headers={"Content-Disposition": 'attachment; filename="dashboard.csv"'},
        )
