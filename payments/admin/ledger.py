"""The ledger as it stands: transfers, their entries, lots. Nothing here can be written."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter

from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin, ReadOnlyInline
from payments.admin import formats
from payments.admin.columns import OfViewer
from payments.chart import VIEWER_ACCOUNTS, Account, TransferCode
from payments.models import Entry, Lot, LotMovement, Transfer


class CodeFilter(DropdownFilter):  # type: ignore[misc]
    """By the code itself: its label in the chart of accounts says between which accounts."""

    title = "code"
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code.value, code.value.replace("_", " ").capitalize()) for code in TransferCode]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(code=self.value()) if self.value() else queryset


class AccountFilter(DropdownFilter):  # type: ignore[misc]
    """By account, named as in the ledger."""

    title = "account"
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(account.value, f"{account.value}: {account.label}") for account in Account]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(account=self.value()) if self.value() else queryset


class EntryInline(ReadOnlyInline):
    model = Entry
    fields = ("account_code", "moved", "balance_after", "sequence", "created_at")
    readonly_fields = fields
    ordering = ("id",)

    @admin.display(description="Account")
    def account_code(self, entry: Entry) -> str:
        return entry.account

    @admin.display(description="Coins")
    def moved(self, entry: Entry) -> str:
        return formats.signed_coins(entry.amount_coins)

    @admin.display(description="Balance after")
    def balance_after(self, entry: Entry) -> str:
        return formats.coins(entry.balance_after_coins)


class LotMovementInline(ReadOnlyInline):
    model = LotMovement
    fields = ("lot_link", "transfer_link", "coins", "value")
    readonly_fields = fields
    ordering = ("id",)

    @admin.display(description="Lot")
    def lot_link(self, movement: LotMovement) -> SafeString:
        return formats.link("lot", movement.lot_id)

    @admin.display(description="Transfer")
    def transfer_link(self, movement: LotMovement) -> SafeString:
        return formats.link("transfer", movement.transfer_id)

    @admin.display(description="Value")
    def value(self, movement: LotMovement) -> str:
        return formats.money(movement.value_micros)


@admin.register(Transfer)
class TransferAdmin(OfViewer, ReadOnlyAdmin):
    list_display = ("created_at", "what", "viewer_link", "moved", "environment", "event_at")
    list_filter = (
        ("environment", ChoicesDropdownFilter),
        CodeFilter,
        ("created_at", DayRangeFilter),
    )
    exact_search_fields = ("id", "viewer_id", "reference")
    search_help_text = "A whole viewer id, transfer id or reference"
    fields = (
        "id",
        "what",
        "whole_viewer_link",
        "environment",
        "reference",
        "event_at",
        "created_at",
    )
    readonly_fields = ("what", "whole_viewer_link")
    inlines = (EntryInline, LotMovementInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transfer]:
        queryset: QuerySet[Transfer] = super().get_queryset(request)
        return queryset.prefetch_related("entries")

    @admin.display(description="Code", ordering="code")
    def what(self, transfer: Transfer) -> str:
        return transfer.code.replace("_", " ").capitalize()

    @admin.display(description="Viewer's coins")
    def moved(self, transfer: Transfer) -> str:
        return describe(transfer.entries.all())


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "account_code", "moved", "balance_after", "transfer_link")
    list_filter = (
        ("environment", ChoicesDropdownFilter),
        AccountFilter,
        ("created_at", DayRangeFilter),
    )
    exact_search_fields = ("id", "transfer_id", "wallet__viewer_id")
    search_help_text = "A whole viewer id, transfer id or entry id"
    fields = (
        "id",
        "account_code",
        "moved",
        "balance_after",
        "sequence",
        "environment",
        "transfer_link",
        "created_at",
    )
    readonly_fields = ("account_code", "moved", "balance_after", "transfer_link")

    @admin.display(description="Account", ordering="account")
    def account_code(self, entry: Entry) -> str:
        return entry.account

    @admin.display(description="Coins")
    def moved(self, entry: Entry) -> str:
        return formats.signed_coins(entry.amount_coins)

    @admin.display(description="Balance after")
    def balance_after(self, entry: Entry) -> str:
        return formats.coins(entry.balance_after_coins)

    @admin.display(description="Transfer")
    def transfer_link(self, entry: Entry) -> SafeString:
        return formats.link("transfer", entry.transfer_id)


@admin.register(Lot)
class LotAdmin(OfViewer, ReadOnlyAdmin):
    list_display = (
        "granted_at",
        "viewer_link",
        "kind",
        "origin",
        "left",
        "value_left",
        "expires_at",
    )
    list_filter = (
        ("environment", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("origin", ChoicesDropdownFilter),
        ("granted_at", DayRangeFilter),
    )
    list_select_related = ("wallet",)
    exact_search_fields = ("id", "transfer_id", "transfer__viewer_id")
    search_help_text = "A whole viewer id, transfer id or lot id"
    fields = (
        "id",
        "whole_viewer_link",
        "environment",
        ("kind", "origin"),
        "left",
        "value_left",
        ("granted_at", "expires_at"),
        "transfer_link",
    )
    readonly_fields = ("whole_viewer_link", "left", "value_left", "transfer_link")
    inlines = (LotMovementInline,)

    def owner_id(self, row: Lot) -> UUID | None:
        return row.wallet.viewer_id

    @admin.display(description="Coins left")
    def left(self, lot: Lot) -> str:
        return f"{lot.remaining_coins:,} of {lot.granted_coins:,}"

    @admin.display(description="Value left")
    def value_left(self, lot: Lot) -> str:
        return f"{formats.money(lot.remaining_value_micros)} of {formats.money(lot.value_micros)}"

    @admin.display(description="Transfer")
    def transfer_link(self, lot: Lot) -> SafeString:
        return formats.link("transfer", lot.transfer_id)


def describe(entries: Sequence[Entry] | QuerySet[Entry]) -> str:
    """What entries did to a viewer's accounts: `+500 paid, +50 bonus`."""
    own = [entry for entry in entries if entry.account in VIEWER_ACCOUNTS]
    return ", ".join(f"{formats.signed_coins(e.amount_coins)} {e.account}" for e in own) or "–"
