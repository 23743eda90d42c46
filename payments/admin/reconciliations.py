"""Our books against the stores': runs, what differs and who has looked, what fees came to, and reports."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.generic import FormView
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
)

from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin
from payments.admin import formats
from payments.admin.explained import Explained
from payments.admin.noted import Noted
from payments.models import (
    Difference,
    DifferenceCause,
    DifferenceState,
    FeeAdjustment,
    PassPurchase,
    Purchase,
    Reconciliation,
    RunState,
    StoreMessage,
    StoreReport,
    Subscription,
)
from payments.reconciliation import differences, reports
from viewers.models import Environment

SHOWN_MESSAGES = 20

_TAGS = {
    DifferenceState.OPEN: "ch-tag ch-tag-ahead",
    DifferenceState.WAITING: "ch-tag ch-tag-ahead",
    DifferenceState.HEALED: "ch-tag ch-tag-on",
    RunState.FINISHED: "ch-tag ch-tag-on",
    RunState.RUNNING: "ch-tag ch-tag-ahead",
}


@admin.register(Reconciliation)
class ReconciliationAdmin(Explained, ReadOnlyAdmin):
    """Each comparison, and what it found by cause."""

    list_display = (
        "started_at",
        "provider",
        "environment",
        "standing",
        "since",
        "until",
        "listed_count",
        "booked_count",
        "found",
        "healed_count",
    )
    list_filter = (
        ("provider", ChoicesDropdownFilter),
        ("environment", ChoicesDropdownFilter),
        ("state", ChoicesDropdownFilter),
        ("started_at", DayRangeFilter),
    )
    list_select_related = ("report",)
    fields = (
        "id",
        ("provider", "environment"),
        "report_link",
        ("since", "until"),
        "standing",
        "reason",
        ("listed_count", "booked_count", "healed_count", "fees_waiting_count"),
        ("started_at", "finished_at"),
    )
    readonly_fields = ("standing", "report_link")
    change_form_template = "admin/payments/reconciliation/change_form.html"

    def beside(self, request: HttpRequest, row: Reconciliation) -> Mapping[str, Any]:
        return {"causes": _causes(row)}

    @admin.display(description="State", ordering="state")
    def standing(self, run: Reconciliation) -> SafeString:
        return _tag(RunState(run.state))

    @admin.display(description="Differences")
    def found(self, run: Reconciliation) -> str:
        return f"{sum(run.found_counts.values()):,}"

    @admin.display(description="Report")
    def report_link(self, run: Reconciliation) -> SafeString | str:
        return formats.link("storereport", run.report.id, run.report.name) if run.report else "–"


@admin.register(Difference)
class DifferenceAdmin(Noted, Explained, ReadOnlyAdmin):
    """What does not agree. An operator says that they have looked, and what came of it."""

    actions = ("see",)
    list_display = (
        "found_at",
        "provider",
        "cause",
        "standing",
        "short_name",
        "our_amount",
        "their_amount",
        "detail",
        "environment",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("cause", ChoicesDropdownFilter),
        ("provider", ChoicesDropdownFilter),
        ("environment", ChoicesDropdownFilter),
        ("found_at", DayRangeFilter),
    )
    exact_search_fields: Sequence[str] = ("id", "transaction_id")
    search_help_text = "A store's transaction id, or a difference's id"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "id",
                    ("provider", "environment"),
                    "cause",
                    "standing",
                    "detail",
                    ("our_amount", "their_amount"),
                    "occurred_at",
                )
            },
        ),
        ("About", {"fields": ("transaction_id", "subscription_id", "line_id")}),
        (
            "Found",
            {"fields": (("found_at", "run_link"), ("changed_at", "last_run_link"), "looked_at")},
        ),
        ("Seen", {"fields": ("seen_by", "note")}),
    )
    readonly_fields = ("standing", "our_amount", "their_amount", "run_link", "last_run_link")
    change_form_template = "admin/payments/difference/change_form.html"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """`transaction_id` is a store's text, whatever its name ends in."""
        name = search_term.strip().replace("\x00", "")
        if not name:
            return queryset, False
        by_name = Difference.objects.filter(transaction_id=name)
        found, _ = super().get_search_results(request, queryset, search_term)
        return found | queryset.filter(pk__in=by_name.values("pk")), False

    def has_see_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_difference")

    @admin.action(description="Seen: with a note", permissions=["see"])
    def see(self, request: HttpRequest, queryset: QuerySet[Difference]) -> HttpResponse | None:
        """Somebody has looked, and says what came of it. It rings no more."""
        now, operator_id = clock.now(request), _operator(request).id
        return self.noted(
            request,
            queryset,
            see=lambda ids, note: differences.see(ids, operator_id=operator_id, note=note, now=now),
            consequence="The first page rings no more for these, unless their amounts change.",
        )

    def beside(self, request: HttpRequest, row: Difference) -> Mapping[str, Any]:
        return {"here": _here(row)}

    @admin.display(description="State", ordering="state")
    def standing(self, difference: Difference) -> SafeString:
        return _tag(DifferenceState(difference.state))

    @admin.display(description="Transaction")
    def short_name(self, difference: Difference) -> str:
        name = difference.transaction_id
        return name if len(name) <= 40 else f"{name[:16]}…{name[-16:]}"

    @admin.display(description="Ours")
    def our_amount(self, difference: Difference) -> str:
        return _amount(difference.our_micros, difference.currency)

    @admin.display(description="Theirs")
    def their_amount(self, difference: Difference) -> str:
        currency = difference.their_currency or difference.currency
        return _amount(difference.their_micros, currency)

    @admin.display(description="By")
    def run_link(self, difference: Difference) -> SafeString:
        return formats.link("reconciliation", difference.found_by_id)

    @admin.display(description="Last by")
    def last_run_link(self, difference: Difference) -> SafeString:
        return formats.link("reconciliation", difference.last_found_by_id)


