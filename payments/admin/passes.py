"""Passes: what is on sale, and what was bought, as it was booked."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, Q
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminRadioSelectWidget

from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import formats
from payments.admin.columns import OfViewer
from payments.admin.explained import Explained
from payments.admin.price_tags import PriceTagForm, StoreNames
from payments.admin.refund_page import PassRefundPage
from payments.admin.sold import BOOKED, MONEY, STORE, Sold
from payments.models import (
    Cover,
    PassIntent,
    PassProduct,
    PassPurchase,
    PassRefundBooking,
)
from payments.store import passes, refunds

SHOWN_BOOKINGS = 50

#: By the months and days that each is.
PERIODS: Mapping[str, tuple[int, int]] = {
    "week": (0, 7),
    "month": (1, 0),
    "quarter": (3, 0),
    "half": (6, 0),
    "year": (12, 0),
}
DAYS = "days"


class PassProductForm(PriceTagForm):
    """The period is chosen by its name; only days are counted."""

    priced = "Passes"
    period = forms.ChoiceField(
        choices=[
            ("week", "A week"),
            ("month", "A month"),
            ("quarter", "Three months"),
            ("half", "Six months"),
            ("year", "A year"),
            (DAYS, "Days"),
        ],
        widget=UnfoldAdminRadioSelectWidget,
        initial="week",
        help_text="What was bought, or is being bought, keeps the length that it was offered with.",
    )
    days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=366,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="How many, for a pass of days.",
    )

    class Meta:
        model = PassProduct
        fields = (
            *("code", "title", "is_renewing", "period_coins", "transfer_policy"),
            *("price", "currency", "is_active", "position"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        length = (self.instance.period_months, self.instance.period_days)
        if any(length):
            names = [name for name, period in PERIODS.items() if period == length]
            self.initial["period"] = names[0] if names else DAYS
            self.initial["days"] = None if names else self.instance.period_days

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        period, days = cleaned.get("period"), cleaned.get("days")
        if period == DAYS and days is None and "days" not in self.errors:
            self.add_error("days", "Say how many days the pass is for.")
        elif period not in (None, DAYS) and days is not None:
            self.add_error(
                "days", "Leave this empty, or choose Days: the period says how long it is."
            )
        elif period is not None and "days" not in self.errors:
            months, days = PERIODS.get(period, (0, days or 0))
            self.instance.period_months, self.instance.period_days = months, days
        if cleaned.get("period_coins") and not cleaned.get("is_renewing"):
            self.add_error("period_coins", "Only what renews by itself brings coins each period.")
        return cleaned


class StorePassInline(StoreNames):
    fk_name = "pass_product"
    verbose_name_plural = "What each store calls this pass"


@admin.register(PassProduct)
class PassProductAdmin(ModelAdmin):  # type: ignore[misc]
    """Passes are switched off, never deleted: purchases name them."""

    form = PassProductForm
    list_display = ("title", "code", "length", "price", "renews", "on_sale", "position")
    list_filter = ("is_active",)
    search_fields = ("code", "title")
    show_full_result_count = False
    inlines = (StorePassInline,)
    fieldsets = (
        (None, {"fields": ("title", "code")}),
        ("Period", {"fields": ("period", "days")}),
        ("Subscription", {"fields": ("is_renewing", "period_coins", "transfer_policy")}),
        ("Price", {"fields": (("price", "currency"),)}),
        ("In the app", {"fields": ("is_active", "position")}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Who may only look has no form, and its fields are read from the row."""
        if self.has_change_permission(request, obj) or obj is None:
            return self.fieldsets
        return (
            (None, {"fields": ("title", "code")}),
            ("Period", {"fields": ("length",)}),
            ("Subscription", {"fields": ("is_renewing", "period_coins", "transfer_policy")}),
            ("Price", {"fields": ("price",)}),
            ("In the app", {"fields": ("is_active", "position")}),
        )

    def save_model(
        self, request: HttpRequest, obj: PassProduct, form: PassProductForm, change: bool
    ) -> None:
        if not change:
            obj.created_at = clock.now(request)
        super().save_model(request, obj, form, change)

    @admin.display(description="On sale", boolean=True, ordering="is_active")
    def on_sale(self, product: PassProduct) -> bool:
        return product.is_active

    @admin.display(description="Renews", boolean=True, ordering="is_renewing")
    def renews(self, product: PassProduct) -> bool:
        return product.is_renewing

    @admin.display(description="Price", ordering="price_micros")
    def price(self, product: PassProduct) -> str:
        return formats.money(product.price_micros, product.currency)

    @admin.display(description="Period")
    def length(self, product: PassProduct) -> str:
        return length(product.period_months, product.period_days)


