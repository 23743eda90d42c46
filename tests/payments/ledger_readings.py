"""What the model and the ledger say of one wallet, in the same words."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Sum
from django.db.models.functions import Coalesce

from payments import wallets
from payments.chart import REVENUE_ORIGINS
from payments.models import Entitlement, Lot, Purchase, RefundBooking, Unlock, Wallet
from tests.payments import ledger_model
from tests.payments.ledger_pieces import REVENUE

_COINS = ("due", "taken", "debt")
_FIGURES = ("gross", "tax", "fee", "net", *_COINS, "deferred", "recognised", "difference")
_LOT = ("kind", "origin", "granted_coins", "remaining_coins", "value_micros")
_LOT += ("remaining_value_micros", "granted_at", "expires_at")


def told(model: ledger_model.Wallet, now: datetime) -> dict[str, Any]:
    """What the model says."""
    revenue = [lot for lot in model.lots if lot.origin in REVENUE]
    return {
        "balances": (model.coins("paid"), model.coins("bonus"), -model.debt),
        "spendable": model.spendable(now),
        "lots": [
            (
                *(lot.kind, lot.origin, lot.granted, lot.left, lot.value, lot.left_value),
                *(lot.granted_at, lot.expires_at),
            )
            for lot in model.lots
        ],
        "unlocks": [
            (
                *(each.opening.episode, each.coins("paid"), each.coins("bonus")),
                *(each.value(is_revenue=True), each.value(is_revenue=False), each.earned()),
            )
            for each in model.unlocks
        ],
        "open": sorted(
            (each.episode, each.source, str(each.ends_at), each.is_played)
            for each in model.openings
            if each.is_live(now)
        ),
        "recognised": sum(each.earned() for each in model.unlocks),
        "deferred": sum(lot.left_value for lot in revenue),
        "bookings": [tuple(figures[name] for name in _FIGURES) for figures in model.bookings],
    }


def kept(viewer_id: UUID, environment: str, now: datetime) -> dict[str, Any]:
    """What the ledger says."""
    whose = {"viewer_id": viewer_id, "environment": environment}
    held = Wallet.objects.filter(**whose)
    lots = Lot.objects.filter(wallet__in=held).order_by("id")
    revenue = lots.filter(origin__in=REVENUE_ORIGINS)
    balance = wallets.balance(**whose, at=now)
    bookings = RefundBooking.objects.filter(purchase__in=Purchase.objects.filter(**whose))
    columns = [f"{name}_{'coins' if name in _COINS else 'micros'}" for name in _FIGURES]
    unlocks = _unlocks(whose)
    return {
        "balances": held.values_list("paid_coins", "bonus_coins", "debt_coins").first()
        or (0, 0, 0),
        "spendable": (balance.paid_coins, balance.bonus_coins),
        "lots": list(lots.values_list(*_LOT)),
        "unlocks": unlocks,
        "open": _open(whose, now),
        "recognised": sum(earned for *_, earned in unlocks),
        "deferred": sum(revenue.values_list("remaining_value_micros", flat=True)),
        "bookings": list(bookings.order_by("id").values_list(*columns)),
    }


def _unlocks(whose: dict[str, Any]) -> list[tuple[int, ...]]:
    """Episode, split, value and attribution of each, and the revenue of it that stands."""
    found = (
        Unlock.objects.filter(**whose)
        .annotate(corrected=Coalesce(Sum("corrections__value_micros"), 0))
        .order_by("id")
        .values_list(
            *("number", "paid_coins", "bonus_coins", "value_micros", "attribution_micros"),
            "corrected",
        )
    )
    return [(*each, each[3] + corrected) for *each, corrected in found]


def _open(whose: dict[str, Any], now: datetime) -> list[tuple[Any, ...]]:
    live = Entitlement.objects.filter(**whose, closed_at=None).select_related("episode")
    return sorted(
        (each.episode.number, each.source, str(each.ends_at), bool(each.first_played_at))
        for each in live
        if each.ends_at is None or each.ends_at > now
    )
