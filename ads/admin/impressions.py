"""Single ads that were shown, as apps and networks tell of them."""

from collections.abc import Sequence

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from ads.admin.sessions import session_link
from ads.models import Impression
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import formats
from payments.admin.columns import OfViewer


@admin.register(Impression)
class ImpressionAdmin(OfViewer, ReadOnlyAdmin):
    """What an app says is an estimate, and outweighed by the network's report."""

    list_display = (
        "occurred_at",
        "viewer_link",
        "network",
        "placement",
        "format",
        "country",
        "revenue",
        "precision",
        "source",
        "environment",
    )
    list_filter = (
        ("network", ChoicesDropdownFilter),
        ("source", ChoicesDropdownFilter),
        ("format", ChoicesDropdownFilter),
        ("environment", ChoicesDropdownFilter),
        ("received_at", DayRangeFilter),
    )
    list_select_related = ("placement",)
    exact_search_fields: Sequence[str] = ("id", "viewer_id", "session_id")
    search_help_text = "A whole viewer, session or impression id of ours"
    fields = (
        "id",
        ("source", "impression_id"),
        "whole_viewer_link",
        "session_link",
        ("network", "ad_unit_id", "format"),
        "placement",
        "country",
        ("told", "precision"),
        ("revenue", "exchange_rate", "exchange_source"),
        "environment",
        ("occurred_at", "received_at"),
    )
    readonly_fields = ("whole_viewer_link", "session_link", "told", "revenue")

    @admin.display(description="As it was told")
    def told(self, impression: Impression) -> str:
        return formats.money(impression.told_micros, impression.currency)

    @admin.display(description="Revenue")
    def revenue(self, impression: Impression) -> str:
        return formats.money(impression.revenue_micros)

    @admin.display(description="Session")
    def session_link(self, impression: Impression) -> SafeString | str:
        return session_link(impression.session_id) if impression.session_id else "–"
