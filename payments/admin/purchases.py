"""Purchases and the intents before them, as they were booked."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin, search_exactly
from payments.admin import formats
from payments.admin.columns import OfViewer
from payments.models import Provider, Purchase, PurchaseIntent
from viewers.models import Environment


@admin.register(Purchase)
class PurchaseAdmin(OfViewer, ReadOnlyAdmin):
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
        ("Store", {"fields": ("provider", "environment", "transaction_id", "purchased_at")}),
        (
            "Money",
            {"fields": ("gross", "tax", "fee", "net", "exchange_rate", "exchange_source")},
        ),
        ("Booked", {"fields": ("created_at",)}),
    )
    readonly_fields = ("whole_viewer_link", "coins", "transfer_link", "gross", "tax", "fee", "net")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """A transaction id is looked up in every store and environment, as the index is ordered."""
        by_store = Q(
            provider__in=Provider.values,
            environment__in=Environment.values,
            transaction_id=search_term.strip().replace("\x00", ""),
        )
        return search_exactly(queryset, self.exact_search_fields, search_term, by_store), False

    @admin.display(description="Coins")
    def coins(self, purchase: Purchase) -> str:
        bonus = f" + {purchase.bonus_coins:,} bonus" if purchase.bonus_coins else ""
        return f"{purchase.paid_coins:,}{bonus}"

    @admin.display(description="Transfer")
    def transfer_link(self, purchase: Purchase) -> SafeString:
        return formats.link("transfer", purchase.transfer_id)

    @admin.display(description="Price", ordering="gross_micros")
    def gross(self, purchase: Purchase) -> str:
        return formats.money(purchase.gross_micros, purchase.currency)

    @admin.display(description="Tax")
    def tax(self, purchase: Purchase) -> str:
        return formats.money(purchase.tax_micros)

    @admin.display(description="Store fee")
    def fee(self, purchase: Purchase) -> str:
        return formats.money(purchase.fee_micros)

    @admin.display(description="Net")
    def net(self, purchase: Purchase) -> str:
        return formats.money(purchase.net_micros)


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
