"""Price plans: what each asks now and next, and which series it prices."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from config import clock
from payments.admin import compliance, series_choice
from payments.admin.compliance import CompliancePage
from payments.admin.explained import Explained
from payments.admin.series_choice import titles
from payments.admin.versions import special_count, summary
from payments.desk import plans
from payments.models import PricePlan, PriceVersion

SHOWN_VERSIONS = 100
SHOWN_SERIES = 50


class SharedFilter(admin.SimpleListFilter):
    """Plans that can price many titles, unless somebody asks for those of a single one."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("shared", "For any titles"), ("own", "Of one title, from a table")]

    def choices(self, changelist: Any) -> Any:
        for value, label in self.lookup_choices:
            yield {
                "selected": (self.value() or "shared") == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": label,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(own_series__isnull=self.value() != "own")


@admin.register(PricePlan)
class PricePlanAdmin(Explained, ModelAdmin):  # type: ignore[misc]
    """A plan's name can change. Its versions cannot: a new price is a new version."""

    list_display = ("name", "default", "now_asks", "series_count", "changes")
    search_fields = ("name",)
    list_filter = (SharedFilter,)
    ordering = ("-is_default", "name")
    show_full_result_count = False
    fields = ("name",)
    change_form_template = "admin/payments/priceplan/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PricePlan]:
        return plans.with_standing(super().get_queryset(request), at=clock.now(request))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """What was charged under a plan goes on naming it."""
        return False

    def save_model(self, request: HttpRequest, obj: PricePlan, form: Any, change: bool) -> None:
        if not change:
            obj.created_at = clock.now(request)
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        own = [
            path("series/", guarded(self.series_view), name=series_choice.URL_NAME),
            path(
                "compliance/",
                guarded(CompliancePage.as_view(model_admin=self)),
                name=compliance.URL_NAME,
            ),
        ]
        urls: list[URLPattern] = own + super().get_urls()
        return urls

    def beside(self, request: HttpRequest, plan: PricePlan) -> Mapping[str, Any]:
        return {
            "versions": list_versions(plan, at=clock.now(request)),
            "shown_versions": SHOWN_VERSIONS,
            "assigned": assigned_series(plan, at=clock.now(request)),
            "shown_series": SHOWN_SERIES,
            "default_plan": PricePlan.objects.get(is_default=True),
            "plan_key": str(plan.id),
            "may_change": request.user.has_perm("payments.add_pricechange"),
        }

    def series_view(self, request: HttpRequest) -> JsonResponse:
        """What the choice of a series asks while somebody types."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return series_choice.answer(request)

    @admin.display(description="")
    def default(self, plan: PricePlan) -> SafeString | str:
        return (
            format_html('<span class="ch-tag ch-tag-on">{}</span>', "default")
            if plan.is_default
            else ""
        )

    @admin.display(description="Now")
    def now_asks(self, plan: Any) -> str:
        if plan.price_coins is None:
            return "No version in force: the default plan applies"
        return f"{plan.free_count:,} free, then {plan.price_coins:,} coins"

    @admin.display(description="Series")
    def series_count(self, plan: Any) -> str:
        return "All others" if plan.is_default else f"{plan.assigned_count or 0:,}"

    @admin.display(description="Next change")
    def changes(self, plan: Any) -> datetime | None:
        changes_at: datetime | None = plan.changes_at
        return changes_at


def list_versions(plan: PricePlan, *, at: datetime) -> list[dict[str, Any]]:
    """The plan's versions, newest first: `is_in_force`, `is_ahead`, or past."""
    versions = list(
        PriceVersion.objects.filter(plan=plan, cancelled_at=None)
        .annotate(special_count=special_count())
        .select_related("created_by", "change")
        .order_by("-effective_from")[:SHOWN_VERSIONS]
    )
    begun = [version for version in versions if version.effective_from <= at]
    return [
        {
            "version": version,
            "says": summary(version),
            "is_in_force": bool(begun) and version is begun[0],
            "is_ahead": version.effective_from > at,
        }
        for version in versions
    ]


def assigned_series(plan: PricePlan, *, at: datetime) -> list[dict[str, Any]]:
    """The first series that the plan prices at a moment, with their titles."""
    rows = [
        assignment.series
        for assignment in plans.assigned(plan, at=at)
        .select_related("series")
        .defer("series__search")
        .order_by("-series_id")[:SHOWN_SERIES]
    ]
    named = titles(rows)
    return [{"id": row.id, "title": named[row.id]} for row in rows]
