"""Tasks and campaigns, which operators edit, and what was claimed of them."""

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from ads.models import CheckInDay, Task, TaskCampaign, TaskClaim, TaskText
from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import formats
from payments.admin.columns import OfViewer


def _coins_field(label: str, *, minimum: int) -> forms.IntegerField:
    """Coins for nothing are money to whoever finds out how to have them twice: there is a most."""
    return forms.IntegerField(
        label=label,
        min_value=minimum,
        max_value=settings.TASK_MAXIMUM_COINS,
        initial=minimum,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=f"{settings.TASK_MAXIMUM_COINS:,} at the most.",
    )


class TaskForm(forms.ModelForm[Task]):
    """What a task gives is bounded by TASK_MAXIMUM_COINS."""

    class Meta:
        model = Task
        fields = (
            "code",
            "kind",
            "period",
            "target_count",
            "bonus_coins",
            "coins_expire_after_days",
            "is_automatic",
            "campaign",
            "original_locale",
            "position",
            "starts_at",
            "ends_at",
            "is_active",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "bonus_coins" in self.fields:
            self.fields["bonus_coins"] = _coins_field("Bonus coins", minimum=0)


class CheckInDayForm(forms.ModelForm[CheckInDay]):
    class Meta:
        model = CheckInDay
        fields = ("number", "bonus_coins")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["bonus_coins"] = _coins_field("Bonus coins", minimum=1)


class TaskTextInline(TabularInline):  # type: ignore[misc]
    model = TaskText
    extra = 0
    fields = ("locale", "title")
    hide_title = True


class CheckInDayInline(TabularInline):  # type: ignore[misc]
    """Of a check-in alone: what each day of a streak gives."""

    model = CheckInDay
    form = CheckInDayForm
    extra = 0
    hide_title = True


@admin.register(Task)
class TaskAdmin(ModelAdmin):  # type: ignore[misc]
    """Tasks are switched off, never deleted: claims name them. What one counts and how often it comes stays as
    it was made, or what was claimed would count for something else."""

    form = TaskForm
    inlines = (TaskTextInline, CheckInDayInline)
    list_display = (
        "code",
        "kind",
        "period",
        "target_count",
        "bonus_coins",
        "campaign",
        "starts_at",
        "ends_at",
        "is_active",
    )
    list_filter = ("kind", "period", "is_active")
    search_fields = ("code",)
    list_select_related = ("campaign",)
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("code", ("kind", "period", "target_count"), "is_active")}),
        ("What it gives", {"fields": (("bonus_coins", "coins_expire_after_days"), "is_automatic")}),
        ("When, and to whom", {"fields": (("starts_at", "ends_at"), "campaign")}),
        ("How it is shown", {"fields": (("position", "original_locale"),)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[str]:
        return ("code", "kind", "period") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Task, form: TaskForm, change: bool) -> None:
        if not change:
            obj.created_at = clock.now(request)
        super().save_model(request, obj, form, change)


class TaskCampaignForm(forms.ModelForm[TaskCampaign]):
    """A budget is not less than what has been spent of it."""

    class Meta:
        model = TaskCampaign
        fields = (
            "name",
            "budget_coins",
            "starts_at",
            "ends_at",
            "regions",
            "platforms",
            "new_viewer_days",
        )

    def clean_regions(self) -> list[str]:
        """As viewers have theirs: two capitals, or the campaign would be nobody's."""
        regions = [region.upper() for region in self.cleaned_data["regions"]]
        if not all(re.fullmatch("[A-Z]{2}", region) for region in regions):
            raise forms.ValidationError("Write ISO 3166-1 alpha-2 codes, as US,DE.")
        return regions

    def clean_budget_coins(self) -> int:
        """The row is locked from here on: nothing is spent while it is being saved."""
        budget: int = self.cleaned_data["budget_coins"]
        if self.instance._state.adding:  # noqa: SLF001  Django's name for it
            return budget
        held = TaskCampaign.objects.select_for_update(no_key=True).get(pk=self.instance.pk)
        spent = max(held.spent_coins, held.sandbox_spent_coins)
        if budget < spent:
            raise forms.ValidationError(
                f"{spent:,} coins have been spent already: write {spent:,} or more, or end it."
            )
        return budget


@admin.register(TaskCampaign)
class TaskCampaignAdmin(ModelAdmin):  # type: ignore[misc]
    """What a campaign has spent is written by its claims alone."""

    form = TaskCampaignForm
    list_display = ("name", "budget", "spent", "starts_at", "ends_at")
    search_fields = ("name",)
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("name", ("starts_at", "ends_at"))}),
        ("What it may cost", {"fields": (("budget_coins", "spent", "spent_by_testers"),)}),
        ("To whom", {"fields": ("regions", "platforms", "new_viewer_days")}),
    )
    readonly_fields = ("spent", "spent_by_testers")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: TaskCampaign, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=form.changed_data)
        else:
            obj.created_at = clock.now(request)
            obj.save()

    @admin.display(description="Budget, coins", ordering="budget_coins")
    def budget(self, campaign: TaskCampaign) -> str:
        return formats.coins(campaign.budget_coins)

    @admin.display(description="Spent, coins", ordering="spent_coins")
    def spent(self, campaign: TaskCampaign) -> str:
        return formats.coins(campaign.spent_coins)

    @admin.display(description="Spent by testers")
    def spent_by_testers(self, campaign: TaskCampaign) -> str:
        return formats.coins(campaign.sandbox_spent_coins)


@admin.register(TaskClaim)
class TaskClaimAdmin(OfViewer, ReadOnlyAdmin):
    list_display = (
        "created_at",
        "viewer_link",
        "task",
        "period",
        "given",
        "streak_day",
        "environment",
    )
    list_filter = (
        ("environment", ChoicesDropdownFilter),
        ("created_at", DayRangeFilter),
    )
    list_select_related = ("task",)
    exact_search_fields: Sequence[str] = ("id", "viewer_id", "transfer_id")
    search_help_text = "A whole claim, viewer or transfer id"
    fields = (
        "id",
        "whole_viewer_link",
        ("task", "period", "streak_day"),
        ("given", "coins_expire_at"),
        "campaign",
        "environment",
        "transfer_link",
        "created_at",
    )
    readonly_fields = ("whole_viewer_link", "given", "transfer_link")

    @admin.display(description="Coins", ordering="coins")
    def given(self, claim: TaskClaim) -> str:
        return formats.coins(claim.coins)

    @admin.display(description="Transfer")
    def transfer_link(self, claim: TaskClaim) -> SafeString:
        return formats.link("transfer", claim.transfer_id)
