"""The versions of price plans: what each asks, from when on."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.safestring import SafeString

from config.read_only_admin import ReadOnlyAdmin
from payments.admin import formats, overrides
from payments.models import EpisodePrice, PriceStep, PriceVersion


@admin.register(PriceVersion)
class PriceVersionAdmin(ReadOnlyAdmin):
    """Every version ever. Changes of prices make them, and none is ever changed."""

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
        "steps",
        "single_prices",
        "cancelled_at",
        "change_link",
        ("created_by", "created_at"),
    )
    readonly_fields = ("plan_link", "steps", "single_prices", "change_link")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceVersion]:
        queryset: QuerySet[PriceVersion] = super().get_queryset(request)
        return queryset.select_related("change").annotate(
            special_count=special_count(), steps_count=_counted(PriceStep)
        )

    @admin.display(description="Plan")
    def plan_link(self, version: PriceVersion) -> SafeString:
        return formats.link("priceplan", version.plan_id, version.plan.name)

    @admin.display(description="Prices")
    def says(self, version: PriceVersion) -> str:
        return summary(version)

    @admin.display(description="Rising from")
    def steps(self, version: PriceVersion) -> str:
        rising = [f"{step.number}: {step.price_coins}" for step in version.steps.all()]
        return ", ".join(rising) or "–"

    @admin.display(description="Made by the change")
    def change_link(self, version: PriceVersion) -> SafeString | str:
        if version.change is None:
            return "–"
        return formats.link("pricechange", version.change.id, version.change.name)

    @admin.display(description="Single episodes")
    def single_prices(self, version: PriceVersion) -> str:
        special = {price.number: price.price_coins for price in version.episode_prices.all()}
        return overrides.write(special).replace("\n", ", ") or "–"


def special_count() -> Coalesce:
    """How many episodes have a price of their own, for `summary`: one count a version, not a join."""
    return _counted(EpisodePrice)


def _counted(model: Any) -> Coalesce:
    rows = model.objects.filter(version=OuterRef("pk")).order_by().values("version")
    return Coalesce(Subquery(rows.annotate(number=Count("pk")).values("number")), 0)


def summary(version: PriceVersion) -> str:
    """`8 free, then 60 coins, rising, 3 episodes otherwise`."""
    special: int | None = getattr(version, "special_count", None)
    if special is None:
        special = version.episode_prices.count()
    free = f"{version.free_count:,} free, then " if version.free_count else ""
    rising = ", rising" if getattr(version, "steps_count", 0) else ""
    more = f", {special:,} {'episode' if special == 1 else 'episodes'} otherwise" if special else ""
    return f"{free}{version.base_price_coins:,} coins{rising}{more}"
