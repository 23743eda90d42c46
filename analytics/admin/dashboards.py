"""The page of dashboards: money, viewers and watching by day, and how far each of their metrics is filled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.generic import TemplateView
from unfold.admin import ModelAdmin

from analytics.admin import filled, home, plots
from analytics.models import RollupCheck
from analytics.rollups import dashboard, reading, slices
from analytics.rollups.metrics import METRICS, Dimension
from analytics.rollups.slices import Grain
from config import clock
from payments.admin import formats
from payments.money import PARTS_PER_MILLION

URL_NAME = "analytics_rolluphour_dashboards"
DAYS = (7, 30, 90)
_COLOURS = ("var(--color-primary-600)", "#f59e0b", "#10b981", "#ef4444")
_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True)
class Chart:
    """A stack for each metric, or for each value of the one dimension that a single metric is split by."""

    title: str
    permission: str
    metrics: Sequence[str]
    split: Dimension | None = None
    unit: int = 1

    def drawn(self, days: Sequence[date]) -> dict[str, Any]:
        """The chart as the template shows it."""
        bounds = slices.bounds(days[0], days[-1], Grain.DAY, zone=settings.REPORTING_ZONE)
        sums = reading.sums(self.metrics, bounds, split=self.split)
        stacks: dict[str, dict[date, int]] = {} if self.split else {n: {} for n in self.metrics}
        for (name, bucket, part), total in sorted(sums.items()):
            stacks.setdefault(part if self.split else name, {})[days[bucket]] = total
        shown = [
            (title.replace("_", " "), counts, _COLOURS[number % len(_COLOURS)])
            for number, (title, counts) in enumerate(stacks.items())
        ]
        return {
            "title": self.title,
            "total": self._total(sum(sums.values())),
            "bars": plots.bars(shown, days=days, unit=self.unit),
            "notes": filled.notes(self.metrics, since=bounds[0], until=bounds[-1]),
        }

    def _total(self, total: int) -> str:
        return formats.cents(total) if self.unit == PARTS_PER_MILLION else f"{total // self.unit:,}"


MONEY, EVENTS = "payments.view_unlock", "analytics.view_rolluphour"
CHARTS = (
    Chart("Gross billings", MONEY, ["gross_billings"], Dimension.SOURCE, PARTS_PER_MILLION),
    Chart("Recognised revenue", MONEY, ["recognised_revenue"], Dimension.SOURCE, PARTS_PER_MILLION),
    Chart("Went back to viewers", MONEY, ["refunds"], Dimension.SOURCE, PARTS_PER_MILLION),
    Chart("Active viewers by day", EVENTS, ["active_viewers"], Dimension.PLATFORM),
    Chart("New viewers", EVENTS, ["new_viewers"], Dimension.PLATFORM),
    Chart("Starts of titles", EVENTS, ["starts"]),
    Chart("Hours watched", EVENTS, ["watch_time"], None, _MS_PER_HOUR),
    Chart("Paywalls shown, and unlocks", MONEY, ["paywalls_shown", "coin_unlocks", "ad_unlocks"]),
    Chart("Events, in time and late", EVENTS, ["events", "late_events"]),
)


class DashboardsPage(TemplateView):
    """The charts that this operator may see, of the last 7, 30 or 90 local days."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    template_name = "admin/analytics/dashboards.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm(EVENTS):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        now = clock.now(request)
        asked = request.GET.get("days")
        count = next((number for number in DAYS if str(number) == asked), DAYS[1])
        days = home.days_to(now, count)
        own = {
            "title": "Dashboards",
            "opts": self.model_admin.opts,
            "days": count,
            "choices": DAYS,
            "charts": [
                chart.drawn(days) for chart in CHARTS if request.user.has_perm(chart.permission)
            ],
            "filled": dashboard.filled([*METRICS], days[0], days[-1], zone=settings.REPORTING_ZONE),
            "check": RollupCheck.objects.order_by("-checked_at").first(),
        }
        context = self.get_context_data(**self.model_admin.admin_site.each_context(request), **own)
        return self.render_to_response(context)
