"""Who brought whom; an operator may have one pay nothing, as long as it has not been paid."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from ads.growth import referrals
from ads.models import Referral, VoidReason
from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import formats


@admin.register(Referral)
class ReferralAdmin(ReadOnlyAdmin):
    list_display = (
        "bound_at",
        "referrer_link",
        "invitee_link",
        "state",
        "void_reason",
        "due_at",
        "environment",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("environment", ChoicesDropdownFilter),
        ("bound_at", DayRangeFilter),
    )
    actions: Sequence[str] = ("void_selected",)
    exact_search_fields: Sequence[str] = ("id", "referrer_id", "invitee_id", "transfer_id")
    search_help_text = "A whole viewer, referral or transfer id"
    fields = (
        "id",
        ("referrer_link", "invitee_link"),
        ("state", "void_reason"),
        ("bound_at", "due_at", "closed_at"),
        "environment",
        "transfer_link",
    )
    readonly_fields = ("referrer_link", "invitee_link", "transfer_link")

    def has_void_permission(self, request: HttpRequest) -> bool:
        """Who may decide on them at all."""
        return request.user.has_perm("ads.change_referral")

    @admin.action(description="Have them pay nothing", permissions=["void"])
    def void_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Those that were paid, or voided before, stay as they are."""
        now = clock.now(request)
        voided = [
            referral
            for referral in queryset
            if referrals.void(referral, reason=VoidReason.OPERATOR, now=now)
        ]
        for referral in voided:
            self.log_change(request, referral, "Has it pay nothing.")
        messages.success(request, f"{len(voided)} of {len(queryset)} pay nothing from now on.")

    @admin.display(description="Brought by")
    def referrer_link(self, referral: Referral) -> SafeString | str:
        return formats.viewer_link(referral.referrer_id)

    @admin.display(description="Viewer")
    def invitee_link(self, referral: Referral) -> SafeString | str:
        return formats.viewer_link(referral.invitee_id)

    @admin.display(description="Transfer")
    def transfer_link(self, referral: Referral) -> SafeString | str:
        if referral.transfer_id is None:
            return "–"
        return formats.link("transfer", referral.transfer_id)
