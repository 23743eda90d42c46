"""What currencies were worth: added, by hand or from the central bank's file, and never changed."""

import hashlib
from datetime import date, datetime
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
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
    UnfoldBooleanSwitchWidget,
)

from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.models import ExchangeRate
from payments.store import reference_rates

SHOWN_KEPT = 20
FAR_PERCENT = 20


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

    is_far = forms.BooleanField(
        required=False,
        label="It is right",
        widget=UnfoldBooleanSwitchWidget,
        help_text=f"For a rate that is more than {FAR_PERCENT} % from the last of its currency.",
    )

    class Meta:
        model = ExchangeRate
        fields = ("currency", "day", "rate", "source")

    #: As of when a day has come.
    now: datetime

    def clean_day(self) -> date:
        day: date = self.cleaned_data["day"]
        if day > self.now.astimezone(settings.REPORTING_ZONE).date():
            raise forms.ValidationError("This day has not come yet.")
        return day

    def clean(self) -> dict[str, Any]:
        """A rate is never changed: one that is far from the last is asked about before it is kept."""
        cleaned: dict[str, Any] = super().clean() or {}
        rate, day = cleaned.get("rate"), cleaned.get("day")
        if rate and day and not cleaned.get("is_far"):
            last = (
                ExchangeRate.objects.filter(currency=cleaned.get("currency"), day__lte=day)
                .order_by("-day")
                .first()
            )
            if last is not None and abs(rate - last.rate) * 100 > FAR_PERCENT * last.rate:
                self.add_error(
                    "rate",
                    f"On {last.day} it was {last.rate.normalize():f}. If this is right, say so below.",
                )
        return cleaned

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
        _log_import(self.request, form.cleaned_data["file"], said)
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


def _log_import(request: HttpRequest, content: bytes, said: str) -> None:
    """Of no one rate: of the file, by its hash."""
    assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
    LogEntry.objects.create(
        user=request.user,
        content_type=ContentType.objects.get_for_model(ExchangeRate),
        object_id=hashlib.sha256(content).hexdigest(),
        object_repr="Reference rates of the European Central Bank",
        action_flag=ADDITION,
        change_message=said,
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

    def get_fields(self, request: HttpRequest, obj: ExchangeRate | None = None) -> Any:
        return (*self.fields, "is_far") if obj is None else self.fields

    def get_form(
        self,
        request: HttpRequest,
        obj: ExchangeRate | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.now = clock.now(request)
        return form

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
