"""What was given to viewers: who asked, who agreed, and what can still be taken back."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Case, OrderBy, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import formats
from payments.admin.ask_grant import AskPage, describe
from payments.admin.columns import OfViewer
from payments.admin.explained import Explained
from payments.admin.series_choice import title, with_titles
from payments.desk import grants
from payments.desk.grants import CoinGift, Decided, Gift, GrantRefused, PassGift
from payments.models import Grant, GrantState, Lot

_TAGS = {GrantState.WAITING: "ch-tag ch-tag-ahead", GrantState.GIVEN: "ch-tag ch-tag-on"}


class DecisionForm(forms.Form):
    note = forms.CharField(
        required=False, max_length=grants.NOTE_CHARACTERS, widget=UnfoldAdminTextInputWidget
    )


@admin.register(Grant)
class GrantAdmin(OfViewer, Explained, ReadOnlyAdmin):
    """Asked for on a form of its own, decided on its page; never edited or deleted."""

    list_display = (
        "asked_at",
        "viewer_link",
        "what",
        "worth",
        "reason",
        "standing",
        "asked_by",
        "decided_by",
        "environment",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("environment", ChoicesDropdownFilter),
        ("asked_at", DayRangeFilter),
    )
    exact_search_fields = ("id", "viewer_id", "transfer_id", "asked_by__username")
    search_help_text = "A whole viewer id, grant id or transfer id, or who asked"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "id",
                    "whole_viewer_link",
                    "environment",
                    "what",
                    "worth",
                    "reason",
                    "note",
                    "standing",
                )
            },
        ),
        ("Who", {"fields": (("asked_by", "asked_at"), "second", "decision", "taken_back")}),
        ("Led to", {"fields": ("transfer_link", "entitlement_link", "period", "returned_by")}),
    )
    readonly_fields = (
        "whole_viewer_link",
        "what",
        "worth",
        "standing",
        "second",
        "decision",
        "taken_back",
        "transfer_link",
        "entitlement_link",
        "period",
        "returned_by",
    )
    change_form_template = "admin/payments/grant/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.add_grant")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        people = ("asked_by", "decided_by", "revoked_by")
        queryset = super().get_queryset(request).select_related(*people, "cover")
        return with_titles(queryset, "episode__series")

    def get_ordering(self, request: HttpRequest) -> Sequence[str | OrderBy]:
        """What waits for somebody comes first."""
        return [Case(When(state=GrantState.WAITING, then=0), default=1).asc(), "-id"]

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        own = [
            path(
                "<uuid:grant_id>/decide/",
                guarded(require_POST(self.decide_view)),
                name="payments_grant_decide",
            ),
            path(
                "<uuid:grant_id>/take-back/",
                guarded(require_POST(self.take_back_view)),
                name="payments_grant_take_back",
            ),
        ]
        urls: list[URLPattern] = own + super().get_urls()
        return urls

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponseBase:
        return AskPage.as_view(model_admin=self)(request)

    def beside(self, request: HttpRequest, row: Grant) -> Mapping[str, Any]:
        return offers(request, row)

    def decide_view(self, request: HttpRequest, grant_id: UUID) -> HttpResponse:
        """A second person agrees or refuses, or whoever asked withdraws it."""
        grant = get_object_or_404(Grant, id=grant_id)
        is_approved = "approve" in request.POST
        if not (_may_approve(request.user) if is_approved else _may_refuse(request.user, grant)):
            raise PermissionDenied
        try:
            with transaction.atomic():
                outcome = grants.decide(
                    grant_id=grant_id,
                    operator_id=_operator_id(request),
                    is_approved=is_approved,
                    note=request.POST.get("note", ""),
                    now=clock.now(request),
                )
                level, said = _DECIDED[outcome]
                self.log_change(request, grant, said)
        except GrantRefused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.add_message(request, level, said)
        return redirect("admin:payments_grant_change", grant_id)

    def take_back_view(self, request: HttpRequest, grant_id: UUID) -> HttpResponse:
        """What is left of it goes back."""
        if not _may_approve(request.user):
            raise PermissionDenied
        grant = get_object_or_404(Grant, id=grant_id)
        try:
            with transaction.atomic():
                coins = grants.revoke(
                    grant_id=grant_id, operator_id=_operator_id(request), now=clock.now(request)
                )
                said = f"Taken back: {coins:,} coins." if grant.coins else "Taken back."
                self.log_change(request, grant, said)
        except GrantRefused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, said)
        return redirect("admin:payments_grant_change", grant_id)

    @admin.display(description="What")
    def what(self, grant: Grant) -> str:
        if grant.episode is not None:
            return f"{title(grant.episode.series)}, episode {grant.episode.number}"
        return describe(_gift(grant))

    @admin.display(description="Worth in coins", ordering="worth_coins")
    def worth(self, grant: Grant) -> str:
        return formats.coins(grant.worth_coins)

    @admin.display(description="State")
    def standing(self, grant: Grant) -> SafeString:
        state = GrantState(grant.state)
        return format_html(
            '<span class="{}">{}</span>', _TAGS.get(state, "ch-tag"), state.label.lower()
        )

    @admin.display(description="Second person")
    def second(self, grant: Grant) -> str:
        return "needed" if grant.needs_second else "not needed"

    @admin.display(description="Decided")
    def decision(self, grant: Grant) -> str:
        if grant.decided_by is None:
            return "–"
        note = f": {grant.decision_note}" if grant.decision_note else ""
        return f"{grant.decided_by}, {grant.decided_at:%Y-%m-%d %H:%M:%S}{note}"

    @admin.display(description="Taken back")
    def taken_back(self, grant: Grant) -> str:
        if grant.revoked_by is None:
            return "–"
        return f"{grant.revoked_by}, {grant.revoked_at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="Transfer")
    def transfer_link(self, grant: Grant) -> SafeString | str:
        return formats.link("transfer", grant.transfer_id) if grant.transfer_id else "–"

    @admin.display(description="Entitlement")
    def entitlement_link(self, grant: Grant) -> SafeString | str:
        return formats.link("entitlement", grant.entitlement_id) if grant.entitlement_id else "–"

    @admin.display(description="Pass")
    def period(self, grant: Grant) -> str:
        if grant.cover is None:
            return "–"
        return f"{grant.cover.starts_at:%Y-%m-%d %H:%M} to {grant.cover.ends_at:%Y-%m-%d %H:%M} UTC"

    @admin.display(description="Transfer that took it back")
    def returned_by(self, grant: Grant) -> SafeString | str:
        return formats.link("transfer", grant.revocation_id) if grant.revocation_id else "–"


_DECIDED = {
    Decided.GIVEN: (messages.SUCCESS, "Approved, and given."),
    Decided.REFUSED: (messages.SUCCESS, "Refused. Nothing was given."),
    Decided.ALREADY_OPEN: (
        messages.WARNING,
        "Closed with nothing given: the viewer may watch this episode already.",
    ),
}


def offers(request: HttpRequest, grant: Grant) -> dict[str, Any]:
    """What this operator can do about a grant, for its page."""
    is_own = grant.asked_by_id == _operator_id(request)
    may_approve = _may_approve(request.user)
    is_waiting, is_given = grant.state == GrantState.WAITING, grant.state == GrantState.GIVEN
    return {
        "is_waiting": is_waiting,
        "is_own": is_own,
        "may_approve": is_waiting and may_approve and not is_own,
        "may_refuse": is_waiting and _may_refuse(request.user, grant),
        "may_take_back": is_given and may_approve,
        "left": _left(grant) if is_given else "",
        "decision_form": DecisionForm(),
    }


def _may_approve(user: User | AnonymousUser) -> bool:
    return user.has_perm("payments.change_grant")


def _may_refuse(user: User | AnonymousUser, grant: Grant) -> bool:
    if _may_approve(user):
        return True
    return user.has_perm("payments.add_grant") and grant.asked_by_id == user.pk


def _left(grant: Grant) -> str:
    """What taking it back now would bring."""
    if grant.coins is None:
        return "the episode" if grant.episode_id else "what is left of the pass"
    lot = Lot.objects.filter(transfer__grant=grant).first()
    left_coins = lot.remaining_coins if lot else 0
    return f"{left_coins:,} of {grant.coins:,} coins"


def _gift(grant: Grant) -> Gift:
    if grant.coins is not None:
        return CoinGift(coins=grant.coins, expire_at=grant.coins_expire_at)
    return PassGift(days=grant.pass_days or 0)


def _operator_id(request: HttpRequest) -> int:
    assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
    return request.user.id
