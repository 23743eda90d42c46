"""Drafting a change: say what, see which titles, keep it to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.generic import TemplateView
from unfold.admin import ModelAdmin

from catalog.models import Series
from config import clock
from payments.admin import overrides
from payments.admin.price_desk import title_choice, words
from payments.admin.price_desk.forms import (
    PARTS_PER_PERCENT,
    SECONDS_PER_HOUR,
    CampaignForm,
    ChangeForm,
    MoveForm,
    TableForm,
    TermsForm,
    VariantFormSet,
    as_uuid,
)
from payments.admin.price_desk.title_choice import SelectionForm
from payments.admin.series_choice import titles
from payments.desk.price_changes import approval, contents, selection
from payments.desk.price_changes.checks import ContentRefused
from payments.desk.price_changes.contents import (
    AdjustedPrice,
    Campaign,
    Content,
    MoveSeries,
    NewVersion,
    TermsContent,
    VariantContent,
)
from payments.desk.price_changes.selection import Selection
from payments.models import PriceChange, PricePlan, PriceVersion
from payments.prices import pricing


@dataclass(frozen=True)
class Kind:
    """One kind of change: how its page is called and what is filled in."""

    title: str
    text: str
    symbol: str
    form: type[ChangeForm]
    has_titles: bool = False
    has_variants: bool = False
    has_file: bool = False


KINDS: Mapping[str, Kind] = {
    "plan": Kind(
        "New prices for a plan",
        "Free episodes, price, rising steps, single episodes, countries and platforms, bundles and "
        "rentals: for every title that the plan prices.",
        "sell",
        TermsForm,
        has_variants=True,
    ),
    "move": Kind(
        "Move titles to a plan",
        "Every title that a filter finds, be it one or 30,000.",
        "drive_file_move",
        MoveForm,
        has_titles=True,
    ),
    "promotion": Kind(
        "Promotion",
        "A discount, or more episodes free, for a time. It ends by itself.",
        "campaign",
        CampaignForm,
        has_titles=True,
    ),
    "table": Kind(
        "Prices from a table",
        "Export prices, edit them in a spreadsheet, and bring the file back: prices of its own for "
        "each title.",
        "table_view",
        TableForm,
        has_file=True,
    ),
}


@dataclass
class Filled:
    """The forms of a page as they were sent."""

    form: ChangeForm
    titles: SelectionForm | None
    variants: Any

    def is_valid(self) -> bool:
        parts = [part for part in (self.form, self.titles, self.variants) if part is not None]
        # Each is asked, so that each says what is wrong with it.
        verdicts = [part.is_valid() for part in parts]
        return all(verdicts)

    def content(self) -> Content:
        if self.variants is None:
            content: Content = self.form.content()  # type: ignore[attr-defined]
            return content
        assert isinstance(self.form, TermsForm)  # noqa: S101  the one kind that has variants
        said = [form.variant() for form in self.variants]
        return self.form.content([one for one in said if one is not None])

    def selection(self) -> Selection | None:
        return self.titles.selection() if self.titles is not None else None


class ChooseKindPage(TemplateView):
    """What an operator wants to change."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    template_name = "admin/payments/pricechange/kinds.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kinds = [
            {"kind": kind, "url": reverse("admin:payments_pricechange_new", args=[name])}
            for name, kind in KINDS.items()
        ]
        own = {"title": "New change", "opts": self.model_admin.opts, "kinds": kinds}
        context = self.model_admin.admin_site.each_context(self.request)
        return super().get_context_data(**context, **own, **kwargs)


