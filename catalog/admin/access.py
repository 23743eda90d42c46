"""Who has changed how titles may be opened."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from catalog.models import AccessChange
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin


@admin.register(AccessChange)
class AccessChangeAdmin(ReadOnlyAdmin):
    """Made by the actions of the list of series, and only looked at here."""

    list_display = ("changed_at", "series_link", "was", "mode", "changed_by")
    list_filter = (("mode", ChoicesDropdownFilter), ("changed_at", DayRangeFilter))
    exact_search_fields = ("id", "series_id")
    search_help_text = "A whole id of a series or of a change"
    fields = ("id", "series_link", ("was", "mode"), ("changed_by", "changed_at"))
    readonly_fields = ("series_link",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccessChange]:
        queryset: QuerySet[AccessChange] = super().get_queryset(request)
        return queryset.select_related("series", "changed_by").defer("series__search")

    @admin.display(description="Series")
    def series_link(self, change: AccessChange) -> SafeString:
        url = reverse("admin:catalog_series_change", args=[change.series_id])
        return format_html('<a class="ch-link" href="{}">{}</a>', url, change.series.external_id)
