"""Acquisition links: made in batches, counted by who came, stopped."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from django.views.generic import FormView
from unfold.admin import ModelAdmin
from unfold.widgets import (
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from catalog.models import Series
from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import overrides
from payments.admin.explained import Explained
from payments.admin.price_desk import words
from payments.admin.price_desk.forms import PARTS_PER_PERCENT, coins, integer
from payments.admin.price_desk.promotions import said
from payments.admin.series_choice import SeriesSelect, title, with_titles
from payments.desk import links
from payments.desk.price_changes.checks import ContentRefused
from payments.desk.price_changes.contents import AdjustedPrice
from payments.models import AcquisitionLink, LinkArrival

_CODE = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)


class LinksForm(forms.Form):
    """What every link of a batch says."""

    name = forms.CharField(
        label="Name",
        max_length=100,
        widget=UnfoldAdminTextInputWidget({"placeholder": "Spring campaign, TikTok"}),
    )
    series = forms.ModelChoiceField(
        label="Title that it leads to",
        queryset=Series.objects.all(),
        widget=SeriesSelect,
        error_messages={"required": "Choose the title that the link leads to."},
    )
    number = integer(
        "How many",
        least=1,
        most=links.MAXIMUM_AT_ONCE,
        help_text="With codes that nobody guesses. Leave empty where you name the codes.",
    )
    codes = forms.CharField(
        label="… or these codes",
        required=False,
        max_length=10_000,
        widget=UnfoldAdminTextareaWidget({"rows": 3, "placeholder": "spring-tiktok\nspring-meta"}),
        help_text="One a line: letters, digits, - and _, at most 64.",
    )
    free_count = integer(
        "Free episodes",
        most=overrides.MAXIMUM_NUMBER,
        help_text="In place of the plan's, for who comes by the link. Empty: as for everybody.",
    )
    price_coins = coins("Coins an episode", help_text="In place of every price of the plan.")
    percent = integer("… or % of the price", most=100, help_text="80 is 20 % off.")
    starts_at = forms.SplitDateTimeField(
        label="From (UTC)",
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="Leave empty for at once.",
    )
    ends_at = forms.SplitDateTimeField(
        label="Until (UTC)",
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="Leave empty for good.",
    )

    def clean_codes(self) -> Sequence[str]:
        codes = self.cleaned_data["codes"].split()
        if wrong := [code for code in codes if not _CODE.fullmatch(code)]:
            raise forms.ValidationError(
                f"“{wrong[0][:40]}” is no code: letters, digits, - and _, at most 64 of them."
            )
        return list(codes)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and bool(cleaned["codes"]) == bool(cleaned["number"]):
            self.add_error("number", "Say how many links, or name their codes: one of the two.")
        return cleaned

    def wanted_codes(self) -> Sequence[str]:
        data = self.cleaned_data
        codes: Sequence[str] = data["codes"]
        return codes or links.made_up_codes(data["number"])

    def price(self) -> AdjustedPrice | None:
        data = self.cleaned_data
        if data["free_count"] is data["price_coins"] is data["percent"] is None:
            return None
        percent: int | None = data["percent"]
        return AdjustedPrice(
            free_count=data["free_count"],
            price_coins=data["price_coins"],
            scale_parts_per_million=None if percent is None else percent * PARTS_PER_PERCENT,
        )


class NewLinksPage(FormView[LinksForm]):
    """Makes a batch of links, all or none."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    template_name = "admin/payments/acquisitionlink/new.html"
    form_class = LinksForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("payments.add_acquisitionlink"):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: LinksForm) -> HttpResponse:
        now, data = clock.now(self.request), form.cleaned_data
        assert isinstance(self.request.user, User)  # noqa: S101  the admin let only staff through
        try:
            with transaction.atomic():
                made = links.make(
                    name=data["name"],
                    series_id=data["series"].id,
                    codes=form.wanted_codes(),
                    price=form.price(),
                    starts_at=data["starts_at"] or now,
                    ends_at=data["ends_at"],
                    now=now,
                    operator_id=self.request.user.id,
                )
                for link in made:
                    self.model_admin.log_addition(self.request, link, "Made.")
        except (links.LinksRefused, ContentRefused) as refusal:
            form.add_error(None, str(refusal))
            return self.form_invalid(form)
        messages.success(self.request, f"{words.counted(len(made), 'link')} made.")
        return redirect("admin:payments_acquisitionlink_changelist")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        own = {
            "title": "New links",
            "opts": self.model_admin.opts,
            "back": reverse("admin:payments_acquisitionlink_changelist"),
        }
        context = self.model_admin.admin_site.each_context(self.request)
        return super().get_context_data(**context, **own, **kwargs)


