"""Coin packs and the terms of stores: what coins cost in money."""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminIntegerFieldWidget

from config import clock
from payments.admin import formats
from payments.admin.price_tags import PriceTagForm, StoreNames
from payments.models import CoinPack, StoreTerms
from payments.money import PARTS_PER_MILLION

MAXIMUM_COINS = 10_000_000
PARTS_PER_PERCENT = PARTS_PER_MILLION // 100


class CoinPackForm(PriceTagForm):
    priced = "Packs"
    paid_coins = forms.IntegerField(
        min_value=1, max_value=MAXIMUM_COINS, widget=UnfoldAdminIntegerFieldWidget
    )
    bonus_coins = forms.IntegerField(
        min_value=0,
        max_value=MAXIMUM_COINS,
        initial=0,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Given free with the purchase.",
    )

    class Meta:
        model = CoinPack
        fields = (
            "code",
            "title",
            "paid_coins",
            "bonus_coins",
            "price",
            "currency",
            "is_active",
            "position",
        )


class StoreProductInline(StoreNames):
    fk_name = "pack"
    verbose_name_plural = "What each store calls this pack"


@admin.register(CoinPack)
class CoinPackAdmin(ModelAdmin):  # type: ignore[misc]
    """Packs are switched off, never deleted: purchases name them."""

    form = CoinPackForm
    list_display = ("title", "code", "price", "paid", "bonus", "rate", "on_sale", "position")
    list_filter = ("is_active",)
    search_fields = ("code", "title")
    show_full_result_count = False
    inlines = (StoreProductInline,)
    fieldsets = (
        (None, {"fields": ("title", "code")}),
        ("Coins", {"fields": (("paid_coins", "bonus_coins"),)}),
        ("Price", {"fields": (("price", "currency"),)}),
        ("In the app", {"fields": ("is_active", "position")}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: CoinPack, form: CoinPackForm, change: bool
    ) -> None:
        if not change:
            obj.created_at = clock.now(request)
        super().save_model(request, obj, form, change)

    @admin.display(description="On sale", boolean=True, ordering="is_active")
    def on_sale(self, pack: CoinPack) -> bool:
        return pack.is_active

    @admin.display(description="Price", ordering="price_micros")
    def price(self, pack: CoinPack) -> str:
        return formats.money(pack.price_micros, pack.currency)

    @admin.display(description="Coins", ordering="paid_coins")
    def paid(self, pack: CoinPack) -> str:
        return formats.coins(pack.paid_coins)

    @admin.display(description="Bonus", ordering="bonus_coins")
    def bonus(self, pack: CoinPack) -> str:
        return f"+{pack.bonus_coins:,}" if pack.bonus_coins else "–"

    @admin.display(description=f"Coins per {settings.REPORTING_CURRENCY}")
    def rate(self, pack: CoinPack) -> str:
        coins = pack.paid_coins + pack.bonus_coins
        return f"{Decimal(coins * PARTS_PER_MILLION) / pack.price_micros:.1f}"


class StoreTermsForm(forms.ModelForm[StoreTerms]):
    """Shares are typed in percent and kept in parts per million."""

    fee_percent = forms.DecimalField(
        label="Store fee, %",
        min_value=0,
        max_value=100,
        max_digits=7,
        decimal_places=4,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="Of what is left of the price after tax.",
    )
    tax_percent = forms.DecimalField(
        label="Tax inside the price, %",
        min_value=0,
        max_value=100,
        max_digits=7,
        decimal_places=4,
        initial=0,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="Of the price without tax: 20 for 20 % VAT.",
    )

    class Meta:
        model = StoreTerms
        fields = ("provider", "effective_from")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.fee_parts_per_million is not None:
            self.initial["fee_percent"] = percent(self.instance.fee_parts_per_million)
            self.initial["tax_percent"] = percent(self.instance.tax_parts_per_million)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for name in ("fee", "tax"):
            share = cleaned.get(f"{name}_percent")
            if share is not None:
                setattr(self.instance, f"{name}_parts_per_million", int(share * PARTS_PER_PERCENT))
        return cleaned


@admin.register(StoreTerms)
class StoreTermsAdmin(ModelAdmin):  # type: ignore[misc]
    """Terms in force are history: purchases were divided by them. Later ones can still change."""

    form = StoreTermsForm
    list_display = ("provider", "effective_from", "fee_percent", "tax_percent")
    list_filter = ("provider",)
    fields = ("provider", "effective_from", "fee_percent", "tax_percent")
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and _is_ahead(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """One by one on their own page, where it can be seen whether they are in force."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and obj is not None and _is_ahead(request, obj)

    @admin.display(description="Store fee")
    def fee_percent(self, terms: StoreTerms) -> str:
        return f"{percent(terms.fee_parts_per_million)} %"

    @admin.display(description="Tax")
    def tax_percent(self, terms: StoreTerms) -> str:
        return f"{percent(terms.tax_parts_per_million)} %"


def percent(parts_per_million: int) -> str:
    """150000 as `15`, 82500 as `8.25`."""
    return f"{(Decimal(parts_per_million) / PARTS_PER_PERCENT).normalize():f}"


def _is_ahead(request: HttpRequest, obj: Model | None) -> bool:
    return not isinstance(obj, StoreTerms) or obj.effective_from > clock.now(request)
