"""Offers: packs with another bonus, while time and stock last, and who has a place of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import formats
from payments.admin.columns import OfViewer
from payments.admin.packs import MAXIMUM_COINS
from payments.models import ClaimState, CoinPack, Offer, OfferClaim, OfferKind

MAXIMUM_STOCK = 10_000_000
MAXIMUM_PER_VIEWER = 1000
#: An offer gives at most so many bonus coins for each that is paid for: more is a slip of the keyboard.
MAXIMUM_BONUS_TIMES = 10
#: What has been promised under an offer goes on naming these.
FIXED = ("code", "pack", "kind")
EDITABLE = (
    "title",
    "bonus_coins",
    "starts_at",
    "ends_at",
    "stock",
    "per_viewer_limit",
    "position",
    "is_active",
)


class OfferForm(forms.ModelForm[Offer]):
    """What is refused here says what to do instead."""

    bonus_coins = forms.IntegerField(
        min_value=1,
        max_value=MAXIMUM_COINS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="In place of the pack's own bonus, not on top of it.",
    )
    stock = forms.IntegerField(
        min_value=1,
        max_value=MAXIMUM_STOCK,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="How often it is sold to all viewers. Empty: no limit.",
    )
    per_viewer_limit = forms.IntegerField(
        min_value=1,
        max_value=MAXIMUM_PER_VIEWER,
        initial=1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="How often one viewer may have it. A first top-up is had once.",
    )

    class Meta:
        model = Offer
        fields = (*FIXED, *EDITABLE)

    def clean_stock(self) -> int | None:
        """The row is locked from here on: nobody takes a place while it is being saved."""
        stock: int | None = self.cleaned_data["stock"]
        if self.instance.pk is None or self.instance._state.adding:  # noqa: SLF001  Django's name for it
            return stock
        held = Offer.objects.select_for_update(no_key=True).get(pk=self.instance.pk)
        taken = max(held.taken_count, held.sandbox_taken_count)
        if stock is not None and stock < taken:
            raise forms.ValidationError(
                f"{taken:,} places are held or sold already: make the stock {taken:,} or more, or "
                "switch the offer off."
            )
        return stock

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        kind = cleaned.get("kind") or self.instance.kind
        if kind == OfferKind.FIRST_TOP_UP and cleaned.get("per_viewer_limit", 1) != 1:
            self.add_error("per_viewer_limit", "A first top-up is had once: make this 1.")
        pack = cleaned.get("pack") or (self.instance.pack if self.instance.pack_id else None)
        self._check_bonus(pack, cleaned.get("bonus_coins"))
        self._check_period(cleaned.get("starts_at"), cleaned.get("ends_at"))
        return cleaned

    def _check_bonus(self, pack: CoinPack | None, bonus_coins: int | None) -> None:
        if pack is None or bonus_coins is None:
            return
        most_coins = MAXIMUM_BONUS_TIMES * pack.paid_coins
        if bonus_coins > most_coins:
            self.add_error(
                "bonus_coins",
                f"The pack sells {pack.paid_coins:,} coins: an offer adds {most_coins:,} at most, "
                f"{MAXIMUM_BONUS_TIMES} times as many.",
            )
        if pack.is_active and bonus_coins <= pack.bonus_coins:
            self.add_error(
                "bonus_coins",
                f"The pack gives {pack.bonus_coins:,} bonus coins by itself: give more than that, "
                "or nobody is better off.",
            )

    def _check_period(self, starts_at: datetime | None, ends_at: datetime | None) -> None:
        if starts_at and ends_at and ends_at <= starts_at:
            self.add_error("ends_at", "It ends before it begins: choose a later end.")


@admin.register(Offer)
class OfferAdmin(ModelAdmin):  # type: ignore[misc]
    """Offers are switched off, never deleted: claims and purchases name them."""

    form = OfferForm
    list_display = (
        "title",
        "code",
        "kind",
        "pack",
        "bonus",
        "standing",
        "taken",
        "starts_at",
        "ends_at",
    )
    list_filter = (("kind", ChoicesDropdownFilter), "is_active")
    list_select_related = ("pack",)
    search_fields = ("code", "title")
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("title", "code", "kind", "pack", "bonus_coins")}),
        ("While it lasts", {"fields": (("starts_at", "ends_at"), ("stock", "per_viewer_limit"))}),
        ("In the app", {"fields": ("is_active", "position")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Offer | None = None) -> Any:
        counts = ("So far", {"fields": (("sold", "held"), "for_testers")})
        return self.fieldsets if obj is None else (*self.fieldsets, counts)

    def get_readonly_fields(self, request: HttpRequest, obj: Offer | None = None) -> Sequence[str]:
        return () if obj is None else (*FIXED, "sold", "held", "for_testers")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Offer]:
        production = Q(claims__environment="production")
        queryset: QuerySet[Offer] = super().get_queryset(request)
        return queryset.annotate(
            sold_count=Count("claims", filter=production & Q(claims__state=ClaimState.USED))
        )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Offer, form: OfferForm, change: bool) -> None:
        """A change writes no more than an operator may: the counts are the database's own."""
        if change:
            obj.save(update_fields=EDITABLE)
            return
        obj.created_at = clock.now(request)
        obj.save()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        self.now = clock.now(request)
        return super().changelist_view(request, extra_context)

    @admin.display(description="Bonus", ordering="bonus_coins")
    def bonus(self, offer: Offer) -> str:
        return f"+{offer.bonus_coins:,}"

    @admin.display(description="Taken")
    def taken(self, offer: Offer) -> str:
        return f"{offer.taken_count:,}" + (f" of {offer.stock:,}" if offer.stock else "")

    @admin.display(description="Stands")
    def standing(self, offer: Offer) -> str:
        if not offer.is_active:
            return "Switched off"
        if offer.starts_at > self.now:
            return "Ahead"
        if offer.ends_at is not None and offer.ends_at <= self.now:
            return "Over"
        return "Sold out" if offer.left("production") == 0 else "On"

    @admin.display(description="Sold")
    def sold(self, offer: Offer) -> str:
        return formats.coins(self._sold(offer))

    @admin.display(description="Held for viewers who are paying")
    def held(self, offer: Offer) -> str:
        return formats.coins(offer.taken_count - self._sold(offer))

    @admin.display(description="Taken by testers")
    def for_testers(self, offer: Offer) -> str:
        return formats.coins(offer.sandbox_taken_count)

    def _sold(self, offer: Offer) -> int:
        sold: int = offer.sold_count  # type: ignore[attr-defined]
        return sold


