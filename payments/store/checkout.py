"""What a store sells for us, whichever it is: coins or a pass."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from payments.models import PassPurchase, Purchase
from payments.providers.base import StoreTransaction
from payments.store import pass_purchases, purchases

Bought = Purchase | PassPurchase


def credit(
    *, viewer_id: UUID, provider: str, transaction: StoreTransaction, now: datetime
) -> tuple[Bought, bool]:
    """Books a verified transaction, once ever, as what it bought; returns that and whether this call did.

    A store transaction buys one thing: one that was booked is answered as it was, whatever the product
    that is named under its id this time. Raises what `purchases.credit` and `pass_purchases.credit` raise.
    """
    doors: list[Callable[..., tuple[Bought, bool]]] = [purchases.credit, pass_purchases.credit]
    if pass_purchases.is_of(provider=provider, transaction=transaction):
        doors.reverse()
    first, other = doors
    try:
        return first(viewer_id=viewer_id, provider=provider, transaction=transaction, now=now)
    except purchases.BoughtAnother:
        return other(viewer_id=viewer_id, provider=provider, transaction=transaction, now=now)
