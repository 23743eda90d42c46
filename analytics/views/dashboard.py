"""What dashboards show: parse, one domain call, render as JSON or as a file."""

from datetime import datetime

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from analytics.reports.refusals import ReportImpossible
from analytics.rollups import dashboard
from analytics.rollups.dashboard import DashboardQuery, DashboardReport
from analytics.views.reports import as_file
from config.endpoints import operation
from config.table_files import FILE_TYPES, TableFormat
from viewers.authentication import AnalystEndpoint


class DashboardEndpoint(AnalystEndpoint):
    @operation(
        summary="What dashboards show",
        query=DashboardQuery,
        answer=DashboardReport,
        refusals=(ReportImpossible,),
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: DashboardQuery
    ) -> DashboardReport | HttpResponse:
        """Metrics by local day or hour, with how far each is filled. Quick: it reads neither lake nor ledger."""
        report = dashboard.read(query, zone=settings.REPORTING_ZONE, now=now)
        if query.format is TableFormat.JSON:
            return report
        return as_file(dashboard.table(report), query.format, name="dashboard")