@admin.register(OfferClaim)
class OfferClaimAdmin(OfViewer, ReadOnlyAdmin):
    """Places of offers: held, sold or given back."""

    list_display = (
        "created_at",
        "viewer_link",
        "offer",
        "state",
        "bonus",
        "held_until",
        "environment",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("environment", ChoicesDropdownFilter),
        ("created_at", DayRangeFilter),
    )
    list_select_related = ("offer",)
    exact_search_fields = ("id", "viewer_id", "offer_id", "purchase_id", "offer__code")
    search_help_text = "A whole viewer, offer, claim or purchase id, or an offer's code"
    fields = (
        "id",
        "whole_viewer_link",
        "environment",
        "offer",
        "bonus",
        "state",
        ("created_at", "settled_at"),
        ("held_until", "kept_until"),
        "purchase_link",
    )
    readonly_fields = ("whole_viewer_link", "bonus", "purchase_link")

    @admin.display(description="Bonus", ordering="bonus_coins")
    def bonus(self, claim: OfferClaim) -> str:
        return f"+{claim.bonus_coins:,}"

    @admin.display(description="Purchase")
    def purchase_link(self, claim: OfferClaim) -> SafeString | str:
        return formats.link("purchase", claim.purchase_id) if claim.purchase_id else "–"
