"""Parked callbacks: a genuine word of a network that paid nothing, until somebody has looked."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from ads import parked
from ads.admin.callbacks import CallbackAdmin
from ads.models import PARKED, ParkedCallback, ResolutionKind
from ads.parked import Outcome
from config import clock
from config.read_only_admin import DayRangeFilter

SAID: Mapping[Outcome, str] = {
    Outcome.SETTLED: "Paid: the ad counts.",
    Outcome.DISMISSED: "Dismissed: it is not paid.",
    Outcome.RESOLVED_BEFORE: "This one waits for nobody: it was ended, or never parked.",
    Outcome.SESSION_UNKNOWN: "Name the session that its ad was watched for: the callback names none of ours.",
    Outcome.OTHER_NETWORK: "The session is another network's: this ad cannot have been shown in it.",
    Outcome.SESSION_USED: "The session has counted, or was refused, before.",
    Outcome.ALREADY_OPEN: "The viewer has the episode by now. Dismiss it, or give them something else.",
    Outcome.OVER_CAP: "The viewer's cap of today is full. Try again tomorrow.",
}
#: More than so many are not counted for the first page.
MANY = 1000
ENDED = (Outcome.SETTLED, Outcome.DISMISSED)


CHOSEN_AT_ONCE = 500


class ParkedVerdictFilter(DropdownFilter):  # type: ignore[misc]
    """By why it paid nothing."""

    title = "why"
    parameter_name = "verdict__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(one.value, str(one.label)) for one in PARKED]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(verdict=self.value()) if self.value() else queryset


class ResolutionForm(forms.Form):
    """What an operator decides, and why."""

    kind = forms.ChoiceField(
        label="Decision",
        choices=[(ResolutionKind.SETTLED, "Pay"), (ResolutionKind.DISMISSED, "Dismiss")],
        widget=UnfoldAdminSelectWidget,
    )
    session_id = forms.UUIDField(
        label="Ad session",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="To pay a callback that names no session: a whole session id",
    )
    reason = forms.CharField(max_length=500, widget=UnfoldAdminTextareaWidget)


class DismissalForm(forms.Form):
    """Why nothing is paid for what was chosen."""

    reason = forms.CharField(max_length=500, widget=UnfoldAdminTextareaWidget)


@admin.register(ParkedCallback)
class ParkedCallbackAdmin(CallbackAdmin):
    """Those that wait. What was ended is among the callbacks, with who ended it."""

    actions = ("dismiss",)
    list_display: Sequence[str] = (
        "received_at",
        "verdict",
        "network",
        "transaction_id",
        "session_link",
        "decide",
    )
    list_filter = (
        ParkedVerdictFilter,
        ("network", ChoicesDropdownFilter),
        ("received_at", DayRangeFilter),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        queryset: QuerySet[Any] = super().get_queryset(request)
        return queryset.filter(is_parked=True)

    def get_urls(self) -> list[URLPattern]:
        resolve = path(
            "<uuid:callback_id>/resolve/",
            self.admin_site.admin_view(self.resolve_view),
            name="ads_parkedcallback_resolve",
        )
        urls: list[URLPattern] = [resolve, *super().get_urls()]
        return urls

    def resolve_view(self, request: HttpRequest, callback_id: UUID) -> HttpResponse:
        """Pays or dismisses one, with a reason."""
        if not self.has_resolve_permission(request):
            raise PermissionDenied
        callback = get_object_or_404(ParkedCallback, id=callback_id)
        form = ResolutionForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            outcome = self._resolve(request, callback, form.cleaned_data)
            if outcome in ENDED or outcome is Outcome.RESOLVED_BEFORE:
                say = messages.success if outcome in ENDED else messages.warning
                say(request, SAID[outcome])
                return redirect("admin:ads_parkedcallback_changelist")
            form.add_error(None, SAID[outcome])
        context = {
            **self.admin_site.each_context(request),
            "title": "End a parked callback",
            "opts": self.opts,
            "callback": callback,
            "query": self.query(callback),
            "form": form,
        }
        return TemplateResponse(request, "admin/ads/resolve.html", context)

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ads.change_parkedcallback")

    @admin.action(description="Dismiss: with a reason", permissions=["resolve"])
    def dismiss(
        self, request: HttpRequest, queryset: QuerySet[ParkedCallback]
    ) -> HttpResponse | None:
        """Ends the chosen unpaid, all for one reason. Whether any is paid is decided one by one."""
        rows = list(queryset.order_by("-id")[:CHOSEN_AT_ONCE])
        form = DismissalForm(request.POST if "confirm" in request.POST else None)
        if not form.is_valid():
            context = {
                **self.admin_site.each_context(request),
                "title": "Dismiss parked callbacks",
                "opts": self.opts,
                "rows": rows,
                "form": form,
            }
            return TemplateResponse(request, "admin/ads/dismiss.html", context)
        given = {"kind": ResolutionKind.DISMISSED, **form.cleaned_data}
        with transaction.atomic():
            told = [self._resolve(request, row, given) for row in rows]
        ended = told.count(Outcome.DISMISSED)
        messages.success(request, f"{ended:,} of {len(rows):,} were dismissed.")
        return None

    def _resolve(
        self, request: HttpRequest, callback: ParkedCallback, given: Mapping[str, Any]
    ) -> Outcome:
        """The decision, and the line of the audit trail with it."""
        assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
        operator_id, now = request.user.id, clock.now(request)
        with transaction.atomic():
            if given["kind"] == ResolutionKind.SETTLED:
                outcome = parked.settle(
                    callback.id,
                    session_id=given["session_id"],
                    reason=given["reason"],
                    operator_id=operator_id,
                    now=now,
                )
            else:
                outcome = parked.dismiss(
                    callback.id, reason=given["reason"], operator_id=operator_id, now=now
                )
            if outcome in ENDED:
                self.log_change(request, callback, f"{SAID[outcome]} {given['reason']}")
        return outcome

    @admin.display(description="Decision")
    def decide(self, callback: ParkedCallback) -> SafeString:
        url = reverse("admin:ads_parkedcallback_resolve", args=[callback.id])
        return format_html('<a class="ch-link" href="{}">Decide</a>', url)


def waiting_count(request: HttpRequest) -> int:
    """How many wait, for those who may see them; MANY at the most."""
    if not request.user.has_perm("ads.view_parkedcallback"):
        return 0
    return ParkedCallback.objects.filter(is_parked=True)[:MANY].count()