class NewChangePage(TemplateView):
    """Look says which titles are meant; Draft keeps the change, which changes nothing yet."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    template_name = "admin/payments/pricechange/new.html"
    kind: Kind
    now: datetime

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("payments.add_pricechange"):
            raise PermissionDenied
        if kwargs["kind"] not in KINDS:
            raise Http404
        self.kind = KINDS[kwargs["kind"]]
        self.now = clock.now(request)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        start = starting_point(request, self.kind, now=self.now)
        filled = Filled(
            form=self.kind.form(initial=dict(start.form)),
            titles=SelectionForm(initial=start.titles) if self.kind.has_titles else None,
            variants=self._variants(initial=start.variants),
        )
        chosen = None
        if start.titles:
            chosen = title_choice.found(selection_of(start.titles), at=self.now)
        return self._shown(filled, chosen)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        filled = Filled(
            form=self.kind.form(request.POST, request.FILES),
            titles=SelectionForm(request.POST) if self.kind.has_titles else None,
            variants=self._variants(request.POST),
        )
        if "draft" in request.POST:
            if filled.is_valid() and (change := self._draft(filled)) is not None:
                return redirect("admin:payments_pricechange_change", change.id)
            return self._shown(filled, self._found(filled))
        # Looking at the titles needs only the filter.
        for part in (filled.form, filled.variants):
            if part is not None:
                part.is_valid()
        if filled.titles is not None:
            filled.form.errors.clear()
        return self._shown(filled, self._found(filled))

    def _variants(self, data: Any = None, initial: Any = None) -> Any:
        if not self.kind.has_variants:
            return None
        return VariantFormSet(data, initial=initial, prefix="variants")

    def _found(self, filled: Filled) -> dict[str, Any] | None:
        if filled.titles is None or not filled.titles.is_valid():
            return None
        return title_choice.found(filled.titles.selection(), at=self.now)

    def _draft(self, filled: Filled) -> PriceChange | None:
        content, chosen_by = filled.content(), filled.selection()
        try:
            with transaction.atomic():
                change = approval.draft(
                    name=filled.form.cleaned_data["name"],
                    content=content,
                    series_ids=self._series_ids(content, chosen_by),
                    effective_from=filled.form.cleaned_data["effective_from"],
                    operator_id=self._operator().id,
                    now=self.now,
                    chosen_by=chosen_by,
                )
                said = f"Drafted: {words.what(content)}."
                self.model_admin.log_addition(self.request, change, said)
        except ContentRefused as refusal:
            for complaint in refusal.complaints:
                filled.form.add_error(None, complaint)
            return None
        messages.success(
            self.request, "Drafted. Nothing has changed yet: look at it, then ask for it."
        )
        return change

    def _series_ids(self, content: Content, chosen_by: Selection | None) -> list[UUID]:
        if isinstance(content, contents.PriceTable):
            return list(content.rows)
        if chosen_by is None:
            return []
        return list(selection.find(chosen_by, at=self.now).values_list("id", flat=True))

    def _shown(self, filled: Filled, chosen: dict[str, Any] | None) -> HttpResponse:
        named = titles(chosen["first"]) if chosen else {}
        context = self.get_context_data(
            form=filled.form,
            titles_form=filled.titles,
            variants=filled.variants,
            chosen=chosen,
            chosen_titles=list(named.values()),
            chosen_more=chosen["count"] - len(named) if chosen else 0,
            export_form=SelectionForm() if self.kind.has_file else None,
            export_url=reverse("admin:payments_pricechange_export"),
            back=reverse("admin:payments_pricechange_changelist"),
        )
        return self.render_to_response(context)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        own = {"title": self.kind.title, "opts": self.model_admin.opts, "kind": self.kind}
        context = self.model_admin.admin_site.each_context(self.request)
        return super().get_context_data(**context, **own, **kwargs)

    def _operator(self) -> User:
        user = self.request.user
        assert isinstance(user, User)  # noqa: S101  the admin let only staff through
        return user


@dataclass(frozen=True)
class Start:
    """What a page is filled with when it opens."""

    form: Mapping[str, Any]
    titles: Mapping[str, Any]
    variants: Sequence[Mapping[str, Any]] = ()


def starting_point(request: HttpRequest, kind: Kind, *, now: datetime) -> Start:
    """`?again=` an earlier change, `?plan=` a plan's prices in force, `?series=` one title."""
    if again := as_uuid(request.GET.get("again")):
        earlier = PriceChange.objects.filter(id=again).first()
        if earlier is not None:
            return _again(earlier, kind)
    plan = None
    if wanted := as_uuid(request.GET.get("plan")):
        plan = PricePlan.objects.filter(id=wanted).first()
    if kind.has_variants:
        plan = plan or PricePlan.objects.get(is_default=True)
        return _as_it_is(plan, now)
    form = {"plan": plan.id} if plan else {}
    if series_id := as_uuid(request.GET.get("series")):
        series = Series.objects.filter(id=series_id).first()
        if series is not None:
            return Start(form, {"words": series.external_id})
    return Start(form, {})