@admin.register(FeeAdjustment)
class FeeAdjustmentAdmin(ReadOnlyAdmin):
    """What fees came to beyond their estimates. Purchases and lots keep these."""

    list_display = (
        "created_at",
        "provider",
        "kind",
        "transaction_id",
        "estimated",
        "settled",
        "difference",
        "fee",
        "settled_at",
        "environment",
    )
    list_filter = (
        ("provider", ChoicesDropdownFilter),
        ("environment", ChoicesDropdownFilter),
        ("created_at", DayRangeFilter),
    )
    exact_search_fields = ("id", "purchase_id", "pass_purchase_id", "run_id")
    search_help_text = "A whole purchase, run or adjustment id"
    fields = (
        "id",
        ("provider", "environment"),
        "kind",
        "transaction_id",
        "line_id",
        "purchase_link",
        ("estimated", "settled", "difference"),
        ("fee", "exchange_rate", "exchange_source"),
        ("settled_at", "created_at"),
        "run_link",
    )
    readonly_fields = ("purchase_link", "estimated", "settled", "difference", "fee", "run_link")

    @admin.display(description="Estimated")
    def estimated(self, row: FeeAdjustment) -> str:
        return formats.money(row.estimated_micros)

    @admin.display(description="Settled")
    def settled(self, row: FeeAdjustment) -> str:
        return formats.money(row.settled_micros)

    @admin.display(description="Beyond the estimate")
    def difference(self, row: FeeAdjustment) -> str:
        return formats.money(row.difference_micros)

    @admin.display(description="By the store")
    def fee(self, row: FeeAdjustment) -> str:
        return formats.money(row.fee_micros, row.fee_currency)

    @admin.display(description="Purchase")
    def purchase_link(self, row: FeeAdjustment) -> SafeString | str:
        if row.purchase_id:
            return formats.link("purchase", row.purchase_id)
        return formats.link("passpurchase", row.pass_purchase_id) if row.pass_purchase_id else "–"

    @admin.display(description="Run")
    def run_link(self, row: FeeAdjustment) -> SafeString:
        return formats.link("reconciliation", row.run_id)


class ReportForm(forms.Form):
    provider = forms.ChoiceField(label="Store", widget=UnfoldAdminSelectWidget)
    environment = forms.ChoiceField(choices=Environment.choices, widget=UnfoldAdminSelectWidget)
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text="Google Play: the earnings report of a month, as CSV or the ZIP file that it comes in.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["provider"].choices = [(name, name) for name in reports.providers()]  # type: ignore[attr-defined]


