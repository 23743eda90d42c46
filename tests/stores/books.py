"""What our database says of what stores sold, and of what they told."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec

from tests.stores.market import Market

_PURCHASES = """
    SELECT provider, transaction_id, viewer_id, paid_coins + bonus_coins, gross_micros
    FROM payments_purchase WHERE transaction_id = ANY(%s)
"""
_BACK = """
    SELECT purchase.transaction_id, sum(booking.gross_micros)::bigint
    FROM payments_refundbooking AS booking
    JOIN payments_purchase AS purchase ON purchase.id = booking.purchase_id
    WHERE purchase.transaction_id = ANY(%s) GROUP BY 1
"""
_MESSAGES = """
    SELECT provider, event_id, type, state, code, arrived_by, subject, reason
    FROM payments_storemessage WHERE event_id = ANY(%s)
"""


class Booked(msgspec.Struct, frozen=True):
    """A row of payments_purchase."""

    provider: str
    transaction_id: str
    viewer_id: UUID
    coins: int
    gross_micros: int


class Kept(msgspec.Struct, frozen=True):
    """A row of payments_storemessage."""

    provider: str
    event_id: str
    type: str
    state: str
    code: str
    arrived_by: str
    subject: str
    reason: str


def booked(market: Market, transaction_ids: Collection[str]) -> Sequence[Booked]:
    """Every purchase of these names."""
    return [Booked(*row) for row in market.instance.query(_PURCHASES, list(transaction_ids))]


def given_back(market: Market, transaction_ids: Collection[str]) -> Sequence[tuple[str, int]]:
    """Which of these purchases were refunded, and how much of each, in micros."""
    rows = market.instance.query(_BACK, list(transaction_ids))
    return [(name, gross_micros) for name, gross_micros in rows]


def kept(market: Market, event_ids: Collection[str]) -> Sequence[Kept]:
    """Every message of these names."""
    return [Kept(*row) for row in market.instance.query(_MESSAGES, list(event_ids))]


def one(market: Market, statement: str, *values: object) -> Any:
    """The only value of the only row."""
    ((value,),) = market.instance.query(statement, *values)
    return value


def waiting(market: Market) -> int:
    """How many messages are not applied yet."""
    found: int = one(market, "SELECT count(*) FROM payments_storemessage WHERE state = 'waiting'")
    return found


def ledger_faults(market: Market) -> Sequence[str]:
    """What re-adding the whole ledger finds."""
    return market.console.ledger_faults()


def deadlocks(market: Market) -> int:
    """How many Postgres has seen since its statistics began."""
    statement = "SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()"
    found: int = one(market, statement)
    return found


def tried_less(market: Market, table: str, *, times: int) -> int:
    """How many messages, or calls, that wait were tried less often."""
    found: int = one(
        market,
        f"SELECT count(*) FROM payments_{table} WHERE state = 'waiting' AND attempts < %s",
        times,
    )
    return found
