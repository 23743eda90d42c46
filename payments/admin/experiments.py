"""Experiments: drafted with their arms, asked for, agreed to, ended; and how many have met each arm."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Count, Model, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
)

from catalog.models import Series
from config import clock
from payments.admin import seen
from payments.admin.explained import Explained
from payments.admin.packs import PARTS_PER_PERCENT, percent
from payments.admin.series_choice import SeriesSelectMultiple
from payments.desk import experiments
from payments.models import ArmTerms, PriceAdjustment
from payments.models.prices import MAXIMUM_EPISODE_NUMBER, MAXIMUM_PRICE_COINS
from payments.prices import arm_terms, pricing
from payments.prices.terms import Adjustment
from viewers.experiments import lifecycle
from viewers.experiments.lifecycle import ExperimentRefused
from viewers.models import Arm, Experiment, ExperimentState, Layer

_TAGS = {
    ExperimentState.WAITING: "ch-tag ch-tag-ahead",
    ExperimentState.RUNNING: "ch-tag ch-tag-on",
}


def _share(label: str, *, least: str = "0", **given: Any) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        min_value=Decimal(least),
        max_value=100,
        max_digits=7,
        decimal_places=4,
        widget=UnfoldAdminDecimalFieldWidget,
        **given,
    )


class LayerForm(forms.ModelForm[Layer]):
    """A share is typed in percent and kept in parts per million."""

    holdout_percent = _share(
        "Holdout, %", initial=0, help_text="So many viewers are in none of the layer's experiments."
    )

    class Meta:
        model = Layer
        fields = ("code",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["holdout_percent"] = percent(self.instance.holdout_parts_per_million)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if (share := cleaned.get("holdout_percent")) is not None:
            self.instance.holdout_parts_per_million = int(share * PARTS_PER_PERCENT)
        return cleaned


@admin.register(Layer)
class LayerAdmin(ModelAdmin):  # type: ignore[misc]
    """A layer is fixed once an experiment of it was asked for."""

    form = LayerForm
    list_display = ("code", "holdout", "running")
    search_fields = ("code",)
    ordering = ("code",)
    fields = ("code", "holdout_percent")
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and not (isinstance(obj, Layer) and _is_used(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Layer, form: LayerForm, change: bool) -> None:
        if not change:
            obj.created_at = clock.now(request)
        super().save_model(request, obj, form, change)

    @admin.display(description="Holdout")
    def holdout(self, layer: Layer) -> str:
        return f"{percent(layer.holdout_parts_per_million)} %"

    @admin.display(description="Holdout, %")
    def holdout_percent(self, layer: Layer) -> str:
        return self.holdout(layer)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Layer]:
        """With the codes of what runs in each, in the order of their slices."""
        running = Experiment.objects.filter(layer=OuterRef("pk"), state=ExperimentState.RUNNING)
        codes = ArraySubquery(running.order_by("slice_from").values("code"))
        queryset: QuerySet[Layer] = super().get_queryset(request)
        return queryset.annotate(running_codes=codes)

    @admin.display(description="Running")
    def running(self, layer: Any) -> str:
        return ", ".join(layer.running_codes) or "–"

    def get_readonly_fields(self, request: HttpRequest, obj: Layer | None = None) -> Sequence[str]:
        """Django asks the admin for what the form of a page that only shows cannot."""
        return ("holdout_percent",) if obj is not None and _is_used(obj) else ()


class ExperimentForm(forms.ModelForm[Experiment]):
    """A draft. The slice is typed in percent; the titles are those of every arm."""

    slice_from_percent = _share("Slice of the layer from, %", initial=0)
    slice_to_percent = _share("to, %", initial=100)
    series = forms.ModelMultipleChoiceField(
        label="Only these titles",
        required=False,
        queryset=Series.objects.all(),
        widget=SeriesSelectMultiple,
        help_text="For experiments on prices. None is every title.",
    )

    class Meta:
        model = Experiment
        fields = (
            "code",
            "question",
            "varies",
            "layer",
            "new_viewers_only",
            "horizon_hours",
            "planned_viewers",
            "starts_at",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and not self.instance._state.adding:  # noqa: SLF001  Django's name for it
            self.initial["slice_from_percent"] = percent(self.instance.slice_from)
            self.initial["slice_to_percent"] = percent(self.instance.slice_to)
            named = ArmTerms.objects.filter(arm__experiment=self.instance, series__isnull=False)
            self.initial["series"] = list(named.values_list("series_id", flat=True).distinct())

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for name in ("slice_from", "slice_to"):
            if (share := cleaned.get(f"{name}_percent")) is not None:
                setattr(self.instance, name, int(share * PARTS_PER_PERCENT))
        if not self.errors and self.instance.slice_from >= self.instance.slice_to:
            self.add_error("slice_to_percent", "The slice ends after it begins.")
        return cleaned


class ArmForm(forms.ModelForm[Arm]):
    """An arm, and for an experiment on prices what it asks: at most one of the last three."""

    share_percent = _share("Share, %", least="0.0001")
    free_count = forms.IntegerField(
        label="Free episodes",
        required=False,
        min_value=0,
        max_value=MAXIMUM_EPISODE_NUMBER,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    price_coins = forms.IntegerField(
        label="Price, coins",
        required=False,
        min_value=1,
        max_value=MAXIMUM_PRICE_COINS,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    scale_percent = forms.DecimalField(
        label="or % of the price",
        required=False,
        min_value=0,
        max_value=10_000,
        max_digits=9,
        decimal_places=4,
        widget=UnfoldAdminDecimalFieldWidget,
    )

    class Meta:
        model = Arm
        fields = ("code", "is_control")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:  # noqa: SLF001  Django's name for it
            return
        self.initial["share_percent"] = percent(self.instance.share_parts_per_million)
        row = PriceAdjustment.objects.filter(arm_terms__arm=self.instance).first()
        if row is not None:
            self.initial["free_count"] = row.free_count
            self.initial["price_coins"] = row.price_coins
            if row.scale_parts_per_million is not None:
                self.initial["scale_percent"] = percent(row.scale_parts_per_million)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if (share := cleaned.get("share_percent")) is not None:
            self.instance.share_parts_per_million = int(share * PARTS_PER_PERCENT)
        if cleaned.get("price_coins") is not None and cleaned.get("scale_percent") is not None:
            self.add_error("scale_percent", "Name a price or a percentage, not both.")
        return cleaned

    @property
    def adjustment(self) -> Adjustment | None:
        """What a valid form asks; None if it asks nothing."""
        scale: Decimal | None = self.cleaned_data["scale_percent"]
        asked = Adjustment(
            free_count=self.cleaned_data["free_count"],
            price_coins=self.cleaned_data["price_coins"],
            scale_parts_per_million=None if scale is None else int(scale * PARTS_PER_PERCENT),
        )
        return None if asked == Adjustment() else asked


class ArmInline(TabularInline):  # type: ignore[misc]
    model = Arm
    form = ArmForm
    extra = 2
    fields = ("code", "share_percent", "is_control", "free_count", "price_coins", "scale_percent")
    hide_title = True


@dataclass(frozen=True)
class ArmLine:
    """An arm as the page of its experiment shows it."""

    code: str
    is_control: bool
    share: str
    asks: str
    exposed_count: int
    exposed_share: str


@admin.register(Experiment)
class ExperimentAdmin(Explained, ModelAdmin):  # type: ignore[misc]
    """Only a draft is edited, and only a draft is deleted; the database would refuse the rest."""

    form = ExperimentForm
    inlines = (ArmInline,)
    list_display = (
        "code",
        "question",
        "varies",
        "layer",
        "slice",
        "standing",
        "starts_at",
        "ended_at",
    )
    list_filter = ("state", "varies", "layer")
    list_select_related = ("layer",)
    search_fields = ("code", "question")
    ordering = ("-created_at",)
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("code", "question", "varies", "series")}),
        (
            "Who takes part",
            {
                "fields": (
                    "layer",
                    ("slice_from_percent", "slice_to_percent"),
                    "new_viewers_only",
                    "starts_at",
                )
            },
        ),
        ("What is read out", {"fields": ("horizon_hours", "planned_viewers")}),
    )
    change_form_template = "admin/viewers/experiment/change_form.html"

    def get_fieldsets(self, request: HttpRequest, obj: Experiment | None = None) -> Any:
        return self.fieldsets if _is_draft(obj) else _SHOWN

    def get_inlines(self, request: HttpRequest, obj: Experiment | None) -> Any:
        return self.inlines if _is_draft(obj) else ()

    def get_readonly_fields(
        self, request: HttpRequest, obj: Experiment | None = None
    ) -> Sequence[str]:
        return () if _is_draft(obj) else ("slice", "standing", "asked", "agreed", "ended")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (not isinstance(obj, Experiment) or _is_draft(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """One by one on their own page, where it can be seen what they are."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and isinstance(obj, Experiment) and _is_draft(obj)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Experiment | None:
        """Held while it is saved, so that nobody starts another draft than the one that is judged."""
        found: Experiment | None = super().get_object(request, object_id, from_field)
        if found is not None and request.method == "POST" and connection.in_atomic_block:
            return Experiment.objects.select_for_update(no_key=True).get(id=found.id)
        return found

    def save_model(
        self, request: HttpRequest, obj: Experiment, form: ExperimentForm, change: bool
    ) -> None:
        if not change:
            obj.created_at = clock.now(request)
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The arms, and what each of them asks."""
        super().save_related(request, form, formsets, change)
        chosen = [series.id for series in form.cleaned_data["series"]]
        for arm in (one for formset in formsets for one in formset.forms):
            if arm.instance.pk and arm.cleaned_data and not arm.cleaned_data.get("DELETE"):
                experiments.ask_in(
                    arm.instance, arm.adjustment, series_ids=chosen, now=clock.now(request)
                )

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<uuid:experiment_id>/{step}/",
                self.admin_site.admin_view(require_POST(self._step(step, take, said))),
                name=f"viewers_experiment_{step.replace('-', '_')}",
            )
            for step, (take, said) in _STEPS.items()
        ]
        urls: list[URLPattern] = own + super().get_urls()
        return urls

    def beside(self, request: HttpRequest, row: Experiment) -> Mapping[str, Any]:
        may = request.user.has_perm("viewers.change_experiment")
        is_own = row.asked_by_id == request.user.pk
        return {
            "lines": arm_lines(row),
            "conflicted_count": _counting(row).exclude(conflicted_at=None).count(),
            "state": row.state,
            "shown": seen.token(_as_shown(request, row)),
            "may_ask": may and _is_draft(row),
            "may_agree": may and row.state == ExperimentState.WAITING and not is_own,
            "may_return": may and row.state == ExperimentState.WAITING,
            "may_end": may and row.state == ExperimentState.RUNNING,
            "is_own": is_own,
        }

    def _step(self, step: str, take: "_Step", said: str) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, experiment_id: UUID) -> HttpResponse:
            if not request.user.has_perm("viewers.change_experiment"):
                raise PermissionDenied
            get_object_or_404(Experiment, id=experiment_id)
            assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
            try:
                with transaction.atomic():
                    taken = take(experiment_id, request.user.id, clock.now(request))
                    if step == _SECOND_STEP:
                        _refuse_unseen(request, taken)
                    done = _WAITS if taken.state == ExperimentState.WAITING else said
                    self.log_change(request, taken, done)
            except ExperimentRefused as refusal:
                for complaint in refusal.complaints:
                    messages.error(request, complaint)
            else:
                messages.success(request, done)
            return redirect("admin:viewers_experiment_change", experiment_id)

        return view

    @admin.display(description="Slice")
    def slice(self, experiment: Experiment) -> str:
        return f"{percent(experiment.slice_from)} % to {percent(experiment.slice_to)} %"

    @admin.display(description="State")
    def standing(self, experiment: Experiment) -> SafeString:
        state = ExperimentState(experiment.state)
        return format_html(
            '<span class="{}">{}</span>', _TAGS.get(state, "ch-tag"), state.label.lower()
        )

    @admin.display(description="Asked for")
    def asked(self, experiment: Experiment) -> str:
        return _who(experiment.asked_by, experiment.asked_at)

    @admin.display(description="Agreed to")
    def agreed(self, experiment: Experiment) -> str:
        return _who(experiment.agreed_by, experiment.agreed_at)

    @admin.display(description="Ended")
    def ended(self, experiment: Experiment) -> str:
        return _who(experiment.ended_by, experiment.ended_at)


_SHOWN = (
    (None, {"fields": ("code", "question", "varies", "standing")}),
    ("Who takes part", {"fields": ("layer", "slice", "new_viewers_only", "starts_at")}),
    ("What is read out", {"fields": ("horizon_hours", "planned_viewers")}),
    ("Who", {"fields": ("asked", "agreed", "ended")}),
)
_WAITS = "Asked for: somebody else has to agree, since it changes much of what viewers pay."
_SECOND_STEP = "agree"
_Step = Callable[[UUID, int, Any], Experiment]
_STEPS: Mapping[str, tuple[_Step, str]] = {
    "ask": (
        lambda one, who, now: lifecycle.ask(experiment_id=one, operator_id=who, now=now),
        "Started.",
    ),
    _SECOND_STEP: (
        lambda one, who, now: lifecycle.agree(experiment_id=one, operator_id=who, now=now),
        "Agreed to, and started.",
    ),
    "return": (
        lambda one, who, now: lifecycle.return_to_draft(experiment_id=one),
        "It is a draft again.",
    ),
    "end": (
        lambda one, who, now: lifecycle.end(experiment_id=one, operator_id=who, now=now),
        "Ended: everybody is asked what everybody is asked.",
    ),
}


def _as_shown(request: HttpRequest, experiment: Experiment) -> tuple[object, ...]:
    return (request.user.pk, *experiments.as_asked(experiment))


def _refuse_unseen(request: HttpRequest, agreed: Experiment) -> None:
    """Inside the step's transaction: what starts is what this operator was shown."""
    if not seen.was_shown(_as_shown(request, agreed), request.POST.get("shown", "")):
        raise ExperimentRefused.of(
            "Nothing was started: it was asked for anew since you looked. This is how it stands now."
        )


