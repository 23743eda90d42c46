"""Purchases of the past, kept for reports. Nothing here touches a wallet, a lot or the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from config import many_rows
from payments.models import ImportedPurchase
from payments.store.exchange import Rate

AT_ONCE = 5_000


@dataclass(frozen=True)
class PastPurchase:
    """One purchase as its source has it, with the rate that its currency had. Amounts in micros."""

    id: UUID
    source_id: str
    viewer_id: UUID
    purchased_at: datetime
    currency: str
    gross_micros: int
    tax_micros: int
    fee_micros: int
    rate: Rate

    @property
    def net_micros(self) -> int:
        """Gross − tax − fee in the reporting currency."""
        return self.rate.micros(self.gross_micros - self.tax_micros - self.fee_micros)


@dataclass(frozen=True)
class Kept:
    """What came of purchases. `known` were there already; `other` too, and say something else."""

    added: int
    known: int
    other: Sequence[UUID]


def keep(purchases: Sequence[PastPurchase], *, source: str, import_id: UUID, now: datetime) -> Kept:
    """Adds those that are not there yet, in the caller's transaction; what is there stays as it is."""
    before = _present(purchases)
    new = [purchase for purchase in purchases if purchase.id not in before]
    with transaction.atomic():
        ImportedPurchase.objects.bulk_create(
            (_row(purchase, source, import_id, now) for purchase in new), batch_size=AT_ONCE
        )
    other = [
        purchase.id
        for purchase in purchases
        if purchase.id in before and before[purchase.id] != _told(purchase)
    ]
    return Kept(len(new), len(purchases) - len(new) - len(other), other)


def differing(purchases: Sequence[PastPurchase]) -> Kept:
    """What `keep` would say, with nothing added."""
    before = _present(purchases)
    present = [purchase for purchase in purchases if purchase.id in before]
    other = [purchase.id for purchase in present if before[purchase.id] != _told(purchase)]
    return Kept(len(purchases) - len(present), len(present) - len(other), other)


def _present(purchases: Sequence[PastPurchase]) -> Mapping[UUID, tuple[object, ...]]:
    ids = many_rows.among("id", (purchase.id for purchase in purchases))
    rows = ImportedPurchase.objects.filter(ids).values_list(
        "id", "viewer_id", "purchased_at", "currency", "gross_micros", "tax_micros", "fee_micros"
    )
    return {identifier: tuple(told) for identifier, *told in rows}


def _told(purchase: PastPurchase) -> tuple[object, ...]:
    """What the source says of it. Rates are ours: a later one changes nothing that was kept."""
    return (
        purchase.viewer_id,
        purchase.purchased_at,
        purchase.currency,
        purchase.gross_micros,
        purchase.tax_micros,
        purchase.fee_micros,
    )


def _row(purchase: PastPurchase, source: str, import_id: UUID, now: datetime) -> ImportedPurchase:
    return ImportedPurchase(
        id=purchase.id,
        source=source,
        source_id=purchase.source_id,
        import_id=import_id,
        viewer_id=purchase.viewer_id,
        currency=purchase.currency,
        gross_micros=purchase.gross_micros,
        tax_micros=purchase.tax_micros,
        fee_micros=purchase.fee_micros,
        net_micros=purchase.net_micros,
        exchange_rate=purchase.rate.rate,
        exchange_source=purchase.rate.source,
        purchased_at=purchase.purchased_at,
        created_at=now,
    )
