"""What every store adapter promises: bytes in, a frozen fact out, no Django and no database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


class ProviderError(Exception):
    """A store's message could not be turned into a fact.

    `permanent` is True when the message itself is bad and will never verify, False when asking
    again later may succeed (the store or its keys were out of reach).
    """

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent


@dataclass(frozen=True)
class StoreTransaction:
    """A one-time purchase as its store attests it. `price_micros` includes tax."""

    environment: str
    transaction_id: str
    store_product_id: str
    account_token: UUID | None
    intent_id: UUID | None
    price_micros: int
    currency: str
    purchased_at: datetime


class ProviderAdapter(Protocol):
    """The verbs of a store."""

    def verify_transaction(self, signed: str) -> StoreTransaction:
        """The transaction inside a signed message. Raises ProviderError."""
        ...
