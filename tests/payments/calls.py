"""The calls and counts that tests of money share."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.test import Client

from catalog.models import Series
from payments.models import Entry, Purchase, Refund, RefundOrigin, Transfer, Unlock
from payments.store import refunds
from payments.store.refunds import RefundFact


def unlock(api: Client, episode_id: UUID, headers: dict[str, str], **body: Any) -> HttpResponse:
    """POST /v1/episodes/{id}/unlock."""
    return api.post(f"/v1/episodes/{episode_id}/unlock", body, "application/json", headers=headers)


def submit(api: Client, headers: dict[str, str], signed: str) -> HttpResponse:
    """POST /v1/purchases/fake."""
    return api.post(
        "/v1/purchases/fake", {"transaction": signed}, "application/json", headers=headers
    )


def episode(series: Series, number: int) -> UUID:
    """The id of a series' episode by number."""
    return series.episodes.get(number=number).id


def refund(
    purchase: Purchase,
    *,
    now: datetime,
    is_reversed: bool = False,
    name: str = refunds.ALL,
    micros: int | None = None,
) -> Refund:
    """The store gives money back, all of it unless told otherwise, or says that it did not after all."""
    fact = RefundFact(
        provider=purchase.provider,
        environment=purchase.environment,
        transaction_id=purchase.transaction_id,
        refund_id=name,
        origin=RefundOrigin.STORE,
        amount_micros=micros,
        **{"reversed_at" if is_reversed else "refunded_at": now},
    )
    return Refund.objects.get(id=refunds.record(fact, now=now).refund_id)


def movements() -> tuple[int, int, int, int]:
    """How many rows of money there are: equal before and after means that nothing moved."""
    return (
        Transfer.objects.count(),
        Entry.objects.count(),
        Unlock.objects.count(),
        Purchase.objects.count(),
    )
