"""What operators see and change of prices and money. Each module registers its own pages."""

from payments.admin import (
    access,
    days,
    grants,
    ledger,
    packs,
    plans,
    price_desk,
    purchases,
    refunds,
    wallets,
)

__all__ = [
    "access",
    "days",
    "grants",
    "ledger",
    "packs",
    "plans",
    "price_desk",
    "purchases",
    "refunds",
    "wallets",
]
