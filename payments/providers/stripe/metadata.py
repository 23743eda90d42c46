"""What we write on Stripe's objects, and read from them: whose a purchase is, and of what.

The same is on a checkout session, on the payment intent it makes, and on the subscription and its invoices. An
object without it was sold by somebody else with the same account.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

PRODUCT, QUANTITY, ACCOUNT, INTENT = "product_id", "quantity", "account_token", "intent_id"
#: On a refund that we have asked for: what we call it.
REFUND = "refund_id"
_MAXIMUM_NAME = 100
_MAXIMUM_QUANTITY = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Told:
    """What an object says of itself."""

    store_product_id: str
    quantity: int
    account_token: UUID | None
    intent_id: UUID | None


def of_sale(
    *, account_token: UUID, intent_id: UUID, store_product_id: str, quantity: int
) -> dict[str, str]:
    """What is written."""
    return {
        PRODUCT: store_product_id,
        QUANTITY: str(quantity),
        ACCOUNT: str(account_token),
        INTENT: str(intent_id),
    }


def read(metadata: Mapping[str, str] | None) -> Told | None:
    """What was written; None on what is not ours. An operator may have edited any of it in Stripe's dashboard."""
    written = metadata or {}
    if not written.get(PRODUCT):
        return None
    quantity = written.get(QUANTITY, "1")
    is_count = quantity.isascii() and quantity.isdecimal() and len(quantity) <= 7
    return Told(
        store_product_id=written[PRODUCT],
        quantity=min(max(int(quantity), 1), _MAXIMUM_QUANTITY) if is_count else 1,
        account_token=_uuid(written.get(ACCOUNT, "")),
        intent_id=_uuid(written.get(INTENT, "")),
    )


def refund_named(metadata: Mapping[str, str] | None) -> str:
    """What we call a refund that we have asked for; "" for one that somebody else gave."""
    return (metadata or {}).get(REFUND, "")[:_MAXIMUM_NAME]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