@admin.register(PassPurchase)
class PassPurchaseAdmin(Sold, OfViewer, Explained, ReadOnlyAdmin):
    list_display = (
        "created_at",
        "viewer_link",
        "product",
        "gross",
        "net",
        "starts_at",
        "ends_at",
        "provider",
        "environment",
    )
    list_filter = (
        ("environment", ChoicesDropdownFilter),
        ("provider", ChoicesDropdownFilter),
        ("created_at", DayRangeFilter),
    )
    list_select_related = ("product",)
    exact_search_fields: Sequence[str] = ("id", "viewer_id", "cover_id", "intent_id")
    search_help_text = "A store's transaction id, or a whole viewer, cover or intent id"
    fieldsets = (
        (None, {"fields": ("id", "whole_viewer_link", "product", "intent", "cover_id")}),
        ("Cover", {"fields": ("length", "starts_at", "ends_at", "anchor_at", "anchor_months")}),
        STORE,
        MONEY,
        BOOKED,
    )
    readonly_fields = (
        "whole_viewer_link",
        "length",
        "cover_id",
        "gross",
        "tax",
        "fee",
        "beyond",
        "net",
    )
    change_form_template = "admin/payments/passpurchase/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        refund = path(
            "<uuid:purchase_id>/refund/",
            self.admin_site.admin_view(PassRefundPage.as_view(model_admin=self)),
            name="payments_passpurchase_refund",
        )
        urls: list[URLPattern] = [refund, *super().get_urls()]
        return urls

    def beside(self, request: HttpRequest, row: PassPurchase) -> Mapping[str, Any]:
        return explain(request, row)

    @admin.display(description="Period")
    def length(self, purchase: PassPurchase) -> str:
        return length(purchase.period_months, purchase.period_days)


@admin.register(PassIntent)
class PassIntentAdmin(OfViewer, ReadOnlyAdmin):
    list_display = ("created_at", "viewer_link", "product", "length", "provider")
    list_filter = (("provider", ChoicesDropdownFilter), ("created_at", DayRangeFilter))
    list_select_related = ("product",)
    exact_search_fields = ("id", "viewer_id")
    search_help_text = "A whole viewer id or intent id"
    fields = ("id", "whole_viewer_link", "product", "length", "provider", "created_at")
    readonly_fields = ("whole_viewer_link", "length")

    @admin.display(description="Length promised")
    def length(self, intent: PassIntent) -> str:
        return length(intent.period_months, intent.period_days)


def length(months: int, days: int) -> str:
    """A pass's length in words: `1 month`, `7 days`; a subscription's period is as long as its store says."""
    if not months and not days:
        return "a period"
    number, unit = (months, "month") if months else (days, "day")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def explain(request: HttpRequest, purchase: PassPurchase) -> dict[str, Any]:
    """How far a pass has run, what it has earned, and the money of it that went back."""
    now = clock.now(request)
    worth = purchase.net_micros - refunds.refunded_net_micros(purchase)
    earned = refunds.earned_micros(worth, purchase, at=now)
    bookings = PassRefundBooking.objects.filter(purchase=purchase).order_by("-id")
    rows = bookings.select_related("refund__asked_by")[:SHOWN_BOOKINGS]
    return {
        "state": _state(purchase, now),
        "earned": formats.money(earned),
        "ahead": formats.money(worth - earned),
        "back": formats.money(purchase.net_micros - worth),
        "bookings": [_booked(row, purchase) for row in rows],
        "may_refund": request.user.has_perm("payments.add_refund"),
    }


def _state(purchase: PassPurchase, now: datetime) -> str:
    """How a pass stands. A subscription's period covers nothing by itself: its time runs, or its money went back."""
    cover = (
        Cover.objects.filter(Q(id=purchase.cover_id) | Q(pass_refund_booking__purchase=purchase))
        .order_by("-id")
        .first()
    )
    if cover is None:
        cover = Cover(
            starts_at=purchase.starts_at,
            ends_at=purchase.ends_at,
            closed_at=now if refunds.is_refunded(purchase) else None,
        )
    return passes.state_of(cover, now).replace("_", " ")


def _booked(booking: PassRefundBooking, purchase: PassPurchase) -> dict[str, Any]:
    refund = booking.refund
    shown: dict[str, SafeString | Any] = {
        "at": booking.created_at,
        "what": "Given back" if booking.undoes_id else "Taken",
        "by": refund.asked_by or refund.get_origin_display(),
        "gross": formats.money(booking.gross_micros, purchase.currency),
        "net": formats.money(booking.net_micros),
        "link": formats.link("refund", refund.id),
    }
    return shown
