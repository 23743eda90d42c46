"""What operators fill in to draft a change, a form for each kind."""

import re
from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.forms import BaseFormSet, BoundField, formset_factory
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from payments.admin import overrides
from payments.admin.price_desk.title_choice import shared_plans
from payments.desk.price_changes.contents import (
    AdjustedPrice,
    Campaign,
    MoveSeries,
    NewVersion,
    PriceTable,
    RentalContent,
    TermsContent,
    VariantContent,
)
from payments.desk.price_tables import reading, sheets
from payments.models import PricePlan
from payments.models.prices import MAXIMUM_PRICE_COINS
from viewers.models import Platform

PARTS_PER_PERCENT = 10_000
SECONDS_PER_HOUR = 3600
MAXIMUM_PERCENT = 10_000
MAXIMUM_VARIANTS = 20
_REGION = re.compile(r"[A-Z]{2}", re.ASCII)


class Regions(forms.CharField):
    """Countries as `US, BR`."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", UnfoldAdminTextInputWidget({"placeholder": "US, BR"}))
        super().__init__(required=False, max_length=1000, **kwargs)

    def clean(self, value: Any) -> Any:
        said = re.split(r"[\s,;]+", super().clean(value).upper())
        regions = tuple(sorted({one for one in said if one}))
        if wrong := [one for one in regions if not _REGION.fullmatch(one)]:
            raise forms.ValidationError(
                f"“{wrong[0][:20]}” is no country. Write two letters each, as in US, BR."
            )
        return regions


class Platforms(forms.MultipleChoiceField):
    """Any of the platforms that apps run on."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False,
            choices=Platform.choices,
            widget=UnfoldAdminCheckboxSelectMultipleWidget,
            **kwargs,
        )

    def clean(self, value: Any) -> Any:
        return tuple(super().clean(value))


def integer(label: str, *, most: int, least: int = 0, **more: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        min_value=least,
        max_value=most,
        widget=UnfoldAdminIntegerFieldWidget,
        required=more.pop("required", False),
        **more,
    )


def coins(label: str, **more: Any) -> forms.IntegerField:
    """A price. That it is above 0 is for the domain to say, which says what to do."""
    return integer(label, most=MAXIMUM_PRICE_COINS, least=-MAXIMUM_PRICE_COINS, **more)


class ChangeForm(forms.Form):
    """What every change says. `content()` is what it would do once the form is valid."""

    #: Headings with the names of their fields.
    parts: ClassVar[Sequence[tuple[str, Sequence[str]]]] = ()

    name = forms.CharField(
        label="Name of this change",
        max_length=200,
        widget=UnfoldAdminTextInputWidget({"placeholder": "Spring prices"}),
        help_text="For those who agree to it, and for whoever asks a year from now.",
    )
    effective_from = forms.SplitDateTimeField(
        label="In force from (UTC)",
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="Leave empty for the moment at which it is agreed to.",
    )

    def sections(self) -> list[tuple[str, list[BoundField]]]:
        return [(title, [self[name] for name in names]) for title, names in self.parts]


class TermsForm(ChangeForm):
    """New prices of a plan. Where they differ is in the formset beside it."""

    parts = (
        ("", ("plan",)),
        ("Price", ("free_count", "base_price_coins", "steps", "overrides")),
        ("The rest of a title at once", ("bundle_percent", "bundle_price_coins")),
        ("Rental", ("rental_hours", "rental_percent", "rental_price_coins")),
    )

    plan = forms.ModelChoiceField(
        label="Plan", queryset=PricePlan.objects.all(), widget=UnfoldAdminSelectWidget
    )
    free_count = integer(
        "Free episodes",
        most=overrides.MAXIMUM_NUMBER,
        required=True,
        help_text="How many at the start cost nothing.",
    )
    base_price_coins = coins("Price of every further episode, in coins", required=True)
    steps = forms.CharField(
        label="Rising from",
        required=False,
        strip=False,
        max_length=200_000,
        widget=UnfoldAdminTextareaWidget({"rows": 3, "placeholder": "30: 80\n60: 100"}),
        help_text="One a line: from this episode on, this price. Each costs more than before.",
    )
    overrides = forms.CharField(
        label="Prices of single episodes",
        required=False,
        strip=False,
        max_length=200_000,
        widget=UnfoldAdminTextareaWidget({"rows": 3, "placeholder": "12: 80\n20-24: 90"}),
        help_text="One a line, “12: 80” or “20-24: 90”. 0 makes an episode free.",
    )
    bundle_percent = integer(
        "The rest at once, in % of the price",
        most=MAXIMUM_PERCENT,
        help_text="75 is a quarter off for buying the rest of a title. Empty: not on offer.",
    )
    bundle_price_coins = coins("… or coins for each of its episodes")
    rental_hours = integer(
        "Rented for, in hours", most=24 * 365, help_text="Empty: episodes are not rented out."
    )
    rental_percent = integer("Rental, in % of the price", most=MAXIMUM_PERCENT)
    rental_price_coins = coins("… or coins for an episode")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.data.get("plan") or self.initial.get("plan")
        own = PricePlan.objects.filter(pk__in=[one for one in [as_uuid(chosen)] if one])
        self.fields["plan"].queryset = shared_plans() | own  # type: ignore[attr-defined]

    def clean_steps(self) -> dict[int, int]:
        return _prices(self.cleaned_data["steps"])

    def clean_overrides(self) -> dict[int, int]:
        return _prices(self.cleaned_data["overrides"])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        price = (cleaned.get("rental_percent"), cleaned.get("rental_price_coins"))
        if cleaned.get("rental_hours") is None and price != (None, None):
            self.add_error("rental_hours", "Say for how long an episode is rented.")
        return cleaned

    def content(self, variants: Sequence[VariantContent]) -> NewVersion:
        data = self.cleaned_data
        return NewVersion(
            plan_id=data["plan"].id,
            terms=TermsContent(
                free_count=data["free_count"],
                base_price_coins=data["base_price_coins"],
                steps=data["steps"],
                overrides=data["overrides"],
                variants=tuple(variants),
                bundle=self._bundle(),
                rental=self._rental(),
            ),
        )

    def _bundle(self) -> AdjustedPrice | None:
        price = _priced(self.cleaned_data, "bundle_percent", "bundle_price_coins")
        return AdjustedPrice(**price) if any(one is not None for one in price.values()) else None

    def _rental(self) -> RentalContent | None:
        hours: int | None = self.cleaned_data["rental_hours"]
        if hours is None:
            return None
        price = _priced(self.cleaned_data, "rental_percent", "rental_price_coins")
        return RentalContent(seconds=hours * SECONDS_PER_HOUR, **price)


