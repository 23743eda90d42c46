"""What is booked here, as it is compared with a store's list."""

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import Model, Q, QuerySet, Sum

from payments.models import (
    Entry,
    Lot,
    PassPurchase,
    PassRefundBooking,
    Purchase,
    Refund,
    RefundBooking,
    RefundOrigin,
)
from payments.providers.base import Known
from payments.reconciliation.comparing import OurRefund, Ours
from payments.store.checkout import Bought

#: Rows that are read at once.
AT_ONCE = 1000


@dataclass(frozen=True)
class Window:
    """A time of one store and environment, by when we booked."""

    provider: str
    environment: str
    since: datetime
    until: datetime

    @property
    def name(self) -> dict[str, str]:
        return {"provider": self.provider, "environment": self.environment}

    def holds(self, at: datetime) -> bool:
        return self.since <= at < self.until


@dataclass(frozen=True)
class Booked:
    """A sale, its row, and what each of its refunds took."""

    bought: Bought
    ours: Ours
    bookings: Mapping[str, RefundBooking | PassRefundBooking] = field(default_factory=dict)

    @property
    def known(self) -> Known:
        return _known(self.bought)


def known_of(window: Window) -> Iterator[tuple[datetime, Known]]:
    """Every sale of which a refund was booked in a window, and then every one that was booked in it, in that order
    of time, with when that was."""
    told: set[str] = set()
    for queryset in _refunded(window):
        for bought in queryset.iterator(chunk_size=AT_ONCE):
            told.add(bought.transaction_id)
            yield window.since, _known(bought)
    sold = (
        queryset.order_by("created_at").iterator(chunk_size=AT_ONCE) for queryset in _sold(window)
    )
    for bought in heapq.merge(*sold, key=lambda one: one.created_at):
        if bought.transaction_id not in told:
            yield bought.created_at, _known(bought)


def moments(window: Window) -> dict[str, datetime]:
    """The same sales by name."""
    found: dict[str, datetime] = {}
    for queryset in _sold(window):
        found |= dict(queryset.values_list("transaction_id", "created_at"))
    for queryset in _refunded(window):
        for name in queryset.values_list("transaction_id", flat=True):
            found[name] = window.since
    return found


def count(window: Window) -> int:
    """How many sales were booked in a window."""
    return sum(
        model.objects.filter(_booked_in(window)).count() for model in (Purchase, PassPurchase)
    )


def end_of(window: Window, number: int) -> datetime:
    """Where a window ends that holds so many sales, or those of one moment if they are more."""
    moments: list[datetime] = []
    for model in (Purchase, PassPurchase):
        booked = model.objects.filter(_booked_in(window)).order_by("created_at")
        moments += booked.values_list("created_at", flat=True)[: number + 1]
    moments.sort()
    beyond = [moment for moment in moments[number:] if moment > window.since]
    return beyond[0] if beyond else window.until


def load(names: Collection[str], window: Window) -> dict[str, Booked]:
    """Those of the names that are booked. What was booked outside of the window is expected in no list."""
    own = Q(transaction_id__in=list(names), **window.name)
    coins = list(Purchase.objects.filter(own))
    passes = list(PassPurchase.objects.filter(own).select_related("subscription"))
    refunds = _refunds(names, window)
    delivered = _delivered(coins) | _delivered_passes(passes)
    found: list[Bought] = [*coins, *passes]
    return {
        bought.transaction_id: Booked(
            bought,
            Ours(
                currency=bought.currency,
                gross_micros=bought.gross_micros,
                purchased_at=bought.purchased_at,
                is_expected=window.holds(bought.created_at),
                is_delivered=bought.id in delivered,
                refunds={
                    name: _our_refund(refund, window)
                    for name, refund in refunds.get(bought.transaction_id, {}).items()
                },
            ),
            {
                name: _booking(refund)
                for name, refund in refunds.get(bought.transaction_id, {}).items()
            },
        )
        for bought in found
    }


