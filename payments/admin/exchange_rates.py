"""What currencies were worth: added, by hand or from the central bank's file, and never changed."""

from datetime import date
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.views.generic import FormView
from unfold.admin import ModelAdmin
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextInputWidget,
)

from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.models import ExchangeRate
from payments.store import reference_rates

SHOWN_KEPT = 20


class ExchangeRateForm(forms.ModelForm[ExchangeRate]):
    """One rate by hand: of a currency that the bank does not publish."""

    currency = forms.RegexField(
        r"^[A-Z]{3}$",
        widget=UnfoldAdminTextInputWidget,
        error_messages={"invalid": "Three capital letters, as in ISO 4217."},
    )
    rate = forms.DecimalField(
        min_value=0,
        max_digits=20,
        decimal_places=reference_rates.DECIMALS,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=f"Units of {settings.REPORTING_CURRENCY} for one of it.",
    )

    class Meta:
        model = ExchangeRate
        fields = ("currency", "day", "rate", "source")

    def clean_currency(self) -> str:
        currency: str = self.cleaned_data["currency"]
        if currency == settings.REPORTING_CURRENCY:
            raise forms.ValidationError("It is the reporting currency itself.")
        return currency

    def clean_rate(self) -> Any:
        if not self.cleaned_data["rate"]:
            raise forms.ValidationError("A currency is worth something.")
        return self.cleaned_data["rate"]


class FileForm(forms.Form):
    file = forms.FileField(
        label="The bank's file",
        widget=UnfoldAdminFileFieldWidget,
        help_text="eurofxref.csv or eurofxref-hist.csv, or the ZIP file that either comes in.",
    )

    def clean_file(self) -> bytes:
        file: UploadedFile[Any] = self.cleaned_data["file"]
        # One byte past the bound is enough to be refused.
        content: bytes = file.read(reference_rates.MAXIMUM_BYTES + 1)
        return content


class ImportPage(FormView[FileForm]):
    """The central bank's file, added at once: what is known stays."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    form_class = FileForm
    template_name = "admin/payments/file.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("payments.add_exchangerate"):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: FileForm) -> HttpResponse:
        try:
            imported = reference_rates.add(form.cleaned_data["file"], now=clock.now(self.request))
        except reference_rates.RatesRefused as refusal:
            form.add_error("file", str(refusal))
            return self.form_invalid(form)
        said = f"{imported.added:,} rates added, {imported.known:,} were known."
        messages.success(self.request, said)
        for sentence in imported.kept[:SHOWN_KEPT]:
            messages.warning(self.request, sentence)
        return redirect("admin:payments_exchangerate_changelist")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        own = {
            "title": "Reference rates of the European Central Bank",
            "explained": "Each currency is crossed over the euro into "
            f"{settings.REPORTING_CURRENCY}, exact to ten decimals. A rate that is known is never changed.",
            "opts": self.model_admin.opts,
            "back": reverse("admin:payments_exchangerate_changelist"),
        }
        return super().get_context_data(
            **self.model_admin.admin_site.each_context(self.request), **own, **kwargs
        )


@admin.register(ExchangeRate)
class ExchangeRateAdmin(ReadOnlyAdmin):
    """Added and looked at: what was booked at a rate names it."""

    form = ExchangeRateForm
    list_before_template = "admin/payments/exchangerate/import.html"
    list_display = ("day", "currency", "shown_rate", "source", "created_at")
    list_filter = (("day", DayRangeFilter),)
    ordering = ("-day", "currency")
    exact_search_fields = ("currency",)
    search_help_text = "A currency"
    fields = ("currency", "day", "rate", "source")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.add_exchangerate")

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "import/",
            self.admin_site.admin_view(ImportPage.as_view(model_admin=self)),
            name="payments_exchangerate_import",
        )
        urls: list[URLPattern] = [own, *super().get_urls()]
        return urls

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        today: date = clock.now(request).date()
        return {"day": today, "source": "by hand"}

    def save_model(
        self, request: HttpRequest, obj: ExchangeRate, form: ExchangeRateForm, change: bool
    ) -> None:
        obj.created_at = clock.now(request)
        super().save_model(request, obj, form, change)

    @admin.display(description=f"In {settings.REPORTING_CURRENCY}")
    def shown_rate(self, rate: ExchangeRate) -> str:
        return f"{rate.rate.normalize():f}"
