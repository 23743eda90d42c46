"""Places in the app: what each shows, and whom it shows something else."""

import json
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, JSONField, Model, Q, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, StackedInline
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from config import clock
from payments.admin.price_desk.forms import Regions
from payments.models import PaywallPlacement, PlacementRule, Segment
from payments.models.placements import is_plain
from viewers.models import Platform


class PlainDecoder(json.JSONDecoder):
    """Reads what a configuration may hold, and nothing else that Python would read."""

    def decode(self, text: str, *args: Any) -> Any:
        try:
            found = super().decode(text, *args)
        except (ValueError, RecursionError) as error:
            raise json.JSONDecodeError(str(error), text, 0) from error
        if not is_plain(found):
            raise json.JSONDecodeError("not plain", text, 0)
        return found


#: How both pages read what was typed, so that they can show it again, too.
CONFIG = {
    "decoder": PlainDecoder,
    "error_messages": {
        "invalid": (
            "This is no valid JSON, or has NUL characters, halves of surrogate pairs, or numbers without "
            "an end in it."
        )
    },
}


class PlacementRuleForm(forms.ModelForm[PlacementRule]):
    """What is left empty fits everybody."""

    segments = forms.MultipleChoiceField(
        choices=Segment.choices, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    regions = Regions(help_text="Codes of two letters, as in “BR, MX”")
    platforms = forms.MultipleChoiceField(
        choices=Platform.choices, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    class Meta:
        model = PlacementRule
        fields = (
            "position",
            "name",
            "is_active",
            "segments",
            "platforms",
            "regions",
            "link",
            "starts_at",
            "ends_at",
            "config",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["regions"] = ", ".join(self.instance.regions)


class PlacementRuleInline(StackedInline):  # type: ignore[misc]
    model = PlacementRule
    form = PlacementRuleForm
    extra = 0
    formfield_overrides: ClassVar[Any] = {JSONField: CONFIG}
    raw_id_fields = ("link",)
    fieldsets = (
        (None, {"fields": (("position", "name"), "is_active")}),
        ("For whom", {"fields": (("segments", "platforms"), ("regions", "link"))}),
        ("When", {"fields": (("starts_at", "ends_at"),)}),
        ("What they see", {"fields": ("config",)}),
    )
    verbose_name_plural = "Whom it shows something else: the first rule that fits counts"


@admin.register(PaywallPlacement)
class PaywallPlacementAdmin(ModelAdmin):  # type: ignore[misc]
    """Placements are switched off, never deleted: apps in people's hands ask for them."""

    list_display = ("title", "code", "rules_count", "is_active")
    list_filter = ("is_active",)
    search_fields = ("code", "title")
    show_full_result_count = False
    fields = ("title", "code", "is_active", "config")
    inlines = (PlacementRuleInline,)
    formfield_overrides: ClassVar[Any] = {JSONField: CONFIG}

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: PaywallPlacement,
        form: forms.ModelForm[PaywallPlacement],
        change: bool,
    ) -> None:
        if not change:
            obj.created_at = clock.now(request)
        super().save_model(request, obj, form, change)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaywallPlacement]:
        active = Count("rules", filter=Q(rules__is_active=True))
        found: QuerySet[PaywallPlacement] = super().get_queryset(request)
        return found.annotate(rules_count=active)

    @admin.display(description="Rules")
    def rules_count(self, placement: PaywallPlacement) -> int:
        count: int = placement.rules_count  # type: ignore[attr-defined]  # of get_queryset
        return count