def selection_of(initial: Mapping[str, Any]) -> Selection:
    """The selection that a page starts with."""
    said = dict(initial)
    return Selection(plan_id=said.pop("plan", None), **said)


def _again(earlier: PriceChange, kind: Kind) -> Start:
    content = contents.read(earlier.content)
    if isinstance(content, NewVersion) and kind.has_variants:
        start = _of_terms(content.terms, content.plan_id)
        return Start({**start.form, "name": earlier.name}, {}, start.variants)
    chosen = title_choice.initial_of(selection.read(earlier.selection or {}))
    if isinstance(content, MoveSeries) and kind.form is MoveForm:
        return Start({"name": earlier.name, "plan": content.plan_id}, chosen)
    if isinstance(content, Campaign) and kind.form is CampaignForm:
        return Start({"name": earlier.name, **_of_campaign(content)}, chosen)
    return Start({"name": earlier.name}, {})


def _of_campaign(content: Campaign) -> Mapping[str, Any]:
    scale = content.price.scale_parts_per_million
    return {
        "free_count": content.price.free_count,
        "price_coins": content.price.price_coins,
        "percent_off": None if scale is None else 100 - scale // PARTS_PER_PERCENT,
        "ends_at": content.ends_at,
        "regions": ", ".join(content.regions),
        "platforms": list(content.platforms),
    }


def _as_it_is(plan: PricePlan, now: datetime) -> Start:
    """From the prices that the plan asks now, or the default plan where it asks none yet."""
    begun = PriceVersion.objects.filter(effective_from__lte=now, cancelled_at=None)
    begun = begun.order_by("-effective_from")
    version = begun.filter(plan=plan).first() or begun.filter(plan__is_default=True).first()
    if version is None:
        return Start({"plan": plan.id}, {})
    return _of_terms(kept_terms(version), plan.id)


def kept_terms(version: PriceVersion) -> TermsContent:
    """A version's terms as a change would bring them."""
    terms = pricing.terms_of(version.id)
    bundle, rental = version.bundle_adjustment, version.rental_adjustment
    return TermsContent(
        free_count=terms.free_count,
        base_price_coins=terms.base_price_coins,
        steps=dict(terms.steps),
        overrides=dict(terms.overrides),
        variants=tuple(
            VariantContent(
                regions=tuple(row.regions),
                platforms=tuple(row.platforms),
                **_fields(row.adjustment),
            )
            for row in version.variants.select_related("adjustment")
        ),
        bundle=AdjustedPrice(**_fields(bundle)) if bundle else None,
        rental=(
            contents.RentalContent(seconds=version.rental_seconds, **_fields(rental))
            if rental and version.rental_seconds
            else None
        ),
    )


def _fields(row: Any) -> dict[str, int | None]:
    return {
        "free_count": row.free_count,
        "price_coins": row.price_coins,
        "scale_parts_per_million": row.scale_parts_per_million,
    }


def _of_terms(terms: TermsContent, plan_id: UUID) -> Start:
    rental = terms.rental
    form: dict[str, Any] = {
        "plan": plan_id,
        "free_count": terms.free_count,
        "base_price_coins": terms.base_price_coins,
        "steps": "\n".join(f"{number}: {price}" for number, price in sorted(terms.steps.items())),
        "overrides": overrides.write(terms.overrides),
        "bundle_percent": _percent(terms.bundle),
        "bundle_price_coins": terms.bundle.price_coins if terms.bundle else None,
        "rental_hours": rental.seconds // SECONDS_PER_HOUR if rental else None,
        "rental_percent": _percent(rental),
        "rental_price_coins": rental.price_coins if rental else None,
    }
    variants = [
        {
            "regions": ", ".join(variant.regions),
            "platforms": list(variant.platforms),
            "free_count": variant.free_count,
            "price_coins": variant.price_coins,
            "percent": _percent(variant),
        }
        for variant in terms.variants
    ]
    return Start(form, {}, variants)


def _percent(price: AdjustedPrice | None) -> int | None:
    if price is None or price.scale_parts_per_million is None:
        return None
    return price.scale_parts_per_million // PARTS_PER_PERCENT
