"""Hours of rollups and how they are filled, and where money differs from the ledger. Nothing is edited."""

from django.contrib import admin
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from analytics.admin import dashboards
from analytics.admin.dashboards import DashboardsPage
from analytics.models import RollupDifference, RollupHour
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin


@admin.register(RollupHour)
class RollupHourAdmin(ReadOnlyAdmin):
    """Each metric and hour: waiting, filled or reopened, up to when, and by which definition."""

    list_display = ("metric", "hour", "state", "watermark", "filled_at", "definition", "due_at")
    list_filter = (("state", ChoicesDropdownFilter), ("hour", DayRangeFilter))
    exact_search_fields = ("metric",)
    search_help_text = "The whole name of a metric"
    fields = (
        ("metric", "hour"),
        ("state", "marks"),
        ("watermark", "filled_at", "definition"),
        ("due_at", "leased_until"),
    )

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(DashboardsPage.as_view(model_admin=self))
        own = [path("dashboards/", page, name=dashboards.URL_NAME)]
        urls: list[URLPattern] = own + super().get_urls()
        return urls


@admin.register(RollupDifference)
class RollupDifferenceAdmin(ReadOnlyAdmin):
    """Days of money that were not what the ledger says, until both were found to be equal."""

    list_display = (
        "metric",
        "day",
        "dimension",
        "rollup_value",
        "ledger_value",
        "is_confirmed",
        "found_at",
        "resolved_at",
    )
    list_filter = (("found_at", DayRangeFilter),)
    exact_search_fields = ("metric", "dimension")
    search_help_text = "The whole name of a metric, or what it is of"
    fields = (
        ("metric", "day", "dimension"),
        ("rollup_value", "ledger_value"),
        ("found_at", "is_confirmed", "resolved_at"),
    )