def arm_lines(experiment: Experiment) -> Sequence[ArmLine]:
    """Each arm with its share, what it asks, and how many have met it; those who met two are left out."""
    counted = _counting(experiment).filter(conflicted_at=None).values("arm_id")
    count_of = dict(counted.annotate(count=Count("id")).values_list("arm_id", "count"))
    whole = sum(count_of.values())
    asked = arm_terms.read(experiment.id)
    lines = []
    for arm in experiment.arms.order_by("code"):
        count = count_of.get(arm.id, 0)
        lines.append(
            ArmLine(
                code=arm.code,
                is_control=arm.is_control,
                share=f"{percent(arm.share_parts_per_million)} %",
                asks=_asks(asked.get(arm.id, {})),
                exposed_count=count,
                exposed_share=f"{100 * count / whole:.2f} %" if whole else "–",
            )
        )
    return lines


def _asks(by_series: Mapping[UUID | None, UUID]) -> str:
    rows = PriceAdjustment.objects.in_bulk(set(by_series.values())).values()
    said = "; ".join(sorted(_says(pricing.adjustment_of(row)) for row in rows))
    titles = "" if None in by_series or not by_series else f", on {len(by_series):,} titles"
    return f"{said}{titles}" if said else "as everybody"


def _says(adjustment: Adjustment) -> str:
    said = []
    if adjustment.free_count is not None:
        said.append(f"{adjustment.free_count:,} free")
    if adjustment.price_coins is not None:
        said.append(f"{adjustment.price_coins:,} coins")
    if adjustment.scale_parts_per_million is not None:
        said.append(f"{percent(adjustment.scale_parts_per_million)} % of the price")
    return ", ".join(said)


def _counting(experiment: Experiment) -> Any:
    """Exposures that count: of merged viewers one."""
    return experiment.exposures.filter(carried_to=None)


def _is_draft(experiment: Experiment | None) -> bool:
    return experiment is None or experiment.state == ExperimentState.DRAFT


def _is_used(layer: Layer) -> bool:
    return layer.experiments.filter(~Q(state=ExperimentState.DRAFT)).exists()


def _who(user: Any, at: Any) -> str:
    return "–" if user is None else f"{user}, {at:%Y-%m-%d %H:%M:%S}"