def _sold(window: Window) -> Sequence[QuerySet[Bought]]:
    booked = _booked_in(window)
    found: list[QuerySet[Bought]] = [
        Purchase.objects.filter(booked),
        PassPurchase.objects.filter(booked).select_related("subscription"),
    ]
    return found


def _refunded(window: Window) -> Sequence[QuerySet[Bought]]:
    times = {"created_at__gte": window.since, "created_at__lt": window.until}
    given_back = RefundBooking.objects.filter(**times).values("purchase_id")
    passes_back = PassRefundBooking.objects.filter(**times).values("purchase_id")
    own = window.name
    found: list[QuerySet[Bought]] = [
        Purchase.objects.filter(id__in=given_back, **own),
        PassPurchase.objects.filter(id__in=passes_back, **own).select_related("subscription"),
    ]
    return found


def _booked_in(window: Window) -> Q:
    return Q(created_at__gte=window.since, created_at__lt=window.until, **window.name)


def _refunds(names: Collection[str], window: Window) -> Mapping[str, dict[str, Refund]]:
    """Those that stand, by the sale's name and their own."""
    found: dict[str, dict[str, Refund]] = {}
    rows = Refund.objects.filter(transaction_id__in=list(names), **window.name).filter(
        Q(booking__isnull=False) | Q(pass_booking__isnull=False)
    )
    for refund in rows.select_related("booking", "pass_booking"):
        found.setdefault(refund.transaction_id, {})[refund.refund_id] = refund
    return found


def _our_refund(refund: Refund, window: Window) -> OurRefund:
    booking = _booking(refund)
    return OurRefund(
        gross_micros=booking.gross_micros,
        refunded_at=refund.refunded_at or booking.created_at,
        is_expected=window.holds(booking.created_at),
        is_by_operator=refund.origin == RefundOrigin.OPERATOR,
    )


def _booking(refund: Refund) -> RefundBooking | PassRefundBooking:
    booking = refund.booking or refund.pass_booking
    assert booking is not None  # noqa: S101  it stands
    return booking


def _delivered(coins: Sequence[Purchase]) -> set[UUID]:
    """Those whose coins came into a wallet, by its entries and in lots, all of them."""
    transfers = [purchase.transfer_id for purchase in coins]
    lots = _summed(Lot.objects.filter(transfer_id__in=transfers), "granted_coins")
    entries = _summed(
        Entry.objects.filter(transfer_id__in=transfers, wallet__isnull=False), "amount_coins"
    )
    return {
        purchase.id
        for purchase in coins
        if lots.get(purchase.transfer_id)
        == entries.get(purchase.transfer_id)
        == purchase.paid_coins + purchase.bonus_coins
    }


def _delivered_passes(passes: Sequence[PassPurchase]) -> set[UUID]:
    """Those that cover, or are a subscription's, and whose coins came, if any were to: some may have repaid a
    debt."""
    transfers = [one.coins_transfer_id for one in passes if one.coins_transfer_id]
    entries = _summed(
        Entry.objects.filter(transfer_id__in=transfers, amount_coins__gt=0), "amount_coins"
    )
    return {
        one.id
        for one in passes
        if (one.cover_id or one.subscription_id)
        and (one.coins_transfer_id is None or entries.get(one.coins_transfer_id, 0) > 0)
    }


def _summed(rows: QuerySet[Model], column: str) -> dict[UUID, int]:
    by_transfer = rows.order_by().values("transfer_id").annotate(total=Sum(column))
    return dict(by_transfer.values_list("transfer_id", "total"))


def _known(bought: Bought) -> Known:
    subscription = bought.subscription if isinstance(bought, PassPurchase) else None
    return Known(
        environment=bought.environment,
        transaction_id=bought.transaction_id,
        purchased_at=bought.purchased_at,
        subscription_id=subscription.subscription_id if subscription else "",
    )
