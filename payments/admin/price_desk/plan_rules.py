"""Which plan a title gets when it is published."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Max, Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldBooleanWidget

from catalog.models import Series
from config import clock
from payments.admin.price_desk.title_choice import shared_plans
from payments.desk import plan_rules
from payments.models import PlanRule

_STEP = 10


class PlanRuleForm(forms.ModelForm):  # type: ignore[type-arg]
    is_meant = forms.BooleanField(
        label="I mean it",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="For a rule that fits no title that is published, or every one of them.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors or not _narrows(cleaned):
            return cleaned
        published = Series.objects.filter(state=Series.State.PUBLISHED)
        names = ("genre", "original_locale", "provenance_kind")
        lengths = ("minimum_episodes", "maximum_episodes")
        rule = PlanRule(**{name: cleaned.get(name) for name in (*names, *lengths)})
        fits, all_of_them = plan_rules.fitting(rule, published).count(), published.count()
        if all_of_them and not cleaned["is_meant"] and fits in {0, all_of_them}:
            self.add_error("is_meant", _oddity(fits, all_of_them))
        return cleaned


@admin.register(PlanRule)
class PlanRuleAdmin(ModelAdmin):  # type: ignore[misc]
    """Looked at in order: the first that fits counts. Titles that have a plan keep it. Rules are switched
    off, never deleted."""

    form = PlanRuleForm
    list_display = ("position", "name", "says", "plan", "is_active")
    list_display_links = ("name",)
    list_select_related = ("plan",)
    list_per_page = 50
    ordering = ("position",)
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": (("name", "position"), "plan", "is_active")}),
        (
            "For titles of which all of this is true",
            {
                "fields": (
                    ("genre", "original_locale"),
                    "provenance_kind",
                    ("minimum_episodes", "maximum_episodes"),
                    "is_meant",
                ),
                "description": "What is left empty fits every title. The rule counts for titles that are "
                "published from now on.",
            },
        ),
    )

    readonly_fields = ("fits",)

    def get_fieldsets(self, request: HttpRequest, obj: PlanRule | None = None) -> Any:
        """How many titles a rule fits is counted on its own page alone."""
        return self.fieldsets if obj is None else (*self.fieldsets, (None, {"fields": ("fits",)}))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Behind all others."""
        last = PlanRule.objects.aggregate(last=Max("position"))["last"] or 0
        return {"position": last + _STEP, "is_active": True}

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "plan":
            kwargs["queryset"] = shared_plans()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: PlanRule, form: Any, change: bool) -> None:
        if not change:
            obj.created_at = clock.now(request)
        super().save_model(request, obj, form, change)

    @admin.display(description="For")
    def says(self, rule: PlanRule) -> str:
        parts = [rule.genre, rule.original_locale]
        if rule.provenance_kind:
            parts.append(rule.get_provenance_kind_display().lower())
        if rule.minimum_episodes is not None:
            parts.append(f"at least {rule.minimum_episodes:,} episodes")
        if rule.maximum_episodes is not None:
            parts.append(f"at most {rule.maximum_episodes:,} episodes")
        return ", ".join(part for part in parts if part)

    @admin.display(description="Published titles that it fits")
    def fits(self, rule: PlanRule) -> str:
        published = Series.objects.filter(state=Series.State.PUBLISHED)
        return f"{plan_rules.fitting(rule, published).count():,}"


def _narrows(cleaned: dict[str, Any]) -> bool:
    """Otherwise the database's own rule says what to do."""
    words = ("genre", "original_locale", "provenance_kind")
    lengths = ("minimum_episodes", "maximum_episodes")
    return any(cleaned.get(name) for name in words) or any(
        cleaned.get(name) is not None for name in lengths
    )


def _oddity(fits: int, all_of_them: int) -> str:
    if fits == 0:
        return (
            "This rule fits none of the published titles. Look for a slip in it; tick this if it is "
            "meant for titles to come."
        )
    return (
        f"This rule fits every one of the {all_of_them:,} published titles, so that nothing is left for "
        "the rules behind it. Say more about the titles it is for, or change the default plan's price "
        "instead; tick this if it is meant."
    )
