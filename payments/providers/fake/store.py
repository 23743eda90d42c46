"""The fake store itself: takes no money, and signs what it sold with a key of its own."""

from datetime import datetime
from uuid import UUID, uuid4

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from payments.providers.base import StoreTransaction
from payments.providers.fake.books import Books, Entry
from payments.providers.fake.verifier import ALGORITHM, MESSAGE_TYPE, TYPE, FakeMessage


class FakeStore:
    """Sells with the store's private key, which nothing else in the service uses. With books it remembers what it
    has sold and told."""

    def __init__(self, private_key: EllipticCurvePrivateKey, books: Books | None = None) -> None:
        self._private_key = private_key
        self._books = books

    def sell(
        self,
        *,
        product_id: str,
        account_token: UUID,
        price_micros: int,
        currency: str,
        environment: str,
        now: datetime,
        intent_id: UUID | None = None,
        transaction_id: str | None = None,
    ) -> str:
        """A signed transaction for one purchase, under a new transaction id unless one is given."""
        name = transaction_id or f"fake-{uuid4()}"
        payload: dict[str, object] = {
            "transaction_id": name,
            "product_id": product_id,
            "account_token": str(account_token),
            "environment": environment,
            "price_micros": price_micros,
            "currency": currency,
            "purchased_at_ms": int(now.timestamp() * 1000),
        }
        if intent_id is not None:
            payload["intent_id"] = str(intent_id)
        if self._books is not None:
            sold = StoreTransaction(
                environment=environment,
                transaction_id=name,
                store_product_id=product_id,
                account_token=account_token,
                intent_id=intent_id,
                price_micros=price_micros,
                currency=currency,
                purchased_at=now,
            )
            self._books.write(Entry(transaction=sold))
        return jwt.encode(payload, self._private_key, ALGORITHM, headers={"typ": TYPE})

    def tell(self, message: FakeMessage) -> str:
        """A signed notification."""
        if self._books is not None:
            self._books.write(
                *(Entry(transaction=one) for one in message.transactions),
                *(Entry(subscription=one) for one in message.subscriptions),
                *(Entry(refund=one) for one in message.refunds),
            )
        told = msgspec.to_builtins(message)
        return jwt.encode(told, self._private_key, ALGORITHM, headers={"typ": MESSAGE_TYPE})
