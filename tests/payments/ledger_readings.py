"""What the model and the ledger say of one wallet, in the same words. Moments are in microseconds."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from payments.ledger import wallets
from tests.payments import ledger_model
from tests.payments.ledger_pieces import REVENUE

_FIGURES = ("gross", "tax", "fee", "net", "due", "taken", "debt")
_FIGURES += ("deferred", "recognised", "difference")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: One query, since it is asked after every step.
_KEPT = """
    WITH wallet AS (
        SELECT * FROM payments_wallet
        WHERE viewer_id = %(viewer)s AND environment = %(environment)s
    ), lot AS (
        SELECT lot.* FROM payments_lot lot JOIN wallet ON wallet.id = lot.wallet_id
    ), corrected AS (
        SELECT unlock_id, sum(value_micros)::bigint AS value FROM payments_unlockcorrection
        GROUP BY unlock_id
    ), unlocked AS (
        SELECT unlock.*, unlock.value_micros + coalesce(corrected.value, 0) AS earned
        FROM payments_unlock unlock LEFT JOIN corrected ON corrected.unlock_id = unlock.id
        WHERE unlock.viewer_id = %(viewer)s AND unlock.environment = %(environment)s
    )
    SELECT
        (SELECT jsonb_build_array(paid_coins, bonus_coins, debt_coins) FROM wallet),
        (SELECT jsonb_agg(jsonb_build_array(
                kind, origin, granted_coins, remaining_coins, value_micros,
                remaining_value_micros, (extract(epoch FROM granted_at) * 1000000)::bigint,
                (extract(epoch FROM expires_at) * 1000000)::bigint) ORDER BY id) FROM lot),
        (SELECT jsonb_agg(jsonb_build_array(
                number, paid_coins, bonus_coins, value_micros, attribution_micros, earned)
            ORDER BY id) FROM unlocked),
        (SELECT jsonb_agg(jsonb_build_array(
                episode.number, entitlement.source,
                (extract(epoch FROM ends_at) * 1000000)::bigint, first_played_at IS NOT NULL)
            ORDER BY episode.number)
         FROM payments_entitlement entitlement JOIN catalog_episode episode
             ON episode.id = entitlement.episode_id
         WHERE entitlement.viewer_id = %(viewer)s AND environment = %(environment)s
           AND closed_at IS NULL AND (ends_at IS NULL OR ends_at > %(now)s)),
        (SELECT coalesce(sum(earned), 0)::bigint FROM unlocked),
        (SELECT coalesce(sum(remaining_value_micros), 0)::bigint FROM lot
         WHERE origin IN ('purchase', 'pack_bonus')),
        (SELECT jsonb_agg(jsonb_build_array(
                booking.gross_micros, booking.tax_micros, booking.fee_micros,
                booking.net_micros, due_coins, taken_coins, debt_coins, deferred_micros,
                recognised_micros, difference_micros) ORDER BY booking.id)
         FROM payments_refundbooking booking JOIN payments_purchase purchase
             ON purchase.id = booking.purchase_id
         WHERE purchase.viewer_id = %(viewer)s AND purchase.environment = %(environment)s)
"""


def told(model: ledger_model.Wallet, now: datetime) -> dict[str, Any]:
    """What the model says."""
    return {
        "balances": [model.coins("paid"), model.coins("bonus"), -model.debt],
        "lots": [
            [
                *(lot.kind, lot.origin, lot.granted, lot.left, lot.value, lot.left_value),
                *(_micros(lot.granted_at), _micros(lot.expires_at)),
            ]
            for lot in model.lots
        ],
        "unlocks": [
            [
                *(each.opening.episode, each.coins("paid"), each.coins("bonus")),
                *(each.value(is_revenue=True), each.value(is_revenue=False), each.earned()),
            ]
            for each in model.unlocks
        ],
        "open": sorted(
            [each.episode, each.source, _micros(each.ends_at), each.is_played]
            for each in model.openings
            if each.is_live(now)
        ),
        "recognised": sum(each.earned() for each in model.unlocks),
        "deferred": sum(lot.left_value for lot in model.lots if lot.origin in REVENUE),
        "bookings": [[figures[name] for name in _FIGURES] for figures in model.bookings],
        "spendable": model.spendable(now),
    }


def kept(viewer_id: UUID, environment: str, now: datetime) -> dict[str, Any]:
    """What the ledger says."""
    with connection.cursor() as cursor:
        cursor.execute(_KEPT, {"viewer": viewer_id, "environment": environment, "now": now})
        balances, lots, unlocks, opened, recognised, deferred, bookings = cursor.fetchone()
    balance = wallets.balance(viewer_id=viewer_id, environment=environment, at=now)
    return {
        "balances": _read(balances) or [0, 0, 0],
        "lots": _read(lots),
        "unlocks": _read(unlocks),
        "open": _read(opened),
        "recognised": recognised,
        "deferred": deferred,
        "bookings": _read(bookings),
        "spendable": (balance.paid_coins, balance.bonus_coins),
    }


def _read(column: str | None) -> list[Any]:
    found: list[Any] = json.loads(column) if column else []
    return found


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)
