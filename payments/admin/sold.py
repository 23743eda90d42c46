"""What a store has sold, coins or a pass: found by the store's own name for it, with its money in columns."""

from collections.abc import Sequence
from typing import Any, Protocol

from django.contrib import admin
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from config.read_only_admin import search_exactly
from payments.admin import formats
from payments.models import Provider
from payments.store.checkout import Bought
from viewers.models import Environment

STORE = (
    "Store",
    {"fields": ("provider", "environment", "transaction_id", "purchased_at")},
)
MONEY = (
    "Money",
    {"fields": ("gross", "tax", "fee", "beyond", "net", "exchange_rate", "exchange_source")},
)
BOOKED = ("Booked", {"fields": ("created_at",)})


class Priced(Protocol):
    """The money of a purchase."""

    gross_micros: int
    tax_micros: int
    fee_micros: int
    net_micros: int
    currency: str


class Sold:
    """An admin of purchases of one kind. `exact_search_fields` are searched besides transaction ids."""

    exact_search_fields: Sequence[str]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """A transaction id is looked up in every store and environment, as the index is ordered."""
        by_store = Q(
            provider__in=Provider.values,
            environment__in=Environment.values,
            transaction_id=search_term.strip().replace("\x00", ""),
        )
        return search_exactly(queryset, self.exact_search_fields, search_term, by_store), False

    @admin.display(description="Price", ordering="gross_micros")
    def gross(self, purchase: Priced) -> str:
        return formats.money(purchase.gross_micros, purchase.currency)

    @admin.display(description="Tax")
    def tax(self, purchase: Priced) -> str:
        return formats.money(purchase.tax_micros, purchase.currency)

    @admin.display(description="Store fee, estimated")
    def fee(self, purchase: Priced) -> str:
        return formats.money(purchase.fee_micros, purchase.currency)

    @admin.display(description="Fee settled beyond that")
    def beyond(self, purchase: Bought) -> SafeString | str:
        """What the store has said since, which changes neither the purchase nor its lots."""
        told = purchase.fee_adjustments.aggregate(total=Sum("difference_micros"))["total"]
        if told is None:
            return "–"
        url = f"{reverse('admin:payments_feeadjustment_changelist')}?q={purchase.pk}"
        return format_html('<a class="ch-link" href="{}">{}</a>', url, formats.money(told))

    @admin.display(description="Net")
    def net(self, purchase: Priced) -> str:
        return formats.money(purchase.net_micros)
