"""Refunds as they are known, what they did to wallets and revenue, and the way back."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin, ReadOnlyInline
from payments.admin import formats
from payments.admin.columns import OfViewer
from payments.admin.explained import Explained
from payments.models import PassPurchase, PassRefundBooking, Purchase, Refund, RefundBooking
from payments.store import operator_refunds
from payments.store.operator_refunds import RefundRefused


class RefundBookingInline(ReadOnlyInline):
    model = RefundBooking
    fields = (
        "created_at",
        "what",
        "gross",
        "net",
        "taken_coins",
        "debt_coins",
        "deferred",
        "recognised",
        "difference",
        "transfer_link",
    )
    readonly_fields = fields
    ordering = ("id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefundBooking]:
        queryset: QuerySet[RefundBooking] = super().get_queryset(request)
        return queryset.select_related("purchase")

    @admin.display(description="What")
    def what(self, booking: RefundBooking) -> str:
        return "Given back" if booking.undoes_id else "Taken"

    @admin.display(description="Gross")
    def gross(self, booking: RefundBooking) -> str:
        return formats.money(booking.gross_micros, booking.purchase.currency)

    @admin.display(description="Net")
    def net(self, booking: RefundBooking) -> str:
        return formats.money(booking.net_micros)

    @admin.display(description="Of it deferred")
    def deferred(self, booking: RefundBooking) -> str:
        return formats.money(booking.deferred_micros)

    @admin.display(description="Recognised")
    def recognised(self, booking: RefundBooking) -> str:
        return formats.money(booking.recognised_micros)

    @admin.display(description="Difference")
    def difference(self, booking: RefundBooking) -> str:
        return formats.money(booking.difference_micros)

    @admin.display(description="Transfer")
    def transfer_link(self, booking: RefundBooking) -> SafeString | str:
        return formats.link("transfer", booking.transfer_id) if booking.transfer_id else "–"


class PassRefundBookingInline(ReadOnlyInline):
    model = PassRefundBooking
    verbose_name_plural = "Bookings of a pass"
    fields = ("created_at", "what", "gross", "net")
    readonly_fields = fields
    ordering = ("id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PassRefundBooking]:
        queryset: QuerySet[PassRefundBooking] = super().get_queryset(request)
        return queryset.select_related("purchase")

    @admin.display(description="What")
    def what(self, booking: PassRefundBooking) -> str:
        return "Given back" if booking.undoes_id else "Taken"

    @admin.display(description="Gross")
    def gross(self, booking: PassRefundBooking) -> str:
        return formats.money(booking.gross_micros, booking.purchase.currency)

    @admin.display(description="Net")
    def net(self, booking: PassRefundBooking) -> str:
        return formats.money(booking.net_micros)


@admin.register(Refund)
class RefundAdmin(OfViewer, Explained, ReadOnlyAdmin):
    """Facts only ever grow; what an operator adds is that a refund did not stand."""

    list_display = (
        "created_at",
        "viewer_link",
        "amount",
        "standing",
        "origin",
        "provider",
        "asked_by",
        "environment",
    )
    list_filter = (
        ("environment", ChoicesDropdownFilter),
        ("origin", ChoicesDropdownFilter),
        ("provider", ChoicesDropdownFilter),
        ("created_at", DayRangeFilter),
    )
    list_select_related = ("purchase", "pass_purchase", "asked_by")
    exact_search_fields = (
        "id",
        "purchase_id",
        "purchase__viewer_id",
        "pass_purchase_id",
        "pass_purchase__viewer_id",
        "transaction_id",
    )
    search_help_text = "A store's transaction id, or a whole viewer, purchase or refund id"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "id",
                    "whole_viewer_link",
                    "purchase_link",
                    "amount",
                    "standing",
                    "reason",
                )
            },
        ),
        (
            "Source",
            {"fields": ("origin", "provider", "environment", "transaction_id", "refund_id")},
        ),
        ("When", {"fields": ("refunded_at", "reversed_at", "created_at", "asked_by")}),
    )
    readonly_fields = ("whole_viewer_link", "purchase_link", "amount", "standing")
    inlines = (RefundBookingInline, PassRefundBookingInline)
    change_form_template = "admin/payments/refund/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        reverse_it = path(
            "<uuid:refund_id>/reverse/",
            self.admin_site.admin_view(require_POST(self.reverse_view)),
            name="payments_refund_reverse",
        )
        agree = path(
            "<uuid:refund_id>/agree/",
            self.admin_site.admin_view(require_POST(self.agree_view)),
            name="payments_refund_agree",
        )
        urls: list[URLPattern] = [reverse_it, agree, *super().get_urls()]
        return urls

    def beside(self, request: HttpRequest, row: Refund) -> Mapping[str, Any]:
        return {
            "may_reverse": request.user.has_perm("payments.change_refund"),
            "stands": _is_booked(row),
            "is_held": operator_refunds.is_held(row),
            "may_agree": request.user.has_perm("payments.add_refund")
            and row.asked_by_id != request.user.pk,
            "why_not": operator_refunds.why_not_reversed(row),
        }

    def get_inlines(self, request: HttpRequest, obj: Refund | None) -> list[type[ReadOnlyInline]]:
        """The bookings of what was refunded, coins or a pass."""
        is_of_pass = obj is not None and obj.pass_purchase_id is not None
        return [PassRefundBookingInline if is_of_pass else RefundBookingInline]

    def reverse_view(self, request: HttpRequest, refund_id: UUID) -> HttpResponse:
        """The refund did not stand after all: what it took goes back."""
        if not request.user.has_perm("payments.change_refund"):
            raise PermissionDenied
        refund = get_object_or_404(Refund, id=refund_id)
        if not _is_booked(refund):
            messages.error(request, "This refund does not stand, so there is nothing to give back.")
            return redirect("admin:payments_refund_change", refund_id)
        try:
            with transaction.atomic():
                operator_refunds.reverse(
                    refund, operator_id=request.user.pk, now=clock.now(request)
                )
                self.log_change(request, refund, "Reversed.")
        except RefundRefused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, "Reversed: what this refund took has gone back.")
        return redirect("admin:payments_refund_change", refund_id)

    def agree_view(self, request: HttpRequest, refund_id: UUID) -> HttpResponse:
        """A second person agrees: the store is told to pay."""
        if not request.user.has_perm("payments.add_refund"):
            raise PermissionDenied
        assert request.user.pk is not None  # noqa: S101  the admin let only staff through
        refund = get_object_or_404(Refund, id=refund_id)
        try:
            with transaction.atomic():
                operator_refunds.agree(refund, operator_id=request.user.pk, now=clock.now(request))
                self.log_change(request, refund, "Agreed: the store is told to pay it back.")
        except RefundRefused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, "Agreed: the store is told to pay it back.")
        return redirect("admin:payments_refund_change", refund_id)

    def owner_id(self, row: Refund) -> UUID | None:
        bought = _bought(row)
        return bought.viewer_id if bought else None

    @admin.display(description="Purchase")
    def purchase_link(self, refund: Refund) -> SafeString | str:
        if refund.pass_purchase_id:
            return formats.link("passpurchase", refund.pass_purchase_id)
        return (
            formats.link("purchase", refund.purchase_id) if refund.purchase_id else "not heard of"
        )

    @admin.display(description="Amount")
    def amount(self, refund: Refund) -> str:
        purchase, micros = _bought(refund), refund.amount_micros
        if micros is None:
            micros = purchase.gross_micros if purchase else None
        if micros is None:
            return "all"
        return formats.money(micros, purchase.currency) if purchase else f"{micros:,} micros"

    @admin.display(description="State")
    def standing(self, refund: Refund) -> SafeString:
        kind, text = _standing(refund)
        return format_html('<span class="{}">{}</span>', kind, text)


def _bought(refund: Refund) -> Purchase | PassPurchase | None:
    return refund.purchase or refund.pass_purchase


def _is_booked(refund: Refund) -> bool:
    return (refund.booking_id or refund.pass_booking_id) is not None


def _standing(refund: Refund) -> tuple[str, str]:
    if _is_booked(refund):
        return "ch-tag ch-tag-on", "stands"
    if refund.refunded_at is None:
        return "ch-tag ch-tag-ahead", "reversed before it was heard of"
    if refund.reversed_at is not None and refund.reversed_at >= refund.refunded_at:
        return "ch-tag", "reversed"
    return "ch-tag ch-tag-ahead", "waits for its purchase"
