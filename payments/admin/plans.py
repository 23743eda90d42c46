"""Price plans: what each asks now and next, and which series it prices."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from catalog.models import Series
from config import clock
from payments import plans
from payments.admin import compliance, series_choice
from payments.admin.compliance import CompliancePage
from payments.admin.explained import Explained
from payments.admin.series_choice import SeriesSelectMultiple, titles
from payments.admin.versions import NewVersionPage, summary
from payments.models import PricePlan, PriceVersion

SHOWN_VERSIONS = 100
SHOWN_SERIES = 50


class AssignForm(forms.Form):
    series = forms.ModelMultipleChoiceField(
        queryset=Series.objects.all(),
        widget=SeriesSelectMultiple,
        label="Price these series by this plan",
        error_messages={"required": "Choose a series first."},
    )


@admin.register(PricePlan)
class PricePlanAdmin(Explained, ModelAdmin):  # type: ignore[misc]
    """A plan's name can change. Its versions cannot: a new price is a new version."""

    list_display = ("name", "default", "now_asks", "series_count", "changes")
    search_fields = ("name",)
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
            path(
                "<uuid:plan_id>/new-version/",
                guarded(NewVersionPage.as_view(model_admin=self)),
                name="payments_priceplan_new_version",
            ),
            path(
                "<uuid:plan_id>/assign/",
                guarded(require_POST(self.assign_view)),
                name="payments_priceplan_assign",
            ),
            path(
                "<uuid:plan_id>/release/<uuid:series_id>/",
                guarded(require_POST(self.release_view)),
                name="payments_priceplan_release",
            ),
        ]
        urls: list[URLPattern] = own + super().get_urls()
        return urls

    def beside(self, request: HttpRequest, plan: PricePlan) -> Mapping[str, Any]:
        form = AssignForm()
        may = request.user.has_perm
        return {
            "versions": list_versions(plan, at=clock.now(request)),
            "shown_versions": SHOWN_VERSIONS,
            "assigned": assigned_series(plan, at=clock.now(request)),
            "shown_series": SHOWN_SERIES,
            "assign_form": form,
            "assign_media": form.media,
            "may_add_version": may("payments.add_priceversion"),
            "may_assign": may("payments.add_planassignment"),
            "may_release": may("payments.delete_planassignment"),
        }

    def series_view(self, request: HttpRequest) -> JsonResponse:
        """What the choice of a series asks while somebody types."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return series_choice.answer(request)

    def assign_view(self, request: HttpRequest, plan_id: UUID) -> HttpResponse:
        """Prices the chosen series by this plan, whatever priced them before."""
        if not request.user.has_perm("payments.add_planassignment"):
            raise PermissionDenied
        plan = get_object_or_404(PricePlan, id=plan_id)
        form = AssignForm(request.POST)
        if not form.is_valid():
            for complaint in form.errors["series"]:
                messages.error(request, str(complaint))
            return redirect("admin:payments_priceplan_change", plan_id)
        chosen = form.cleaned_data["series"]
        now = clock.now(request)
        plans.assign(
            plan=plan,
            series_ids=[series.id for series in chosen],
            effective_from=now,
            now=now,
            operator_id=request.user.pk,
        )
        names = ", ".join(titles(chosen).values())
        self.log_change(request, plan, f"Prices {names}.")
        messages.success(request, f"{plan} prices {names} from now on.")
        return redirect("admin:payments_priceplan_change", plan_id)

    def release_view(self, request: HttpRequest, plan_id: UUID, series_id: UUID) -> HttpResponse:
        """Gives a series back to the default plan."""
        if not request.user.has_perm("payments.delete_planassignment"):
            raise PermissionDenied
        plan = get_object_or_404(PricePlan, id=plan_id)
        series = get_object_or_404(Series, id=series_id)
        plans.release(
            plan=plan,
            series_ids=[series_id],
            now=clock.now(request),
            operator_id=request.user.pk,
        )
        name = titles([series])[series_id]
        self.log_change(request, plan, f"No longer prices {name}.")
        messages.success(request, f"The default plan prices {name} from now on.")
        return redirect("admin:payments_priceplan_change", plan_id)

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
        PriceVersion.objects.filter(plan=plan)
        .annotate(special_count=Count("episode_prices"))
        .select_related("created_by")
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
