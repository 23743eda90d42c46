"""Prices as they are printed on a price tag, of what stores sell for us."""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from payments.admin import formats
from payments.models import StoreProduct
from payments.money import PARTS_PER_MILLION


class PriceTagForm(forms.ModelForm):  # type: ignore[type-arg]
    """The form of a model with `price_micros` and `currency`: the price is typed as an amount."""

    price = forms.DecimalField(
        min_value=Decimal("0.01"),
        max_value=Decimal(100_000),
        max_digits=8,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="What the store charges, for example 4.99.",
    )
    currency = forms.CharField(max_length=3, widget=UnfoldAdminTextInputWidget)
    #: What is priced, as a sentence begins.
    priced = "Products"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.price_micros:
            shown = formats.money(self.instance.price_micros).partition(" ")[0]
            self.initial["price"] = shown.replace(",", "")
        else:
            self.initial["currency"] = settings.REPORTING_CURRENCY

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).strip().upper()
        if currency != settings.REPORTING_CURRENCY:
            raise forms.ValidationError(
                f"{self.priced} are priced in {settings.REPORTING_CURRENCY}, the currency that this "
                "service reports in. What a store charges elsewhere is its own affair."
            )
        return currency

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if price := cleaned.get("price"):
            self.instance.price_micros = int(price * PARTS_PER_MILLION)
        return cleaned


class StoreNames(TabularInline):  # type: ignore[misc]
    """What each store calls a product, whose foreign key `fk_name` is."""

    model = StoreProduct
    extra = 0
    fields = ("provider", "store_product_id")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A new name is a new row, and the latest is offered; sales under the old one are honoured."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A store goes on selling under a name long after it was taken off: keep answering to it."""
        return False
