"""Titles whose price nobody has vouched for: look, let it be, or choose a plan."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminSelectWidget

from config import clock
from config.read_only_admin import ReadOnlyAdmin
from payments.admin.explained import Explained
from payments.admin.price_desk import title_prices, words
from payments.admin.price_desk.new_change import kept_terms
from payments.admin.price_desk.title_choice import shared_plans
from payments.admin.series_choice import title, with_titles
from payments.desk import plan_rules, plans
from payments.desk.price_changes import approval
from payments.desk.price_changes.approval import ChangeRefused
from payments.desk.price_changes.checks import ContentRefused
from payments.desk.price_changes.contents import MoveSeries
from payments.models import ChangeState, PriceException, PricePlan, PriceVersion
from payments.prices import pricing


class ChoosePlanForm(forms.Form):
    plan = forms.ModelChoiceField(
        label="Price it by",
        queryset=PricePlan.objects.none(),
        empty_label="Choose a plan",
        widget=UnfoldAdminSelectWidget,
        error_messages={"required": "Choose a plan first."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["plan"].queryset = shared_plans()  # type: ignore[attr-defined]


class OpenFilter(admin.SimpleListFilter):
    """Those that are still open, unless somebody asks for all."""

    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        for value, label in self.lookup_choices:
            yield {
                "selected": (self.value() or "open") == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": label,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.value() == "all" else queryset.filter(settled_at=None)


@admin.register(PriceException)
class PriceExceptionAdmin(Explained, ReadOnlyAdmin):
    """The queue. Nothing waits for it: the titles are on sale meanwhile."""

    list_display = ("found_at", "titled", "reason", "standing", "settled_by")
    list_filter = (OpenFilter, ("reason", ChoicesDropdownFilter))
    exact_search_fields = ("id", "series_id", "series__external_id")
    search_help_text = "A whole external id or title id"
    fields = ("title_link", "reason", "found_at", "plan_now", "price_now", "settled")
    readonly_fields = ("title_link", "plan_now", "price_now", "settled")
    actions = ("let_be",)
    change_form_template = "admin/payments/priceexception/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceException]:
        return with_titles(super().get_queryset(request).select_related("settled_by"), "series")

    def get_actions(self, request: HttpRequest) -> Any:
        return super().get_actions(request) if _may_settle(request) else {}

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        own = [
            path(
                "<uuid:exception_id>/let-be/",
                guarded(require_POST(self.let_be_view)),
                name="payments_priceexception_let_be",
            ),
            path(
                "<uuid:exception_id>/choose-plan/",
                guarded(require_POST(self.choose_plan_view)),
                name="payments_priceexception_choose_plan",
            ),
        ]
        urls: list[URLPattern] = own + super().get_urls()
        return urls

    def beside(self, request: HttpRequest, row: PriceException) -> Mapping[str, Any]:
        is_open = row.settled_at is None
        may = request.user.has_perm
        return {
            "may_settle": is_open and _may_settle(request),
            "may_choose": is_open and _may_settle(request) and may("payments.add_pricechange"),
            "plan_form": ChoosePlanForm(),
        }

    @admin.action(description="Let the selected prices be")
    def let_be(self, request: HttpRequest, queryset: QuerySet[PriceException]) -> None:
        now = clock.now(request)
        rows = list(queryset.filter(settled_at=None))
        for row in rows:
            plan_rules.settle(row.id, operator_id=_operator_id(request), now=now)
            self.log_change(request, row, "Let be as it is.")
        messages.success(request, f"{words.counted(len(rows), 'title')} settled.")

    def let_be_view(self, request: HttpRequest, exception_id: UUID) -> HttpResponse:
        """An operator vouches for the price as it is."""
        if not _may_settle(request):
            raise PermissionDenied
        row = get_object_or_404(PriceException, id=exception_id)
        if row.settled_at is not None:
            messages.info(request, "Somebody has settled this already.")
        else:
            plan_rules.settle(
                exception_id, operator_id=_operator_id(request), now=clock.now(request)
            )
            self.log_change(request, row, "Let be as it is.")
            messages.success(request, "Settled: its price stays as it is.")
        return redirect("admin:payments_priceexception_changelist")

    def choose_plan_view(self, request: HttpRequest, exception_id: UUID) -> HttpResponse:
        """Moves the title to a plan, by a change like any other: it may take a second person."""
        if not (_may_settle(request) and request.user.has_perm("payments.add_pricechange")):
            raise PermissionDenied
        row = get_object_or_404(PriceException.objects.select_related("series"), id=exception_id)
        form = ChoosePlanForm(request.POST)
        if not form.is_valid():
            messages.error(request, str(form.errors["plan"][0]))
            return redirect("admin:payments_priceexception_change", exception_id)
        if row.settled_at is not None:
            messages.info(request, "Somebody has settled this already.")
            return redirect("admin:payments_priceexception_changelist")
        try:
            return self._move(request, row, form.cleaned_data["plan"])
        except (ChangeRefused, ContentRefused) as refusal:
            messages.error(request, str(refusal))
            return redirect("admin:payments_priceexception_change", exception_id)

    def _move(self, request: HttpRequest, row: PriceException, plan: PricePlan) -> HttpResponse:
        now, operator_id = clock.now(request), _operator_id(request)
        with transaction.atomic():
            change = approval.draft(
                name=f"{row.series.external_id[:100]} to {plan}",
                content=MoveSeries(plan_id=plan.id),
                series_ids=[row.series_id],
                effective_from=None,
                operator_id=operator_id,
                now=now,
            )
            change = approval.propose(change_id=change.id, operator_id=operator_id, now=now)
            is_in_force = change.state == ChangeState.SCHEDULED
            if is_in_force:
                plan_rules.settle(row.id, operator_id=operator_id, now=now)
            said = f"Priced by {plan}." if is_in_force else f"Asked for {plan}."
            self.log_change(request, row, said)
        if is_in_force:
            messages.success(request, f"{plan} prices it from now on.")
            return redirect("admin:payments_priceexception_changelist")
        messages.warning(
            request, "Asked for. It becomes so much dearer that a second person has to agree."
        )
        return redirect("admin:payments_pricechange_change", change.id)

    @admin.display(description="Title")
    def titled(self, row: PriceException) -> str:
        return title(row.series)

    @admin.display(description="Title")
    def title_link(self, row: PriceException) -> SafeString:
        url = reverse(f"admin:{title_prices.URL_NAME}", args=[row.series_id])
        return format_html('<a class="ch-link" href="{}">{}</a>', url, title(row.series))

    @admin.display(description="Plan")
    def plan_now(self, row: PriceException) -> str:
        held = plans.in_force(at=clock.read()).filter(series_id=row.series_id)
        assignment = held.select_related("plan").first()
        return str(assignment.plan) if assignment else "The default plan"

    @admin.display(description="It asks")
    def price_now(self, row: PriceException) -> str:
        try:
            version = pricing.version_in_force(series_id=row.series_id, at=clock.read())
        except PriceVersion.DoesNotExist:
            return "–"
        return words.terms(kept_terms(version))

    @admin.display(description="State")
    def standing(self, row: PriceException) -> SafeString:
        if row.settled_at is None:
            return format_html('<span class="ch-tag ch-tag-ahead">{}</span>', "open")
        return format_html('<span class="ch-tag">{}</span>', "settled")

    @admin.display(description="Settled")
    def settled(self, row: PriceException) -> str:
        if row.settled_by is None:
            return "–"
        return f"{row.settled_by}, {words.moment(row.settled_at)}"


def open_count(request: HttpRequest) -> int:
    """How many titles are in the queue, for whoever may settle them."""
    if not _may_settle(request):
        return 0
    return PriceException.objects.filter(settled_at=None).count()


def _may_settle(request: HttpRequest) -> bool:
    return request.user.has_perm("payments.change_priceexception")


def _operator_id(request: HttpRequest) -> int:
    assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
    return request.user.id
