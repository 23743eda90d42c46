"""Purchases and the intents before them, as they were booked."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import formats
from payments.admin.columns import OfViewer
from payments.admin.explained import Explained
from payments.admin.packs import percent
from payments.admin.refund_page import RefundPage
from payments.admin.sold import BOOKED, MONEY, STORE, Sold
from payments.models import Purchase, PurchaseIntent, RefundBooking
from payments.store import consumption

SHOWN_BOOKINGS = 50


@admin.register(Purchase)
class PurchaseAdmin(Sold, OfViewer, Explained, ReadOnlyAdmin):
    list_display = (
        "created_at",
        "viewer_link",
        "pack",
        "gross",
        "net",
        "coins",
        "provider",
        "environment",
    )
    list_filter = (
        ("environment", ChoicesDropdownFilter),
        ("provider", ChoicesDropdownFilter),
        ("created_at", DayRangeFilter),
    )
    list_select_related = ("pack",)
    exact_search_fields: Sequence[str] = ("id", "viewer_id", "transfer_id", "intent_id")
    search_help_text = "A store's transaction id, or a whole viewer, transfer or intent id"
    fieldsets = (
        (None, {"fields": ("id", "whole_viewer_link", "pack", "coins", "transfer_link", "intent")}),
        STORE,
        MONEY,
        BOOKED,
    )
    readonly_fields = (
        "whole_viewer_link",
        "coins",
        "transfer_link",
        "gross",
        "tax",
        "fee",
        "beyond",
        "net",
    )
    change_form_template = "admin/payments/purchase/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        refund = path(
            "<uuid:purchase_id>/refund/",
            self.admin_site.admin_view(RefundPage.as_view(model_admin=self)),
            name="payments_purchase_refund",
        )
        urls: list[URLPattern] = [refund, *super().get_urls()]
        return urls

    def beside(self, request: HttpRequest, row: Purchase) -> Mapping[str, Any]:
        return explain(request, row)

    @admin.display(description="Coins")
    def coins(self, purchase: Purchase) -> str:
        bonus = f" + {purchase.bonus_coins:,} bonus" if purchase.bonus_coins else ""
        return f"{purchase.paid_coins:,}{bonus}"

    @admin.display(description="Transfer")
    def transfer_link(self, purchase: Purchase) -> SafeString:
        return formats.link("transfer", purchase.transfer_id)


def explain(request: HttpRequest, purchase: Purchase) -> dict[str, Any]:
    """What became of a purchase: its coins, and the money of it that went back."""
    used = consumption.of_purchases([purchase])[purchase.id]
    bookings = RefundBooking.objects.filter(purchase=purchase).order_by("-id")
    rows = bookings.select_related("refund__asked_by")[:SHOWN_BOOKINGS]
    return {
        "consumed_percent": percent(used.consumed_parts_per_million),
        "consumption": {
            "granted": formats.coins(used.granted_coins),
            "spent": formats.coins(used.spent_coins),
            "expired": formats.coins(used.expired_coins),
            "refunded": formats.coins(used.refunded_coins),
            "remaining": formats.coins(used.remaining_coins),
        },
        "bookings": [_booked(row, purchase) for row in rows],
        "shown_bookings": SHOWN_BOOKINGS,
        "may_refund": request.user.has_perm("payments.add_refund"),
    }


def _booked(booking: RefundBooking, purchase: Purchase) -> dict[str, Any]:
    refund = booking.refund
    return {
        "at": booking.created_at,
        "what": "Given back" if booking.undoes_id else "Taken",
        "by": refund.asked_by or refund.get_origin_display(),
        "gross": formats.money(booking.gross_micros, purchase.currency),
        "net": formats.money(booking.net_micros),
        "taken": formats.coins(booking.taken_coins),
        "debt": formats.coins(booking.debt_coins),
        "link": formats.link("refund", refund.id),
    }


@admin.register(PurchaseIntent)
class PurchaseIntentAdmin(OfViewer, ReadOnlyAdmin):
    list_display = ("created_at", "viewer_link", "pack", "coins", "provider")
    list_filter = (("provider", ChoicesDropdownFilter), ("created_at", DayRangeFilter))
    list_select_related = ("pack",)
    exact_search_fields = ("id", "viewer_id")
    search_help_text = "A whole viewer id or intent id"
    fields = ("id", "whole_viewer_link", "pack", "coins", "provider", "created_at")
    readonly_fields = ("whole_viewer_link", "coins")

    @admin.display(description="Coins promised")
    def coins(self, intent: PurchaseIntent) -> str:
        bonus = f" + {intent.bonus_coins:,} bonus" if intent.bonus_coins else ""
        return f"{intent.paid_coins:,}{bonus}"