@admin.register(AcquisitionLink)
class AcquisitionLinkAdmin(Explained, ReadOnlyAdmin):
    """Made in batches, never edited: a link that should differ is another link."""

    list_display = ("code", "name", "titled", "gives", "arrivals", "standing", "ends_at")
    list_filter = (("created_at", DayRangeFilter),)
    exact_search_fields = ("id", "code", "name", "series_id")
    search_help_text = "A whole code, name, link id or title id"
    fields = (
        "code",
        "name",
        "titled",
        "gives",
        "arrivals",
        ("starts_at", "ends_at"),
        "stopped_at",
        ("created_by", "created_at"),
    )
    readonly_fields = ("titled", "gives", "arrivals")
    change_form_template = "admin/payments/acquisitionlink/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.add_acquisitionlink")

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponseBase:
        return NewLinksPage.as_view(model_admin=self)(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AcquisitionLink]:
        came = (
            LinkArrival.objects.filter(link=OuterRef("pk"))
            .order_by()
            .values("link")
            .annotate(number=Count("pk"))
            .values("number")
        )
        queryset = super().get_queryset(request).select_related("adjustment", "created_by")
        return with_titles(queryset.annotate(arrivals_count=Coalesce(Subquery(came), 0)), "series")

    def get_urls(self) -> list[URLPattern]:
        stop = path(
            "<uuid:link_id>/stop/",
            self.admin_site.admin_view(require_POST(self.stop_view)),
            name="payments_acquisitionlink_stop",
        )
        urls: list[URLPattern] = [stop, *super().get_urls()]
        return urls

    def beside(self, request: HttpRequest, row: AcquisitionLink) -> Mapping[str, Any]:
        return {"may_stop": _is_going(row, clock.now(request)) and _may_stop(request)}

    def stop_view(self, request: HttpRequest, link_id: UUID) -> HttpResponse:
        """Ends a link, also for those who came by it."""
        if not _may_stop(request):
            raise PermissionDenied
        row = get_object_or_404(AcquisitionLink, id=link_id)
        with transaction.atomic():
            is_stopped = links.stop(link_id=link_id, now=clock.now(request))
            if is_stopped:
                self.log_change(request, row, "Stopped.")
        if is_stopped:
            messages.success(request, "Stopped, also for those who came by it.")
        else:
            messages.error(request, "This link is over already.")
        return redirect("admin:payments_acquisitionlink_change", link_id)

    @admin.display(description="Title")
    def titled(self, row: AcquisitionLink) -> str:
        return title(row.series)

    @admin.display(description="Gives")
    def gives(self, row: AcquisitionLink) -> str:
        return words.adjusted(said(row.adjustment)) if row.adjustment else "What others pay"

    @admin.display(description="Arrivals", ordering="arrivals_count")
    def arrivals(self, row: Any) -> str:
        return f"{row.arrivals_count:,}"

    @admin.display(description="State")
    def standing(self, row: AcquisitionLink) -> SafeString:
        now = clock.read()
        says, tag = "over", "ch-tag"
        if row.stopped_at is not None:
            says = "stopped"
        elif row.starts_at > now:
            says, tag = "ahead", "ch-tag ch-tag-ahead"
        elif row.ends_at is None or row.ends_at > now:
            says, tag = "on", "ch-tag ch-tag-on"
        return format_html('<span class="{}">{}</span>', tag, says)


def _is_going(row: AcquisitionLink, now: datetime) -> bool:
    return row.stopped_at is None and (row.ends_at is None or row.ends_at > now)


def _may_stop(request: HttpRequest) -> bool:
    return request.user.has_perm("payments.change_acquisitionlink")
