"""Placements: where ads are shown, how often, and what a view is taken to earn."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from ads import adapters
from ads.models import Network, Placement, PlacementReward, PlacementTitles
from ads.models.placements import MAXIMUM_NET_MICROS
from ads.models.terms import MOST
from catalog.models import Series
from config import clock
from payments.admin import formats
from payments.admin.series_choice import SeriesSelectMultiple
from payments.money import PARTS_PER_MILLION

#: How each network's console writes the name of an ad unit. Its callbacks have the last part alone.
AD_UNITS = {
    Network.ADMOB: (re.compile(r"ca-app-pub-\d{10,20}/\d{5,20}"), "ca-app-pub-…/…"),
    Network.APPLOVIN: (re.compile(r"[0-9a-f]{16}"), "16 hexadecimal digits"),
    Network.LEVELPLAY: (re.compile(r"[0-9a-z]{1,32}"), "letters and digits"),
    Network.UNITY: (re.compile(r"[0-9A-Za-z_-]{1,100}"), "Rewarded_Android"),
    Network.PANGLE: (re.compile(r"[0-9]{5,20}"), "9 digits"),
    Network.WECHAT: (re.compile(r"adunit-[0-9a-f]{16}"), "adunit-…"),
    Network.DOUYIN: (re.compile(r"[0-9a-z]{5,40}"), "letters and digits"),
    Network.FAKE: (re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?"), "any/name"),
}


class PlacementForm(forms.ModelForm[Placement]):
    """The estimate is typed as money, for one view."""

    estimate = forms.DecimalField(
        label=f"Earned by one view, {settings.REPORTING_CURRENCY}",
        min_value=Decimal(0),
        max_value=Decimal(MAXIMUM_NET_MICROS) / PARTS_PER_MILLION,
        max_digits=9,
        decimal_places=6,
        initial=0,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="Your estimate, from the network's reports: 0.012 is 12 for a thousand views. It is "
        "kept on each reward; what viewers are granted never depends on it.",
    )

    listed = forms.ModelMultipleChoiceField(
        Series.objects.all(),
        required=False,
        widget=SeriesSelectMultiple(),
        help_text="Where only some titles are served, or all but some",
    )

    class Meta:
        model = Placement
        fields = (
            "code",
            "title",
            "network",
            "ad_unit_id",
            "reward",
            "reward_amount",
            "coins_expire_after_days",
            "ads_needed",
            "titles",
            "listed",
            "audience",
            "daily_cap",
            "cooldown_seconds",
            "session_seconds",
            "is_active",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.estimated_net_micros:
            estimate = Decimal(self.instance.estimated_net_micros) / PARTS_PER_MILLION
            self.initial["estimate"] = f"{estimate:f}"

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "estimate" in cleaned:
            self.instance.estimated_net_micros = int(cleaned["estimate"] * PARTS_PER_MILLION)
        if "network" in cleaned and "ad_unit_id" in cleaned:
            self._check_ad_unit(Network(cleaned["network"]), cleaned["ad_unit_id"])
        if "network" in cleaned and "network" in self.changed_data:
            self._check_network(Network(cleaned["network"]))
        if cleaned.get("reward_amount") and "reward" in cleaned:
            self._check_terms(PlacementReward(cleaned["reward"]), cleaned)
        if "titles" in cleaned:
            self._check_titles(PlacementTitles(cleaned["titles"]), cleaned)
        return cleaned

    def _check_terms(self, reward: PlacementReward, cleaned: dict[str, Any]) -> None:
        if cleaned["reward_amount"] > MOST[reward]:
            self.add_error("reward_amount", f"At most {MOST[reward]:,} {reward}.")
        if cleaned.get("coins_expire_after_days") and reward != PlacementReward.COINS:
            self.add_error("coins_expire_after_days", "Only coins expire.")

    def _check_titles(self, titles: PlacementTitles, cleaned: dict[str, Any]) -> None:
        """A list that counts for nothing, or is missing, is a slip."""
        is_listing, listed = titles != PlacementTitles.ALL, cleaned.get("listed")
        if is_listing and cleaned.get("reward") == PlacementReward.COINS:
            self.add_error("titles", "Coins are spent on any title: their ads are of none.")
        elif is_listing and not listed:
            self.add_error("listed", "List the titles that are meant.")
        elif listed and not is_listing:
            self.add_error("listed", "All titles are served: list none.")

    def _check_network(self, network: Network) -> None:
        if network not in adapters.names():
            self.add_error("network", f"{network.label} is off here: its settings are not set.")

    def _check_ad_unit(self, network: Network, ad_unit_id: str) -> None:
        shape, example = AD_UNITS[network]
        if not shape.fullmatch(ad_unit_id):
            self.add_error("ad_unit_id", f"{network.label} writes its ad units as {example}.")


@admin.register(Placement)
class PlacementAdmin(ModelAdmin):  # type: ignore[misc]
    """Placements are switched off, never deleted: sessions and rewards name them."""

    form = PlacementForm
    list_display = (
        "title",
        "code",
        "network",
        "for_what",
        "titles",
        "audience",
        "daily_cap",
        "cooldown_seconds",
        "estimate",
        "is_active",
    )
    list_filter = ("network", "is_active")
    search_fields = ("code", "title")
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("title", "code", "is_active")}),
        ("Network", {"fields": (("network", "ad_unit_id"), "estimate")}),
        (
            "What ads are watched for",
            {
                "fields": (
                    ("reward", "reward_amount"),
                    ("ads_needed", "coins_expire_after_days"),
                )
            },
        ),
        ("Where and for whom", {"fields": ("titles", "listed", "audience")}),
        ("How often", {"fields": (("daily_cap", "cooldown_seconds"), "session_seconds")}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Placement, form: PlacementForm, change: bool
    ) -> None:
        if not change:
            obj.created_at = clock.now(request)
        super().save_model(request, obj, form, change)

    @admin.display(description="For")
    def for_what(self, placement: Placement) -> str:
        ads = "each ad" if placement.ads_needed == 1 else f"every {placement.ads_needed} ads"
        amount = placement.reward_amount
        what = placement.reward.removesuffix("s") if amount == 1 else placement.reward
        return f"{amount:,} {what} for {ads}"

    @admin.display(description="Earned by one view", ordering="estimated_net_micros")
    def estimate(self, placement: Placement) -> str:
        return formats.money(placement.estimated_net_micros)
