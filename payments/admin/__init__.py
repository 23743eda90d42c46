"""What operators see and change of prices and money. Each module registers its own pages."""

from payments.admin import (
    access,
    days,
    experiments,
    grants,
    ledger,
    offers,
    packs,
    passes,
    placements,
    plans,
    price_desk,
    promo_codes,
    purchases,
    refunds,
    wallets,
)

__all__ = [
    "access",
    "days",
    "experiments",
    "grants",
    "ledger",
    "offers",
    "packs",
    "passes",
    "placements",
    "plans",
    "price_desk",
    "promo_codes",
    "purchases",
    "refunds",
    "wallets",
]
