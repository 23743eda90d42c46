"""A new version of a price plan: fill in, look at what it would charge, save just that."""

from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.generic import FormView
from unfold.admin import ModelAdmin
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanWidget,
)

from catalog.models import Series
from config import clock
from config.read_only_admin import ReadOnlyAdmin
from payments import plans, price_versions
from payments.admin import formats, overrides, price_preview
from payments.admin.series_choice import SeriesSelect, titles
from payments.models import PricePlan, PriceVersion
from payments.models.prices import MAXIMUM_PRICE_COINS

#: A moment typed a little while ago still counts as now.
LATENESS = timedelta(minutes=1)
#: A price this many times higher or lower than today's is taken for a slip until confirmed.
SLIP_FACTOR = 10


class NewVersionForm(forms.Form):
    """What a version says. `draft()` is its content once the form is valid."""

    effective_from = forms.SplitDateTimeField(
        label="In force from (UTC)",
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="Leave empty for at once.",
    )
    free_count = forms.IntegerField(
        label="Free episodes",
        min_value=0,
        max_value=overrides.MAXIMUM_NUMBER,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="How many at the start cost nothing.",
    )
    base_price_coins = forms.IntegerField(
        label="Price of every further episode, in coins",
        max_value=MAXIMUM_PRICE_COINS,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    overrides = forms.CharField(
        label="Prices of single episodes",
        required=False,
        strip=False,
        max_length=200_000,
        widget=UnfoldAdminTextareaWidget({"rows": 5, "placeholder": "12: 80\n20-24: 90"}),
        help_text="One a line, “12: 80” or “20-24: 90”. 0 makes an episode free.",
    )
    series = forms.ModelChoiceField(
        label="Look at it for",
        required=False,
        queryset=Series.objects.all(),
        widget=SeriesSelect,
        help_text="The preview shows this series; nothing is assigned to it.",
    )
    is_meant = forms.BooleanField(
        label="I mean this price",
        required=False,
        widget=UnfoldBooleanWidget,
    )

    def __init__(self, *args: Any, plan: PricePlan, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plan, self.now = plan, now
        self.needs_confirmation = False

    def clean_effective_from(self) -> datetime | None:
        moment: datetime | None = self.cleaned_data["effective_from"]
        if moment is None:
            return None
        if moment < self.now - LATENESS:
            raise forms.ValidationError(
                "This moment has passed, and what was charged then stays as it was. "
                "Choose a later one, or leave it empty for at once."
            )
        if PriceVersion.objects.filter(plan=self.plan, effective_from=moment).exists():
            raise forms.ValidationError(
                "This plan has a version from that very moment already. Choose another minute."
            )
        return moment

    def clean_base_price_coins(self) -> int:
        price: int = self.cleaned_data["base_price_coins"]
        if price < 1:
            raise forms.ValidationError(
                "The price must be at least 1 coin. To give episodes away, raise the number of "
                "free episodes, or set single ones to 0."
            )
        return price

    def clean_overrides(self) -> dict[int, int]:
        try:
            return overrides.read(self.cleaned_data["overrides"])
        except overrides.OverridesInvalid as refusal:
            raise forms.ValidationError(refusal.complaints) from refusal

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors:
            self._refuse_slips(cleaned)
        return cleaned

    def _refuse_slips(self, cleaned: dict[str, Any]) -> None:
        today = price_preview.in_force(plan=self.plan, series=None, now=self.now)
        reference = today.base_price_coins
        prices = {cleaned["base_price_coins"], *cleaned["overrides"].values()} - {0}
        slips = [
            price
            for price in sorted(prices)
            if price > reference * SLIP_FACTOR or price * SLIP_FACTOR < reference
        ]
        self.needs_confirmation = bool(slips)
        if slips and not cleaned["is_meant"]:
            worst = slips[-1]
            way = f"more than {SLIP_FACTOR} times" if worst > reference else "less than a tenth of"
            self.add_error(
                "is_meant",
                f"{worst:,} coins is {way} today's price of {reference:,} coins. "
                "Tick this if it is meant.",
            )

    def draft(self) -> price_preview.Draft:
        """The content of a valid form."""
        return price_preview.Draft(
            plan_id=self.plan.id,
            effective_from=self.cleaned_data["effective_from"],
            free_count=self.cleaned_data["free_count"],
            base_price_coins=self.cleaned_data["base_price_coins"],
            overrides=dict(sorted(self.cleaned_data["overrides"].items())),
        )


class NewVersionPage(FormView[NewVersionForm]):
    """Preview renders, Save commits; Save does nothing but preview when anything has moved since
    the preview it stands under."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    template_name = "admin/payments/priceplan/new_version.html"
    form_class = NewVersionForm
    plan: PricePlan
    now: datetime

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("payments.add_priceversion"):
            raise PermissionDenied
        self.plan = get_object_or_404(PricePlan, id=kwargs["plan_id"])
        self.now = clock.now(request)
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"plan": self.plan, "now": self.now}

    def get_initial(self) -> dict[str, Any]:
        if self.request.method == "POST":
            return {}
        today = price_preview.in_force(plan=self.plan, series=None, now=self.now)
        special = {price.number: price.price_coins for price in today.episode_prices.all()}
        return {
            "free_count": today.free_count,
            "base_price_coins": today.base_price_coins,
            "overrides": overrides.write(special),
            "series": typical_series(self.plan, at=self.now),
        }

    def form_valid(self, form: NewVersionForm) -> HttpResponse:
        draft = form.draft()
        preview = price_preview.build(
            draft=draft, plan=self.plan, series=form.cleaned_data["series"], now=self.now
        )
        seen = price_preview.Seen(draft, preview.today.id, self._operator().id)
        if "save" in self.request.POST:
            if seen.is_in(self.request.POST.get("shown", "")):
                return self._save(form, draft)
            messages.warning(
                self.request,
                "Not saved: the form or the prices have changed since the preview. This is how it "
                "stands now.",
            )
        named = titles([preview.series]) if preview.series else {}
        context = self.get_context_data(
            form=form,
            draft=draft,
            preview=preview,
            preview_title=named.get(preview.series.id) if preview.series else "",
            shown=seen.token(),
        )
        return self.render_to_response(context)

    def _save(self, form: NewVersionForm, draft: price_preview.Draft) -> HttpResponse:
        try:
            version = price_versions.add(
                plan=self.plan,
                effective_from=draft.effective_from or self.now,
                free_count=draft.free_count,
                base_price_coins=draft.base_price_coins,
                overrides=draft.overrides,
                now=self.now,
                created_by_id=self._operator().id,
            )
        except IntegrityError:
            # Somebody saved one for the same moment after the form had looked.
            form.add_error("effective_from", "This plan has just got a version from that moment.")
            return self.form_invalid(form)
        said = f"Version from {version.effective_from:%Y-%m-%d %H:%M} UTC: {summary(version)}."
        self.model_admin.log_change(self.request, self.plan, said)
        messages.success(self.request, f"Saved. {said}")
        return redirect("admin:payments_priceplan_change", self.plan.id)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        back = reverse("admin:payments_priceplan_change", args=[self.plan.id])
        own = {
            "title": f"New version of {self.plan}",
            "opts": self.model_admin.opts,
            "original": self.plan,
            "plan": self.plan,
            "back": back,
        }
        return super().get_context_data(
            **self.model_admin.admin_site.each_context(self.request), **own, **kwargs
        )

    def _operator(self) -> User:
        user = self.request.user
        assert isinstance(user, User)  # noqa: S101  the admin let only staff through
        return user


@admin.register(PriceVersion)
class PriceVersionAdmin(ReadOnlyAdmin):
    """Every version ever. They are made on their plan's page and never change."""

    list_display = ("effective_from", "plan", "says", "created_by", "created_at")
    list_filter = ("plan__is_default",)
    list_select_related = ("plan", "created_by")
    ordering = ("-effective_from",)
    exact_search_fields = ("id", "plan_id", "plan__name")
    search_help_text = "A plan's name, or a whole plan or version id"
    fields = (
        "id",
        "plan_link",
        "effective_from",
        "free_count",
        "base_price_coins",
        "single_prices",
        ("created_by", "created_at"),
    )
    readonly_fields = ("plan_link", "single_prices")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceVersion]:
        queryset: QuerySet[PriceVersion] = super().get_queryset(request)
        return queryset.annotate(special_count=Count("episode_prices"))

    @admin.display(description="Plan")
    def plan_link(self, version: PriceVersion) -> SafeString:
        return formats.link("priceplan", version.plan_id, version.plan.name)

    @admin.display(description="Prices")
    def says(self, version: PriceVersion) -> str:
        return summary(version)

    @admin.display(description="Single episodes")
    def single_prices(self, version: PriceVersion) -> str:
        special = {price.number: price.price_coins for price in version.episode_prices.all()}
        return overrides.write(special).replace("\n", ", ") or "–"


def summary(version: PriceVersion) -> str:
    """`8 free, then 60 coins, 3 episodes otherwise`."""
    special: int | None = getattr(version, "special_count", None)
    if special is None:
        special = version.episode_prices.count()
    free = f"{version.free_count:,} free, then " if version.free_count else ""
    more = f", {special:,} {'episode' if special == 1 else 'episodes'} otherwise" if special else ""
    return f"{free}{version.base_price_coins:,} coins{more}"


def typical_series(plan: PricePlan, *, at: datetime) -> UUID | None:
    """A series to look at first: the newest that the plan prices."""
    newest: UUID | None = (
        plans.priced_by(plan, at=at)
        .order_by("-published_at", "-id")
        .values_list("id", flat=True)
        .first()
    )
    return newest
