"""Changes of prices: what was asked, agreed to and taken back, and what each did or would do."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import (
    Case,
    F,
    OrderBy,
    OuterRef,
    QuerySet,
    Subquery,
    TextField,
    UUIDField,
    Value,
    When,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from catalog.models import Series
from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import seen
from payments.admin.explained import Explained
from payments.admin.price_desk import preview, title_prices, words
from payments.admin.price_desk.forms import as_uuid
from payments.admin.price_desk.new_change import ChooseKindPage, NewChangePage
from payments.admin.price_desk.title_choice import SelectionForm
from payments.admin.price_desk.title_prices import TitlePricesPage
from payments.admin.series_choice import SeriesSelect
from payments.desk.price_changes import approval, contents, selection
from payments.desk.price_changes.approval import ChangeRefused
from payments.desk.price_changes.checks import ContentRefused
from payments.desk.price_tables import writing
from payments.desk.price_tables.sheets import CONTENT_TYPES, Format
from payments.models import ChangeState, PriceChange, PricePlan

#: What the page of a new change is called for each kind of content.
_KIND_OF = {
    "new_version": "plan",
    "move_series": "move",
    "campaign": "promotion",
    "price_table": "table",
}
_OPEN = (ChangeState.DRAFT, ChangeState.WAITING)


class DecisionForm(forms.Form):
    note = forms.CharField(
        label="Note",
        required=False,
        max_length=approval.NOTE_CHARACTERS,
        widget=UnfoldAdminTextInputWidget({"placeholder": "Why, for whoever asked"}),
    )


class LookForm(forms.Form):
    """What the preview shows more closely."""

    title = forms.ModelChoiceField(
        label="Title", required=False, queryset=Series.objects.all(), widget=SeriesSelect
    )
    viewer = forms.UUIDField(label="Viewer id", required=False, widget=UnfoldAdminTextInputWidget)


@admin.register(PriceChange)
class PriceChangeAdmin(Explained, ReadOnlyAdmin):
    """Drafted on a form of its own, asked for and decided on its page; never edited or deleted."""

    list_display = (
        "standing",
        "name",
        "what",
        "titles",
        "largest_rise",
        "asked_by",
        "decided_by",
        "effective_from",
    )
    list_display_links = ("name",)
    list_filter = (("state", ChoicesDropdownFilter), ("asked_at", DayRangeFilter))
    exact_search_fields = ("id", "name", "asked_by__username")
    search_help_text = "A whole name or change id, or who asked"
    fields = (
        "name",
        "what",
        "titles",
        "chosen",
        "effective_from",
        ("asked_by", "asked_at"),
        "decision",
        "ending",
    )
    readonly_fields = ("what", "titles", "chosen", "decision", "ending")
    change_form_template = "admin/payments/pricechange/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.add_pricechange")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceChange]:
        """Without tables of prices, which are long: their number of titles says enough."""
        plan = PricePlan.objects.filter(id=Cast(OuterRef("plan_id"), UUIDField()))
        queryset: QuerySet[PriceChange] = super().get_queryset(request)
        return (
            queryset.select_related("asked_by", "decided_by", "ended_by")
            .annotate(
                kind=KT("content__type"),
                plan_id=Case(
                    When(content__has_key="plan_id", then=KT("content__plan_id")),
                    default=Value(None),
                    output_field=TextField(),
                ),
                short=Case(When(content__type="price_table", then=None), default=F("content")),
            )
            .annotate(plan_name=Subquery(plan.values("name")[:1]))
            .defer("content")
        )

    def get_ordering(self, request: HttpRequest) -> Sequence[str | OrderBy]:
        """What waits for somebody comes first."""
        return [Case(When(state=ChangeState.WAITING, then=0), default=1).asc(), "-id"]

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        steps = {
            "propose": self.propose_view,
            "decide": self.decide_view,
            "end": self.end_view,
        }
        own = [
            path(
                "new/<str:kind>/",
                guarded(NewChangePage.as_view(model_admin=self)),
                name="payments_pricechange_new",
            ),
            path(
                "title/<uuid:series_id>/",
                guarded(TitlePricesPage.as_view(model_admin=self)),
                name=title_prices.URL_NAME,
            ),
            path(
                "prices/",
                guarded(require_GET(self.export_view)),
                name="payments_pricechange_export",
            ),
            *(
                path(
                    f"<uuid:change_id>/{name}/",
                    guarded(require_POST(view)),
                    name=f"payments_pricechange_{name}",
                )
                for name, view in steps.items()
            ),
        ]
        urls: list[URLPattern] = own + super().get_urls()
        return urls

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponseBase:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return ChooseKindPage.as_view(model_admin=self)(request)

    def beside(self, request: HttpRequest, row: PriceChange) -> Mapping[str, Any]:
        now = clock.now(request)
        asked = _asked(request)
        change = PriceChange.objects.select_related("asked_by").get(id=row.id)
        is_open = change.state in _OPEN
        shown = (
            preview.of_open(change, asked=asked, now=now, operator_id=_operator_id(request))
            if is_open
            else preview.of_agreed(change, asked=asked)
        )
        look = LookForm(initial={"title": asked.series_id, "viewer": asked.viewer_id})
        return {
            # Not `change`: the admin has its own use for that word.
            "price_change": change,
            "now": now,
            "is_open": is_open,
            "standing": _standing(change, now),
            "what": words.what(contents.read(change.content)),
            "preview": shown,
            "shown": _token(request, change, shown),
            "look_form": look,
            "look_media": look.media,
            "decision_form": DecisionForm(),
            "again_kind": _KIND_OF[change.content["type"]],
            **offers(request, change, now),
        }

    def propose_view(self, request: HttpRequest, change_id: UUID) -> HttpResponse:
        """Asks for a draft, as it was looked at."""
        _require(request, "add")

        def propose(now: datetime) -> PriceChange:
            change = approval.propose(
                change_id=change_id, operator_id=_operator_id(request), now=now
            )
            _refuse_unseen(request, change)
            return change

        return self._step(request, change_id, propose)

    def decide_view(self, request: HttpRequest, change_id: UUID) -> HttpResponse:
        """A second person agrees or refuses, or whoever asked withdraws it."""
        is_agreed = "agree" in request.POST
        change = get_object_or_404(PriceChange, id=change_id)
        if is_agreed or not _is_own(request, change):
            _require(request, "change")
        else:
            _require(request, "add")
        form = DecisionForm(request.POST)
        if not form.is_valid():
            messages.error(request, f"Nothing was done: {' '.join(map(str, form.errors['note']))}")
            return redirect("admin:payments_pricechange_change", change_id)

        def decide(now: datetime) -> PriceChange:
            decided = approval.decide(
                change_id=change_id,
                operator_id=_operator_id(request),
                is_agreed=is_agreed,
                note=form.cleaned_data["note"],
                now=now,
            )
            if is_agreed:
                _refuse_unseen(request, decided)
            return decided

        return self._step(request, change_id, decide)

    def end_view(self, request: HttpRequest, change_id: UUID) -> HttpResponse:
        """Withdraws it, or rolls it back."""
        change = get_object_or_404(PriceChange, id=change_id)
        is_own = change.state in _OPEN and _is_own(request, change)
        _require(request, "add" if is_own else "change")

        def end(now: datetime) -> PriceChange:
            return approval.end(change_id=change_id, operator_id=_operator_id(request), now=now)

        return self._step(request, change_id, end)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """The prices in force of the titles that a filter finds, as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = SelectionForm(request.GET)
        if not form.is_valid():
            for complaints in form.errors.values():
                messages.error(request, " ".join(str(one) for one in complaints))
            return redirect("admin:payments_pricechange_new", "table")
        now = clock.now(request)
        kind = Format.XLSX if request.GET.get("form") == Format.XLSX else Format.CSV
        series_ids = selection.find(form.selection(), at=now).values_list("id", flat=True)
        file = writing.write(list(series_ids), at=now, form=kind)
        name = f"prices-{now:%Y-%m-%d}.{kind}"
        return HttpResponse(
            file,
            content_type=CONTENT_TYPES[kind],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _step(
        self, request: HttpRequest, change_id: UUID, step: Callable[[datetime], PriceChange]
    ) -> HttpResponse:
        get_object_or_404(PriceChange, id=change_id)
        now = clock.now(request)
        if "confirmed" not in request.POST:
            messages.error(request, "Nothing was done: it was not confirmed.")
            return redirect("admin:payments_pricechange_change", change_id)
        try:
            with transaction.atomic():
                change = step(now)
                level, said = _told(change, now)
                self.log_change(request, change, said)
        except (ChangeRefused, ContentRefused) as refusal:
            messages.error(request, str(refusal))
        except IntegrityError:
            messages.error(
                request, "Nothing was done: somebody changed the same prices just now. Look again."
            )
        else:
            messages.add_message(request, level, said)
        return redirect("admin:payments_pricechange_change", change_id)

    @admin.display(description="State", ordering="state")
    def standing(self, change: PriceChange) -> SafeString:
        return _standing(change, clock.read())

    @admin.display(description="What")
    def what(self, change: Any) -> str:
        if change.kind == "price_table":
            return "Prices of their own, from a table"
        if change.kind == "move_series":
            return f"Priced by {change.plan_name or 'a plan that is gone'}"
        content = contents.read(change.short)
        if isinstance(content, contents.NewVersion):
            return f"{change.plan_name or 'A plan that is gone'}: {words.terms(content.terms)}"
        return words.what(content)

    @admin.display(description="Titles", ordering="titles_count")
    def titles(self, change: PriceChange) -> str:
        return "–" if change.state == ChangeState.DRAFT else f"{change.titles_count:,}"

    @admin.display(description="Largest rise", ordering="largest_rise_parts_per_million")
    def largest_rise(self, change: PriceChange) -> str:
        if change.state == ChangeState.DRAFT:
            return "–"
        return words.rise(change.largest_rise_parts_per_million)

    @admin.display(description="Chosen by")
    def chosen(self, change: PriceChange) -> str:
        if change.selection is None:
            return "–"
        return selection.describe(selection.read(change.selection))

    @admin.display(description="Decided")
    def decision(self, change: PriceChange) -> str:
        if change.decided_by is None:
            return "–"
        note = f": {change.decision_note}" if change.decision_note else ""
        return f"{change.decided_by}, {words.moment(change.decided_at)}{note}"

    @admin.display(description="Ended")
    def ending(self, change: PriceChange) -> str:
        if change.ended_by is None:
            return "–"
        state = change.get_state_display().lower()
        return f"{state} by {change.ended_by}, {words.moment(change.ended_at)}"


def offers(request: HttpRequest, change: PriceChange, now: datetime) -> dict[str, Any]:
    """What this operator can do about a change, for its page."""
    may_ask, may_decide = (
        request.user.has_perm(f"payments.{action}_pricechange") for action in ("add", "change")
    )
    is_own = _is_own(request, change)
    is_draft, is_waiting = change.state == ChangeState.DRAFT, change.state == ChangeState.WAITING
    is_agreed = change.state == ChangeState.SCHEDULED
    return {
        "is_draft": is_draft,
        "is_waiting": is_waiting,
        "is_own": is_own,
        "is_begun": is_agreed
        and change.effective_from is not None
        and change.effective_from <= now,
        "may_propose": is_draft and may_ask,
        "may_agree": is_waiting and may_decide and not is_own,
        "may_refuse": is_waiting and (may_decide or (may_ask and is_own)),
        "may_withdraw": is_draft and (may_decide or (may_ask and is_own)),
        "may_end": is_agreed and may_decide,
        "may_ask_again": may_ask,
    }


def waiting(request: HttpRequest) -> list[dict[str, Any]]:
    """The changes that wait for a second person, for whoever could be one."""
    if not request.user.has_perm("payments.change_pricechange"):
        return []
    rows = PriceChange.objects.filter(state=ChangeState.WAITING).select_related("asked_by")
    return [
        {
            "change": change,
            "is_own": _is_own(request, change),
            "rise": words.rise(change.largest_rise_parts_per_million),
        }
        for change in rows.defer("content").order_by("asked_at")[:20]
    ]


def _token(request: HttpRequest, change: PriceChange, shown: preview.Preview | None) -> str:
    if shown is None or shown.reach is None:
        return ""
    return seen.token((str(change.id), *shown.reach.figures, _operator_id(request)))


def _refuse_unseen(request: HttpRequest, change: PriceChange) -> None:
    """Inside the step's transaction: what would be done is what this operator was shown."""
    done = (str(change.id), *approval.figures(change), _operator_id(request))
    if not seen.was_shown(done, request.POST.get("shown", "")):
        raise approval.Outdated(
            "Nothing was done: what it would do has changed since you looked. This is how it stands "
            "now."
        )


def _told(change: PriceChange, now: datetime) -> tuple[int, str]:
    state = ChangeState(change.state)
    if state == ChangeState.WAITING:
        return messages.WARNING, "Asked for. Nothing changes until a second person has agreed."
    if state == ChangeState.SCHEDULED:
        begun = change.effective_from is not None and change.effective_from <= now
        if begun:
            return messages.SUCCESS, f"In force for {words.counted(change.titles_count, 'title')}."
        return messages.SUCCESS, f"Scheduled for {words.moment(change.effective_from)}."
    if state == ChangeState.ROLLED_BACK:
        return messages.SUCCESS, "Rolled back: from now on it costs what it cost before."
    if state == ChangeState.REFUSED:
        return messages.SUCCESS, "Refused. Nothing was changed."
    return messages.SUCCESS, "Withdrawn. Nothing was changed."


def _standing(change: PriceChange, now: datetime) -> SafeString:
    state = ChangeState(change.state)
    says, tag = state.label.lower(), "ch-tag"
    if state == ChangeState.WAITING:
        says, tag = "waits for a second person", "ch-tag ch-tag-ahead"
    elif state == ChangeState.SCHEDULED and change.effective_from is not None:
        is_begun = change.effective_from <= now
        says, tag = (
            ("in force", "ch-tag ch-tag-on") if is_begun else ("scheduled", "ch-tag ch-tag-ahead")
        )
    elif state == ChangeState.WITHDRAWN:
        says = "withdrawn"
    return format_html('<span class="{}">{}</span>', tag, says)


def _asked(request: HttpRequest) -> preview.LookAt:
    title = as_uuid(request.GET.get("title"))
    known = title is not None and Series.objects.filter(id=title).exists()
    return preview.LookAt(
        series_id=title if known else None,
        viewer_id=as_uuid(request.GET.get("viewer", "").strip()),
    )


def _require(request: HttpRequest, action: str) -> None:
    if not request.user.has_perm(f"payments.{action}_pricechange"):
        raise PermissionDenied


def _is_own(request: HttpRequest, change: PriceChange) -> bool:
    return change.asked_by_id == _operator_id(request)


def _operator_id(request: HttpRequest) -> int:
    assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
    return request.user.id