class BringPage(FormView[ReportForm]):
    """A report that an operator brings: read by the next sweep."""

    model_admin: ClassVar[ModelAdmin] = None  # given to as_view()
    form_class = ReportForm
    template_name = "admin/payments/file.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("payments.add_storereport"):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: ReportForm) -> HttpResponse:
        file: UploadedFile[Any] = form.cleaned_data["file"]
        try:
            with transaction.atomic():
                report, is_new = reports.keep(
                    # One byte past the bound is enough to be refused.
                    file.read(reports.MAXIMUM_BYTES + 1),
                    provider=form.cleaned_data["provider"],
                    environment=form.cleaned_data["environment"],
                    name=file.name or "a file",
                    operator_id=_operator(self.request).id,
                    now=clock.now(self.request),
                )
                if is_new:
                    self.model_admin.log_addition(self.request, report, "Brought.")
        except reports.ReportRefused as refusal:
            form.add_error("file", str(refusal))
            return self.form_invalid(form)
        if is_new:
            messages.success(self.request, "It is compared with the books within the minute.")
        else:
            messages.info(self.request, "This file was brought before.")
        return redirect("admin:payments_storereport_change", report.id)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        own = {
            "title": "Bring a store's report",
            "explained": "Its sales, refunds and fees are compared with the books. Nothing of it is booked unless the store, "
            "asked by name, says so too.",
            "opts": self.model_admin.opts,
            "back": reverse("admin:payments_storereport_changelist"),
        }
        return super().get_context_data(
            **self.model_admin.admin_site.each_context(self.request), **own, **kwargs
        )


@admin.register(StoreReport)
class StoreReportAdmin(Explained, ReadOnlyAdmin):
    """Files of what stores settled."""

    list_display = (
        "received_at",
        "provider",
        "name",
        "standing",
        "reason",
        "brought_by",
        "read_at",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("provider", ChoicesDropdownFilter),
        ("environment", ChoicesDropdownFilter),
    )
    list_select_related = ("brought_by",)
    fields = (
        "id",
        ("provider", "environment"),
        "name",
        "sha256",
        "standing",
        "reason",
        ("received_at", "brought_by", "read_at"),
        "run_links",
    )
    readonly_fields = ("standing", "run_links")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.add_storereport")

    def get_queryset(self, request: HttpRequest) -> QuerySet[StoreReport]:
        queryset: QuerySet[StoreReport] = super().get_queryset(request)
        return queryset.defer("body")

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponseBase:
        return BringPage.as_view(model_admin=self)(request)

    @admin.display(description="State", ordering="state")
    def standing(self, report: StoreReport) -> str:
        return str(report.get_state_display()).lower()

    @admin.display(description="Compared")
    def run_links(self, report: StoreReport) -> SafeString | str:
        run = report.runs.order_by("-id").first()
        return formats.link("reconciliation", run.id) if run else "–"


def _tag(state: DifferenceState | RunState) -> SafeString:
    return format_html(
        '<span class="{}">{}</span>', _TAGS.get(state, "ch-tag"), state.label.lower()
    )


def _amount(micros: int | None, currency: str) -> str:
    return "–" if micros is None else formats.money(micros, currency or "?")


def _causes(run: Reconciliation) -> list[dict[str, Any]]:
    """Each cause of a run with how many it found, and those as a list."""
    return [
        {
            "cause": DifferenceCause(cause).label,
            "count": f"{count:,}",
            "url": _url_of(DifferenceCause(cause), run),
        }
        for cause, count in sorted(run.found_counts.items())
    ]


def _url_of(cause: DifferenceCause, run: Reconciliation) -> str:
    if cause == DifferenceCause.FEE_DIFFERS:
        return f"{reverse('admin:payments_feeadjustment_changelist')}?q={run.id}"
    listed = reverse("admin:payments_difference_changelist")
    return f"{listed}?cause__exact={cause.value}&last_found_by__exact={run.id}"


def _here(difference: Difference) -> list[dict[str, Any]]:
    """Rows of ours about the transaction."""
    own = {"provider": difference.provider, "environment": difference.environment}
    of_name = own | {"transaction_id": difference.transaction_id}
    found: list[tuple[str, str, Any]] = [
        ("Purchase", "purchase", Purchase.objects.filter(**of_name).first()),
        ("Pass", "passpurchase", PassPurchase.objects.filter(**of_name).first()),
        ("Subscription", "subscription", _subscription(difference, own)),
        *(
            ("Message", "storemessage", row)
            for row in StoreMessage.objects.filter(
                subject__in=filter(None, [difference.transaction_id, difference.subscription_id]),
                **own,
            )
            .defer("body")
            .order_by("-id")[:SHOWN_MESSAGES]
        ),
    ]
    return [
        {"what": what, "link": formats.link(model, row.id), "row": row}
        for what, model, row in found
        if row is not None
    ]


def _subscription(difference: Difference, own: Mapping[str, str]) -> Subscription | None:
    name = difference.subscription_id
    return Subscription.objects.filter(subscription_id=name, **own).first() if name else None


def _operator(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101  the admin let only staff through
    return request.user
