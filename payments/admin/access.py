"""What viewers unlocked, and what they may watch because of it."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import formats, why
from payments.admin.columns import OfViewer
from payments.admin.explained import Explained
from payments.admin.refund_page import UndoPage
from payments.admin.series_choice import title, with_titles
from payments.admin.why import WhyPage
from payments.models import AutoUnlockConsent, Entitlement, Unlock, UnlockReversal


@admin.register(Unlock)
class UnlockAdmin(OfViewer, Explained, ReadOnlyAdmin):
    list_display = (
        "created_at",
        "viewer_link",
        "what",
        "price",
        "value",
        "environment",
    )
    list_filter = (
        ("environment", ChoicesDropdownFilter),
        ("way", ChoicesDropdownFilter),
        ("created_at", DayRangeFilter),
    )
    # By the transfer's viewer: that is the column an index begins with.
    exact_search_fields = ("id", "transfer_id", "entitlement_id", "transfer__viewer_id")
    search_help_text = "A whole viewer id, transfer id, entitlement id or unlock id"
    fields = (
        "id",
        "whole_viewer_link",
        "what",
        ("way", "bundle_id"),
        "price",
        "value",
        "environment",
        "arm",
        "price_version",
        "transfer_link",
        "entitlement_link",
        "why_link",
        ("playback_session_id", "position_ms"),
        "created_at",
    )
    readonly_fields = (
        "whole_viewer_link",
        "what",
        "price",
        "value",
        "transfer_link",
        "entitlement_link",
        "why_link",
    )
    change_form_template = "admin/payments/unlock/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        undo = path(
            "<uuid:unlock_id>/undo/",
            self.admin_site.admin_view(UndoPage.as_view(model_admin=self)),
            name="payments_unlock_undo",
        )
        urls: list[URLPattern] = [undo, *super().get_urls()]
        return urls

    def beside(self, request: HttpRequest, row: Unlock) -> Mapping[str, Any]:
        return later(request, row)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Unlock]:
        return with_titles(super().get_queryset(request), "episode__series")

    @admin.display(description="Episode")
    def what(self, unlock: Unlock) -> str:
        return f"{title(unlock.episode.series)}, episode {unlock.episode.number}"

    @admin.display(description="Coins", ordering="price_coins")
    def price(self, unlock: Unlock) -> str:
        kinds = {"paid": unlock.paid_coins, "bonus": unlock.bonus_coins}
        return " + ".join(f"{coins:,} {kind}" for kind, coins in kinds.items() if coins)

    @admin.display(description="Revenue recognised")
    def value(self, unlock: Unlock) -> str:
        return formats.money(unlock.value_micros)

    @admin.display(description="Transfer")
    def transfer_link(self, unlock: Unlock) -> SafeString:
        return formats.link("transfer", unlock.transfer_id)

    @admin.display(description="Entitlement")
    def entitlement_link(self, unlock: Unlock) -> SafeString:
        return formats.link("entitlement", unlock.entitlement_id)

    @admin.display(description="Explained")
    def why_link(self, unlock: Unlock) -> SafeString:
        return why.link(
            viewer_id=unlock.viewer_id,
            environment=unlock.environment,
            episode_id=unlock.episode_id,
            at=unlock.created_at,
        )


def later(request: HttpRequest, unlock: Unlock) -> dict[str, Any]:
    """What happened to an unlock afterwards, and whether this operator may undo it."""
    reversals = UnlockReversal.objects.select_related("asked_by", "booking")
    reversal = reversals.filter(unlock=unlock).first()
    corrections = list(unlock.corrections.order_by("id"))
    is_whole = reversal is None and sum(row.coins for row in corrections) == 0
    booking = reversal.booking if reversal else None
    restored_id = reversal.restored_as_id if reversal else None
    return {
        "reversal": reversal,
        "refund_link": formats.link("refund", booking.refund_id) if booking else "",
        "restored_link": formats.link("unlock", restored_id) if restored_id else "",
        "corrections": [
            {
                "at": row.created_at,
                "coins": formats.signed_coins(row.coins),
                "value": formats.money(row.value_micros),
                "link": formats.link("transfer", row.transfer_id),
            }
            for row in corrections
        ],
        "may_undo": is_whole and request.user.has_perm("payments.add_unlockreversal"),
    }


@admin.register(AutoUnlockConsent)
class AutoUnlockConsentAdmin(OfViewer, ReadOnlyAdmin):
    """What viewers have agreed to pay without being asked each time. They end it, nobody else."""

    list_display = ("agreed_at", "viewer_link", "what", "cap", "ended_at", "environment")
    list_filter = (
        ("environment", ChoicesDropdownFilter),
        ("agreed_at", DayRangeFilter),
    )
    exact_search_fields = ("id", "viewer_id")
    search_help_text = "A whole viewer id or consent id"
    fields = (
        "id",
        "whole_viewer_link",
        "environment",
        "what",
        "cap",
        "price_version",
        ("agreed_at", "ended_at"),
    )
    readonly_fields = ("whole_viewer_link", "what", "cap")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AutoUnlockConsent]:
        return with_titles(super().get_queryset(request), "series")

    @admin.display(description="Series")
    def what(self, consent: AutoUnlockConsent) -> str:
        return title(consent.series)

    @admin.display(description="Coins a day at most", ordering="daily_cap_coins")
    def cap(self, consent: AutoUnlockConsent) -> str:
        return formats.coins(consent.daily_cap_coins)


@admin.register(Entitlement)
class EntitlementAdmin(OfViewer, ReadOnlyAdmin):
    list_display = (
        "starts_at",
        "viewer_link",
        "what",
        "source",
        "ends_at",
        "closed_at",
        "first_played_at",
        "environment",
    )
    list_filter = (
        ("environment", ChoicesDropdownFilter),
        ("source", ChoicesDropdownFilter),
        ("starts_at", DayRangeFilter),
    )
    exact_search_fields = ("id", "viewer_id")
    search_help_text = "A whole viewer id or entitlement id"
    fields = (
        "id",
        "whole_viewer_link",
        "what",
        "source",
        "environment",
        ("starts_at", "ends_at"),
        "closed_at",
        "first_played_at",
        "why_link",
    )
    readonly_fields = ("whole_viewer_link", "what", "why_link")

    def get_urls(self) -> list[URLPattern]:
        explained = path(
            "why/",
            self.admin_site.admin_view(WhyPage.as_view(model_admin=self)),
            name=why.URL_NAME,
        )
        urls: list[URLPattern] = [explained, *super().get_urls()]
        return urls

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entitlement]:
        return with_titles(super().get_queryset(request), "episode__series")

    @admin.display(description="Episode")
    def what(self, entitlement: Entitlement) -> str:
        return f"{title(entitlement.episode.series)}, episode {entitlement.episode.number}"

    @admin.display(description="Explained")
    def why_link(self, entitlement: Entitlement) -> SafeString:
        return why.link(
            viewer_id=entitlement.viewer_id,
            environment=entitlement.environment,
            episode_id=entitlement.episode_id,
        )
