"""By which policy viewers are shown ways past the paywall, and what it decided."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin, StackedInline
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin, ReadOnlyInline
from payments.access import offer_policies as policies
from payments.access.offer_policies import Choice, Circumstances, PolicyDefinition
from payments.admin import offer_arms
from payments.admin.columns import OfViewer
from payments.admin.explained import Explained
from payments.admin.offer_arms import ArmsInvalid
from payments.admin.price_desk.forms import Regions
from payments.desk import offer_policies
from payments.desk.offer_policies import PolicyRefused
from payments.models import OfferDecision, OfferPolicy, OfferRule, OfferTaken, Payer, PolicyState
from payments.models.offer_choices import BILLION, Means
from viewers.models import Platform

_TAGS = {
    PolicyState.DRAFT: "ch-tag",
    PolicyState.IN_FORCE: "ch-tag ch-tag-on",
    PolicyState.RETIRED: "ch-tag",
}
#: Viewers whom the page shows what they would see, wherever they are.
EXAMPLES: Mapping[str, Circumstances] = {
    "Never paid, no coins, at their first locked episode": Circumstances(
        Payer.NEVER_PAID, has_enough_coins=False, encounter=1, region="", platform=""
    ),
    "Has bought coins and has enough of them, at their third": Circumstances(
        Payer.PAYER, has_enough_coins=True, encounter=3, region="", platform=""
    ),
    "Had a subscription, has too few coins, at their tenth": Circumstances(
        Payer.SUBSCRIBER, has_enough_coins=False, encounter=10, region="", platform=""
    ),
}


class OfferRuleForm(forms.ModelForm[OfferRule]):
    """What is left empty fits everybody."""

    payers = forms.MultipleChoiceField(
        choices=Payer.choices, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    platforms = forms.MultipleChoiceField(
        choices=Platform.choices, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    regions = Regions(help_text="Codes of two letters, as in “BR, MX”")
    arms = forms.CharField(
        label="What they are shown",
        widget=UnfoldAdminTextareaWidget({"rows": 4}),
        help_text=f"One arm a line, “ad-first: ad, coins, packs = 50”: what is shown, of "
        f"{', '.join(Means.values)}, the first as the primary way; and its weight, 1 if there is none.",
    )

    class Meta:
        model = OfferRule
        fields = (
            "position",
            "name",
            "payers",
            "has_enough_coins",
            "encounters_from",
            "encounters_to",
            "regions",
            "platforms",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["regions"] = ", ".join(self.instance.regions)
        if not self.instance._state.adding:  # noqa: SLF001  Django's name for it
            self.initial["arms"] = offer_arms.write(self.instance.arms.all())

    def clean_arms(self) -> list[offer_arms.Arm]:
        try:
            return offer_arms.read(self.cleaned_data["arms"])
        except ArmsInvalid as error:
            raise forms.ValidationError(error.complaints) from error


class OfferRuleInline(StackedInline):  # type: ignore[misc]
    model = OfferRule
    form = OfferRuleForm
    extra = 0
    fieldsets = (
        (None, {"fields": (("position", "name"),)}),
        (
            "For whom",
            {
                "fields": (
                    ("payers", "platforms"),
                    ("has_enough_coins", "regions"),
                    ("encounters_from", "encounters_to"),
                )
            },
        ),
        ("What they are shown", {"fields": ("arms",)}),
    )
    verbose_name_plural = "Rules: the first that fits counts"


@dataclass(frozen=True)
class Example:
    """A viewer, the rule that fits them, and what they may be shown with which chance."""

    title: str
    rule: str
    lines: Sequence[tuple[str, str, str]]


@admin.register(OfferPolicy)
class OfferPolicyAdmin(Explained, ModelAdmin):  # type: ignore[misc]
    """Only a draft is edited, and only a draft is deleted; the database would refuse the rest."""

    list_display = (
        "name",
        "standing",
        "holdout_percent",
        "rules_count",
        "in_force_at",
        "retired_at",
    )
    list_filter = ("state",)
    search_fields = ("name",)
    ordering = ("-id",)
    show_full_result_count = False
    inlines = (OfferRuleInline,)
    fields = ("name", "holdout_percent")
    change_form_template = "admin/payments/offerpolicy/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[OfferPolicy]:
        found: QuerySet[OfferPolicy] = super().get_queryset(request)
        return found.annotate(rules_count=Count("rules"))

    def get_fields(self, request: HttpRequest, obj: OfferPolicy | None = None) -> Sequence[str]:
        own = ("name", "holdout_percent")
        return own if _is_draft(obj) else (*own, "standing", "in_force_at", "put_by", "retired_at")

    def get_readonly_fields(
        self, request: HttpRequest, obj: OfferPolicy | None = None
    ) -> Sequence[str]:
        return () if _is_draft(obj) else ("standing", "in_force_at", "put_by", "retired_at")

    def get_inlines(self, request: HttpRequest, obj: OfferPolicy | None) -> Any:
        return self.inlines if _is_draft(obj) else ()

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (not isinstance(obj, OfferPolicy) or _is_draft(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """One by one on their own page, where it can be seen what they are."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and isinstance(obj, OfferPolicy) and _is_draft(obj)

    def save_model(self, request: HttpRequest, obj: OfferPolicy, form: Any, change: bool) -> None:
        if not change:
            obj.created_at = clock.now(request)
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The rules, and what each of them shows."""
        super().save_related(request, form, formsets, change)
        for rule in (one for formset in formsets for one in formset.forms):
            if rule.cleaned_data and not rule.cleaned_data.get("DELETE"):
                offer_policies.set_arms(rule.instance, rule.cleaned_data["arms"])

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<uuid:policy_id>/{step}/",
                self.admin_site.admin_view(require_POST(self._step(take))),
                name=f"payments_offerpolicy_{step}",
            )
            for step, take in _STEPS.items()
        ]
        urls: list[URLPattern] = own + super().get_urls()
        return urls

    def beside(self, request: HttpRequest, row: OfferPolicy) -> Mapping[str, Any]:
        may = request.user.has_perm("payments.change_offerpolicy")
        policy = policies.read(row.id)
        return {
            "rules": policy.rules,
            "examples": list(_examples(policy)),
            "may_put_in_force": may and _is_draft(row),
            "may_retire": may and row.state == PolicyState.IN_FORCE,
            "may_copy": request.user.has_perm("payments.add_offerpolicy"),
        }

    def _step(self, take: "_Step") -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, policy_id: UUID) -> HttpResponse:
            if not request.user.has_perm("payments.change_offerpolicy"):
                raise PermissionDenied
            row = get_object_or_404(OfferPolicy, id=policy_id)
            assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
            try:
                with transaction.atomic():
                    taken, said = take(row, request.user, clock.now(request))
                    self.log_change(request, taken, said)
            except PolicyRefused as refusal:
                messages.error(request, str(refusal))
                return redirect("admin:payments_offerpolicy_change", policy_id)
            messages.success(request, said)
            return redirect("admin:payments_offerpolicy_change", taken.id)

        return view

    @admin.display(description="State")
    def standing(self, policy: OfferPolicy) -> SafeString:
        state = PolicyState(policy.state)
        return format_html('<span class="{}">{}</span>', _TAGS[state], state.label.lower())

    @admin.display(description="Rules")
    def rules_count(self, policy: OfferPolicy) -> int:
        count: int = policy.rules_count  # type: ignore[attr-defined]  # of get_queryset
        return count


class TakenInline(ReadOnlyInline):
    model = OfferTaken
    fields = readonly_fields = ("kind", "subject_id", "taken_at")
    verbose_name_plural = "What it led to, by the app's word"


@admin.register(OfferDecision)
class OfferDecisionAdmin(OfViewer, ReadOnlyAdmin):
    """What each viewer was shown, with the chance they had of it."""

    list_display = (
        "decided_at",
        "viewer_link",
        "policy",
        "rule",
        "arm_code",
        "ways",
        "chance",
        "encounter",
    )
    list_filter = (("decided_at", DayRangeFilter), "environment", "is_holdout")
    list_select_related = ("policy", "rule", "arm")
    exact_search_fields = ("id", "viewer_id", "series_id", "episode_id", "policy_id")
    search_help_text = "A whole id: of the decision, its viewer, series, episode or policy"
    inlines = (TakenInline,)
    fields = (
        "id",
        "whole_viewer_link",
        "environment",
        ("series_id", "episode_id"),
        ("policy", "rule", "arm_code"),
        ("ways", "chance", "chance_of_ad"),
        ("encounter", "decided_at"),
    )
    readonly_fields = (
        "whole_viewer_link",
        "series_id",
        "episode_id",
        "arm_code",
        "ways",
        "chance",
        "chance_of_ad",
    )

    @admin.display(description="Arm")
    def arm_code(self, decision: OfferDecision) -> str:
        if decision.is_holdout:
            return policies.HOLDOUT
        return decision.arm.code if decision.arm else "–"

    @admin.display(description="Shown")
    def ways(self, decision: OfferDecision) -> str:
        return ", ".join(decision.shown)

    @admin.display(description="Chance")
    def chance(self, decision: OfferDecision) -> str:
        return _percent(decision.propensity_parts_per_billion)

    @admin.display(description="Chance of an ad")
    def chance_of_ad(self, decision: OfferDecision) -> str:
        return _percent(decision.ad_propensity_parts_per_billion)


_Step = Callable[[OfferPolicy, User, datetime], tuple[OfferPolicy, str]]


def _put_in_force(row: OfferPolicy, user: User, now: datetime) -> tuple[OfferPolicy, str]:
    taken = offer_policies.put_in_force(policy_id=row.id, operator_id=user.id, now=now)
    return taken, "In force: paywalls that nobody has met yet are decided by it."


def _retire(row: OfferPolicy, user: User, now: datetime) -> tuple[OfferPolicy, str]:
    taken = offer_policies.retire(policy_id=row.id, now=now)
    return taken, "Retired: everybody is shown everything in the default order."


def _copy(row: OfferPolicy, user: User, now: datetime) -> tuple[OfferPolicy, str]:
    name = f"{row.name[:90]} (copy)"
    return offer_policies.copy(policy_id=row.id, name=name, now=now), f"Copied from {row.name}."


_STEPS: Mapping[str, _Step] = {"put": _put_in_force, "retire": _retire, "copy": _copy}


def _examples(policy: PolicyDefinition) -> Iterator[Example]:
    for title, met in EXAMPLES.items():
        rule = policy.rule_for(met)
        yield Example(
            title=title,
            rule=rule.name if rule else "no rule fits",
            lines=[_line(choice) for choice in policy.choices(rule)],
        )


def _line(choice: Choice) -> tuple[str, str, str]:
    if choice.is_holdout:
        code = policies.HOLDOUT
    else:
        code = choice.arm.code if choice.arm else "everybody else"
    return code, ", ".join(choice.shown), _percent(choice.propensity)


def _percent(parts: int) -> str:
    return f"{100 * parts / BILLION:.2f} %"


def _is_draft(policy: Any) -> bool:
    return policy is None or policy.state == PolicyState.DRAFT
