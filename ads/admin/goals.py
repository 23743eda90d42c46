"""What viewers' ads add up to, and what it earned them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from ads.models import Goal, Reward
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin, ReadOnlyInline
from payments.admin import formats
from payments.admin.columns import OfViewer
from payments.admin.series_choice import title, with_titles


class RewardInline(ReadOnlyInline):
    model = Reward
    fields = readonly_fields = ("place", "network", "transaction_id", "day", "number", "created_at")
    ordering = ("place",)
    show_change_link = True


@admin.register(Goal)
class GoalAdmin(OfViewer, ReadOnlyAdmin):
    list_display = (
        "begun_at",
        "viewer_link",
        "placement",
        "watched",
        "for_what",
        "of_title",
        "granted_at",
        "environment",
    )
    list_filter = (
        ("environment", ChoicesDropdownFilter),
        ("reward", ChoicesDropdownFilter),
        ("begun_at", DayRangeFilter),
    )
    exact_search_fields = ("id", "viewer_id")
    search_help_text = "A whole viewer id or goal id"
    fields = (
        "id",
        "whole_viewer_link",
        "placement",
        "watched",
        "for_what",
        "of_title",
        "environment",
        ("begun_at", "granted_at"),
        "access_ends_at",
        "transfer_link",
    )
    readonly_fields = ("whole_viewer_link", "watched", "for_what", "of_title", "transfer_link")
    inlines = (RewardInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_titles(super().get_queryset(request), "series").select_related("placement")

    @admin.display(description="Ads")
    def watched(self, goal: Goal) -> str:
        return f"{goal.ads_watched} of {goal.ads_needed}"

    @admin.display(description="For")
    def for_what(self, goal: Goal) -> str:
        return f"{goal.reward_amount:,} {goal.reward}"

    @admin.display(description="Title")
    def of_title(self, goal: Goal) -> str:
        return title(goal.series) if goal.series else "–"

    @admin.display(description="Coins given")
    def transfer_link(self, goal: Goal) -> SafeString | str:
        return formats.link("transfer", goal.transfer_id) if goal.transfer_id else "–"
