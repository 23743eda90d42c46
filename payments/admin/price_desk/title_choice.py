"""Choosing titles by what they are, any number of them; the form carries the filter, not the titles."""

from datetime import datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
)

from catalog.models import ProvenanceKind, Series
from payments.desk.price_changes import selection
from payments.desk.price_changes.selection import Selection
from payments.models import PricePlan

MAXIMUM_EPISODES = 10_000
SHOWN = 8


def shared_plans() -> QuerySet[PricePlan]:
    """The plans that can price many titles, the default first."""
    return PricePlan.objects.filter(own_series=None).order_by("-is_default", "name")


class SelectionForm(forms.Form):
    """What is left empty fits every title. `selection()` is what was said once it is valid."""

    prefix = "titles"

    words = forms.CharField(
        label="Words",
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget({"placeholder": "Of a title, synopsis or tag"}),
        help_text="Or one whole external id.",
    )
    genre = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)
    original_locale = forms.ChoiceField(
        label="Made in", required=False, widget=UnfoldAdminSelectWidget
    )
    provenance_kind = forms.ChoiceField(
        label="Provenance",
        required=False,
        choices=[("", "Any"), *ProvenanceKind.choices],
        widget=UnfoldAdminSelectWidget,
    )
    minimum_episodes = forms.IntegerField(
        label="At least … episodes",
        required=False,
        min_value=0,
        max_value=MAXIMUM_EPISODES,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    maximum_episodes = forms.IntegerField(
        label="At most … episodes",
        required=False,
        min_value=0,
        max_value=MAXIMUM_EPISODES,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    plan = forms.ModelChoiceField(
        label="Priced now by",
        required=False,
        queryset=PricePlan.objects.none(),
        empty_label="Any plan",
        widget=UnfoldAdminSelectWidget,
    )
    published_from = forms.DateField(
        label="Published from", required=False, widget=UnfoldAdminSingleDateWidget
    )
    published_until = forms.DateField(
        label="Published until", required=False, widget=UnfoldAdminSingleDateWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["plan"].queryset = shared_plans()  # type: ignore[attr-defined]
        for name, empty in (("genre", "Any genre"), ("original_locale", "Any language")):
            self.fields[name].choices = [("", empty), *_values(name)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for first, last, fault in (
            ("minimum_episodes", "maximum_episodes", "At least is more than at most."),
            ("published_from", "published_until", "From is after until."),
        ):
            low, high = cleaned.get(first), cleaned.get(last)
            if low is not None and high is not None and low > high:
                self.add_error(last, fault)
        return cleaned

    def selection(self) -> Selection:
        data = self.cleaned_data
        plan: PricePlan | None = data["plan"]
        return Selection(
            words=data["words"].strip().replace("\x00", ""),
            plan_id=plan.id if plan else None,
            **{name: data[name] for name in self.fields if name not in {"words", "plan"}},
        )


def initial_of(chosen: Selection) -> dict[str, Any]:
    """What the form starts from to say the same again."""
    said = {name: getattr(chosen, name) for name in chosen.__struct_fields__}
    return said | {"plan": said.pop("plan_id")}


def found(chosen: Selection, *, at: datetime) -> dict[str, Any]:
    """How many titles a selection finds, and the first of them, for a page."""
    titles = selection.find(chosen, at=at)
    return {
        "says": selection.describe(chosen),
        "count": titles.count(),
        "first": list(titles[:SHOWN]),
    }


def _values(name: str) -> list[tuple[str, str]]:
    published = Series.objects.filter(state=Series.State.PUBLISHED).exclude(**{name: ""})
    values = published.order_by(name).values_list(name, flat=True).distinct()
    return [(value, value) for value in values]
