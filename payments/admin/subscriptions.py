"""Subscriptions as their stores see them: what was told, what was paid, what is open, and whose they are."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from config import clock
from config.read_only_admin import DayRangeFilter, ReadOnlyAdmin, search_exactly
from payments.admin import formats
from payments.admin.columns import OfViewer
from payments.admin.explained import Explained
from payments.admin.transfer_page import TransferPage
from payments.models import (
    PassRefundBooking,
    Provider,
    Subscription,
    SubscriptionChange,
    SubscriptionCover,
    SubscriptionState,
    SubscriptionTransfer,
)
from payments.store import passes, subscriptions
from viewers.models import Environment

SHOWN = 50

_OPEN = (SubscriptionState.ACTIVE, SubscriptionState.CANCELLED, SubscriptionState.GRACE)


@admin.register(Subscription)
class SubscriptionAdmin(OfViewer, Explained, ReadOnlyAdmin):
    """Written by what stores say alone. What an operator can do is to give one to another viewer."""

    list_display = (
        "created_at",
        "viewer_link",
        "product",
        "standing",
        "access_until",
        "provider",
        "short_name",
        "environment",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("provider", ChoicesDropdownFilter),
        ("environment", ChoicesDropdownFilter),
        ("created_at", DayRangeFilter),
    )
    list_select_related = ("product",)
    exact_search_fields: Sequence[str] = ("id", "viewer_id")
    search_help_text = "The store's name of it, of one of its periods, or a whole viewer id"
    fieldsets = (
        (None, {"fields": ("id", "whole_viewer_link", "product", "standing")}),
        (
            "By the store",
            {
                "fields": (
                    ("provider", "environment"),
                    "subscription_id",
                    "replaces",
                    ("access_until", "renews_as", "renews_as_name"),
                    ("ownership", "price_consent"),
                    "as_of",
                )
            },
        ),
        ("Here", {"fields": (("created_at", "changed_at"),)}),
    )
    readonly_fields = ("whole_viewer_link", "standing")
    change_form_template = "admin/payments/subscription/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        transfer = path(
            "<uuid:subscription_id>/transfer/",
            self.admin_site.admin_view(TransferPage.as_view(model_admin=self)),
            name="payments_subscription_transfer",
        )
        urls: list[URLPattern] = [transfer, *super().get_urls()]
        return urls

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Stores' names are looked up in every store and environment, as the indexes are ordered."""
        name = search_term.strip().replace("\x00", "")
        every = {"provider__in": Provider.values, "environment__in": Environment.values}
        own = Q(subscription_id=name, **every)
        of_period = Q(
            periods__transaction_id=name,
            **{f"periods__{key}": value for key, value in every.items()},
        )
        fields = self.exact_search_fields
        return search_exactly(queryset, fields, search_term, own, of_period), False

    def beside(self, request: HttpRequest, row: Subscription) -> Mapping[str, Any]:
        now = clock.now(request)
        return {
            "is_open": subscriptions.is_open(row, at=now),
            "timeline": _timeline(row),
            "periods": _periods(row),
            "covers": _covers(row, now),
            "transfers": _transfers(row),
            "shown": SHOWN,
            "may_transfer": request.user.has_perm("payments.change_subscription"),
        }

    @admin.display(description="State", ordering="state")
    def standing(self, subscription: Subscription) -> SafeString:
        state = SubscriptionState(subscription.state)
        kind = "ch-tag ch-tag-on" if state in _OPEN else "ch-tag"
        return format_html('<span class="{}">{}</span>', kind, state.label.lower())

    @admin.display(description="Store's name")
    def short_name(self, subscription: Subscription) -> str:
        name = subscription.subscription_id
        return name if len(name) <= 24 else f"{name[:10]}…{name[-10:]}"


def _timeline(subscription: Subscription) -> list[dict[str, Any]]:
    """Every telling, the latest heard first."""
    changes = SubscriptionChange.objects.filter(subscription=subscription)
    rows = changes.select_related("product", "message").defer("message__body").order_by("-id")
    return [
        {
            "at": change.created_at,
            "since": change.since or change.as_of,
            "as_of": change.as_of,
            "cause": change.get_cause_display(),
            "message": _message(change),
            "from": _label(change.from_state),
            "to": _label(change.state),
            "product": change.product,
            "until": change.access_until,
            "is_outdated": change.is_outdated,
        }
        for change in rows[:SHOWN]
    ]


def _message(change: SubscriptionChange) -> SafeString | str:
    if change.message is None:
        return ""
    return formats.link("storemessage", change.message.id, change.message.type)


def _label(state: str) -> str:
    return SubscriptionState(state).label if state else ""


def _periods(subscription: Subscription) -> list[dict[str, Any]]:
    """What was paid, with its money."""
    rows = list(subscription.periods.select_related("product").order_by("-id")[:SHOWN])
    bookings = PassRefundBooking.objects.filter(purchase__in=rows).order_by()
    back = dict(bookings.values_list("purchase_id").annotate(Sum("gross_micros")))
    return [
        {
            "link": formats.link("passpurchase", period.id),
            "product": period.product,
            "is_prorated": period.is_prorated,
            "starts_at": period.store_starts_at,
            "ends_at": period.store_ends_at,
            "gross": formats.money(period.gross_micros, period.currency),
            "tax": formats.money(period.tax_micros, period.currency),
            "fee": formats.money(period.fee_micros, period.currency),
            "net": formats.money(period.net_micros),
            "back": formats.money(back.get(period.id, 0), period.currency),
        }
        for period in rows
    ]


def _covers(subscription: Subscription, now: datetime) -> list[dict[str, Any]]:
    """What it has opened, and for whom."""
    rows = SubscriptionCover.objects.filter(subscription=subscription).select_related("cover")
    return [
        {
            "viewer": formats.viewer_link(row.cover.viewer_id),
            "starts_at": row.cover.starts_at,
            "ends_at": row.cover.ends_at,
            "closed_at": row.cover.closed_at,
            "state": passes.state_of(row.cover, now).replace("_", " "),
        }
        for row in rows.order_by("-id")[:SHOWN]
    ]


def _transfers(subscription: Subscription) -> list[dict[str, Any]]:
    rows = SubscriptionTransfer.objects.filter(subscription=subscription)
    return [
        {
            "at": row.created_at,
            "from": formats.viewer_link(row.from_viewer_id),
            "to": formats.viewer_link(row.to_viewer_id),
            "by": row.asked_by or "the viewer, who restored it",
        }
        for row in rows.select_related("asked_by").order_by("-id")[:SHOWN]
    ]