class VariantForm(forms.Form):
    """Where a plan's price differs, and how. An empty one says nothing."""

    regions = Regions(label="Countries")
    platforms = Platforms(label="Platforms")
    free_count = integer("Free episodes", most=overrides.MAXIMUM_NUMBER)
    price_coins = coins("Coins an episode")
    percent = integer("% of the price", most=MAXIMUM_PERCENT)

    def variant(self) -> VariantContent | None:
        data = self.cleaned_data
        if not any(value not in ((), None) for value in data.values()):
            return None
        return VariantContent(
            regions=data["regions"],
            platforms=data["platforms"],
            free_count=data["free_count"],
            **_priced(data, "percent", "price_coins"),
        )


VariantFormSet: type[BaseFormSet[VariantForm]] = formset_factory(
    VariantForm, extra=2, max_num=MAXIMUM_VARIANTS, absolute_max=MAXIMUM_VARIANTS, validate_max=True
)


class MoveForm(ChangeForm):
    """Another plan for some titles."""

    parts = (("", ("plan",)),)

    plan = forms.ModelChoiceField(
        label="Price them by",
        queryset=PricePlan.objects.none(),
        empty_label="Choose a plan",
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["plan"].queryset = shared_plans()  # type: ignore[attr-defined]

    def content(self) -> MoveSeries:
        return MoveSeries(plan_id=self.cleaned_data["plan"].id)


class CampaignForm(ChangeForm):
    """A discount, or episodes free, on some titles for a time."""

    parts = (
        ("What it gives", ("percent_off", "price_coins", "free_count")),
        ("For whom and how long", ("ends_at", "regions", "platforms")),
    )

    percent_off = integer(
        "% off", most=100, help_text="Of every price. 100 makes every episode free."
    )
    price_coins = coins("… or one price for every episode, in coins")
    free_count = integer(
        "… or this many free episodes",
        most=overrides.MAXIMUM_NUMBER,
        help_text="In place of the plan's. May go with a discount on the others.",
    )
    ends_at = forms.SplitDateTimeField(
        label="Ends at (UTC)",
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="It ends by itself.",
    )
    regions = Regions(label="Only in these countries", help_text="Empty: everywhere.")
    platforms = Platforms(label="Only on these platforms")

    def content(self) -> Campaign:
        data = self.cleaned_data
        off: int | None = data["percent_off"]
        return Campaign(
            ends_at=data["ends_at"],
            price=AdjustedPrice(
                free_count=data["free_count"],
                price_coins=data["price_coins"],
                scale_parts_per_million=None if off is None else (100 - off) * PARTS_PER_PERCENT,
            ),
            regions=data["regions"],
            platforms=data["platforms"],
        )


class TableForm(ChangeForm):
    """Prices of their own for the titles of a file."""

    parts = (("", ("file",)),)

    file = forms.FileField(
        label="Price table, CSV or XLSX",
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"At most {sheets.MAXIMUM_ROWS:,} lines and {sheets.MAXIMUM_BYTES // 1024**2} MB.",
    )

    def clean_file(self) -> PriceTable:
        file: UploadedFile[Any] = self.cleaned_data["file"]
        # One byte past the bound is enough to be refused.
        content = file.read(sheets.MAXIMUM_BYTES + 1)
        try:
            return PriceTable(rows=dict(reading.read(content)))
        except reading.TableRefused as refusal:
            raise forms.ValidationError(list(refusal.complaints)) from refusal

    def content(self) -> PriceTable:
        table: PriceTable = self.cleaned_data["file"]
        return table


def as_uuid(value: Any) -> UUID | None:
    """An id that somebody sent, or None for what is none."""
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _prices(text: str) -> dict[int, int]:
    try:
        return overrides.read(text)
    except overrides.OverridesInvalid as refusal:
        raise forms.ValidationError(refusal.complaints) from refusal


def _priced(data: dict[str, Any], percent: str, price_coins: str) -> dict[str, int | None]:
    asked: int | None = data[percent]
    return {
        "price_coins": data[price_coins],
        "scale_parts_per_million": None if asked is None else asked * PARTS_PER_PERCENT,
    }
