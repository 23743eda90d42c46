"""Networks' reports: brought, with what was read of each and why one counts for nothing."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.generic import FormView
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from ads.models import Network, ReportOrigin, ReportPull, RevenueReport
from ads.networks.reports.layouts import FIELDS
from ads.networks.reports.reading import MAXIMUM_BYTES
from ads.revenue import reports
from ads.revenue.reports import Brought
from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import formats
from payments.admin.explained import Explained


class ReportForm(forms.Form):
    network = forms.ChoiceField(choices=Network.choices, widget=UnfoldAdminSelectWidget)
    scope = forms.SlugField(
        required=False,
        max_length=50,
        widget=UnfoldAdminTextInputWidget,
        help_text="If a network's day comes in several reports, which of them: each replaces its own.",
    )
    currency = forms.RegexField(
        r"^[A-Z]{3}$",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Of a report that names none.",
    )
    columns = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="For a CSV file that is none of the network's own: day=Date, revenue=Earnings. Fields "
        f"are {', '.join(FIELDS)}.",
    )
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text="CSV, or JSON as the network's API answers it, of all of the app's ads on days that "
        "are over.",
    )

    def clean_columns(self) -> dict[str, str]:
        pairs = [pair.partition("=") for pair in self.cleaned_data["columns"].split(",") if pair]
        if any(not mark or field.strip() not in FIELDS for field, mark, _ in pairs):
            raise forms.ValidationError("Write it as field=Header, field=Header.")
        return {field.strip(): header.strip() for field, _, header in pairs}


class BringPage(FormView[ReportForm]):
    """A report that an operator brings: read at once, settled within the minute."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    form_class = ReportForm
    template_name = "admin/payments/file.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("ads.add_revenuereport"):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: ReportForm) -> HttpResponse:
        file: UploadedFile[Any] = form.cleaned_data["file"]
        assert isinstance(self.request.user, User)  # noqa: S101  the admin let only staff through
        with transaction.atomic():
            taken = reports.take(
                Brought(
                    # One byte past the bound is enough to be refused.
                    content=file.read(MAXIMUM_BYTES + 1),
                    network=form.cleaned_data["network"],
                    name=file.name or "a file",
                    origin=ReportOrigin.UPLOADED,
                    scope=form.cleaned_data["scope"],
                    currency=form.cleaned_data["currency"],
                    mapping=form.cleaned_data["columns"],
                    operator_id=self.request.user.id,
                ),
                now=clock.now(self.request),
            )
            assert taken.report is not None  # noqa: S101  only what is fetched leaves none
            self.model_admin.log_addition(self.request, taken.report, "Brought.")
        if taken.refusals:
            messages.error(self.request, f"Nothing was taken: {len(taken.refusals):,} refusals.")
        else:
            messages.success(
                self.request,
                f"{len(taken.new_days):,} days are new, {len(taken.same_days):,} were known so. They "
                "are settled within the minute.",
            )
        return redirect("admin:ads_revenuereport_change", taken.report.id)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        own = {
            "title": "Bring a network's report",
            "explained": "What it reports of a day replaces what was known of that day. A report with a "
            "line that cannot be read counts for nothing.",
            "opts": self.model_admin.opts,
            "back": reverse("admin:ads_revenuereport_changelist"),
        }
        return super().get_context_data(
            **self.model_admin.admin_site.each_context(self.request), **own, **kwargs
        )


@admin.register(RevenueReport)
class RevenueReportAdmin(Explained, ReadOnlyAdmin):
    """Reports as they came. Of a day the latest version counts."""

    list_display = (
        "received_at",
        "network",
        "scope",
        "name",
        "outcome",
        "line_count",
        "origin",
        "brought_by",
    )
    list_filter = (
        ("network", ChoicesDropdownFilter),
        ("origin", ChoicesDropdownFilter),
        ("received_at", DayRangeFilter),
    )
    list_select_related = ("brought_by",)
    fields = (
        "id",
        ("network", "scope"),
        "name",
        "sha256",
        "outcome",
        "line_count",
        ("received_at", "origin", "brought_by"),
    )
    readonly_fields = ("outcome",)
    change_form_template = "admin/ads/revenuereport/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ads.add_revenuereport")

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponseBase:
        return BringPage.as_view(model_admin=self)(request)

    def beside(self, request: HttpRequest, row: RevenueReport) -> Mapping[str, Any]:
        days = [
            {
                "day": reported.day,
                "version": reported.version,
                "impressions": f"{reported.impression_count:,}",
                "revenue": formats.money(reported.revenue_micros),
            }
            for reported in row.days.order_by("-day")
        ]
        return {"refusals": row.refusals, "days": days}

    @admin.display(description="Outcome")
    def outcome(self, report: RevenueReport) -> str:
        if report.refusals:
            return "refused"
        return f"{report.new_day_count:,} days new, {report.same_day_count:,} known"


@admin.register(ReportPull)
class ReportPullAdmin(ReadOnlyAdmin):
    """Whether fetching a network's reports works, and why not."""

    list_display = ("network", "fetched_at", "attempted_at", "failure")
    ordering = ("network",)
    fields = ("network", "fetched_at", "attempted_at", "failure")
