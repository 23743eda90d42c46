"""A fake store that remembers, and what tests do on either side of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.test import override_settings

from payments.models import Difference, Purchase, Reconciliation, StoreProduct
from payments.providers.base import StoreRefund, StoreTransaction
from payments.providers.fake.books import Books, Entry
from payments.reconciliation import runs
from payments.store import purchases
from tests.factories.payments import StoreProductFactory
from tests.factories.viewers import DeviceFactory
from viewers.models import Device


@dataclass
class Shop:
    """What is sold, and to whom."""

    books: Books
    product: StoreProduct
    device: Device
    sold: int = 0

    def sale(self, at: datetime, **changes: Any) -> StoreTransaction:
        """Something that the store has sold, as it will tell."""
        self.sold += 1
        made = StoreTransaction(
            environment="production",
            transaction_id=f"sold-{self.sold}",
            store_product_id=self.product.store_product_id,
            account_token=self.device.viewer_id,
            price_micros=4_990_000,
            currency="USD",
            purchased_at=at,
        )
        return replace(made, **changes)

    def both(self, at: datetime, *, fee_micros: int | None = None, **changes: Any) -> Purchase:
        """Sold, and booked here at that moment."""
        sale = self.sale(at, **changes)
        self.books.write(Entry(transaction=sale, fee_micros=fee_micros))
        return self.booked(sale, at=at)

    def booked(self, sale: StoreTransaction, *, at: datetime) -> Purchase:
        """Booked here alone."""
        purchase, _ = purchases.credit(
            viewer_id=self.device.viewer_id, provider="fake", transaction=sale, now=at
        )
        return purchase

    def refunded(self, name: str, at: datetime, **changes: Any) -> StoreRefund:
        """The store gives back what it had sold under a name."""
        refund = StoreRefund(environment="production", transaction_id=name, refunded_at=at)
        refund = replace(refund, **changes)
        self.books.write(Entry(refund=refund))
        return refund


@contextmanager
def remembering(folder: Path) -> Iterator[Shop]:
    """The fake store has books, and one pack of coins to sell."""
    with override_settings(FAKE_STORE_BOOKS=str(folder / "books.jsonl")):
        purchases.adapters.cache_clear()
        try:
            yield Shop(Books(folder / "books.jsonl"), StoreProductFactory(), DeviceFactory())
        finally:
            purchases.adapters.cache_clear()


def run(now: datetime, *, environment: str = "production") -> Reconciliation:
    return runs.run("fake", environment, now=now)


def catch_up(now: datetime) -> list[Reconciliation]:
    """As many runs as are due, one after the other."""
    done: list[Reconciliation] = []
    while ("fake", "production") in runs.due(now=now):
        done.append(run(now))
    return done


def found(**of: Any) -> list[tuple[str, str, str]]:
    """Differences: transaction, cause and state."""
    rows = Difference.objects.filter(**of).order_by("transaction_id", "cause", "line_id")
    return [(row.transaction_id, row.cause, row.state) for row in rows]
