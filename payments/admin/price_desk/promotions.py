"""Promotions: what is on, was on and will be, and the way to stop one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import formats
from payments.admin.explained import Explained
from payments.admin.price_desk import words
from payments.admin.series_choice import titles
from payments.desk import promotions
from payments.desk.price_changes import approval
from payments.desk.price_changes.approval import ChangeRefused
from payments.desk.price_changes.contents import AdjustedPrice
from payments.models import PriceAdjustment, PromotedSeries, Promotion

SHOWN_TITLES = 20


@admin.register(Promotion)
class PromotionAdmin(Explained, ReadOnlyAdmin):
    """They are made as changes of prices, and end by themselves."""

    list_display = ("standing", "name", "gives", "titles_count", "starts_at", "ends_at")
    list_display_links = ("name",)
    list_filter = (("starts_at", DayRangeFilter),)
    exact_search_fields = ("id", "name")
    search_help_text = "A whole name or promotion id"
    fields = (
        "name",
        "gives",
        "place",
        ("starts_at", "ends_at"),
        "stopped_at",
        "titles_count",
        "change_link",
        ("created_by", "created_at"),
    )
    readonly_fields = ("gives", "place", "titles_count", "change_link")
    change_form_template = "admin/payments/promotion/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Promotion]:
        counted = (
            PromotedSeries.objects.filter(promotion=OuterRef("pk"))
            .order_by()
            .values("promotion")
            .annotate(number=Count("pk"))
            .values("number")
        )
        queryset: QuerySet[Promotion] = super().get_queryset(request)
        return queryset.select_related("adjustment", "change", "created_by").annotate(
            series_count=Coalesce(Subquery(counted), 0)
        )

    def get_urls(self) -> list[URLPattern]:
        stop = path(
            "<uuid:promotion_id>/stop/",
            self.admin_site.admin_view(require_POST(self.stop_view)),
            name="payments_promotion_stop",
        )
        urls: list[URLPattern] = [stop, *super().get_urls()]
        return urls

    def beside(self, request: HttpRequest, row: Promotion) -> Mapping[str, Any]:
        promoted = PromotedSeries.objects.filter(promotion=row).select_related("series")
        first = [one.series for one in promoted.defer("series__search")[:SHOWN_TITLES]]
        return {
            "may_stop": _is_going(row, clock.now(request)) and _may_stop(request),
            "promoted": list(titles(first).values()),
        }

    def stop_view(self, request: HttpRequest, promotion_id: UUID) -> HttpResponse:
        """Ends it now: with its change, if one made it."""
        if not _may_stop(request):
            raise PermissionDenied
        row = get_object_or_404(Promotion, id=promotion_id)
        now = clock.now(request)
        assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
        try:
            with transaction.atomic():
                if not _is_going(row, now):
                    raise ChangeRefused("This promotion is over already.")
                if row.change_id is not None:
                    approval.end(change_id=row.change_id, operator_id=request.user.id, now=now)
                else:
                    promotions.stop(promotion_id=row.id, now=now)
                self.log_change(request, row, "Stopped.")
        except ChangeRefused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, "Stopped. What was quoted before is honoured.")
        return redirect("admin:payments_promotion_change", promotion_id)

    @admin.display(description="State")
    def standing(self, row: Promotion) -> SafeString:
        now = clock.read()
        says, tag = "over", "ch-tag"
        if row.stopped_at is not None:
            says = "stopped"
        elif row.starts_at > now:
            says, tag = "ahead", "ch-tag ch-tag-ahead"
        elif row.ends_at > now:
            says, tag = "on", "ch-tag ch-tag-on"
        return format_html('<span class="{}">{}</span>', tag, says)

    @admin.display(description="Gives")
    def gives(self, row: Promotion) -> str:
        return words.adjusted(said(row.adjustment))

    @admin.display(description="Where")
    def place(self, row: Promotion) -> str:
        return words.where(row.regions, row.platforms).strip() or "Everywhere"

    @admin.display(description="Titles")
    def titles_count(self, row: Any) -> str:
        return f"{row.series_count:,}"

    @admin.display(description="Made by the change")
    def change_link(self, row: Promotion) -> SafeString | str:
        if row.change is None:
            return "–"
        return formats.link("pricechange", row.change.id, row.change.name)


def said(row: PriceAdjustment) -> AdjustedPrice:
    """A kept adjustment, as words take it."""
    return AdjustedPrice(
        free_count=row.free_count,
        price_coins=row.price_coins,
        scale_parts_per_million=row.scale_parts_per_million,
    )


def _is_going(row: Promotion, now: datetime) -> bool:
    return row.stopped_at is None and row.ends_at > now


def _may_stop(request: HttpRequest) -> bool:
    return request.user.has_perm("payments.change_promotion")
