from payments.models.entitlements import Entitlement, EntitlementSource, Unlock
from payments.models.idempotency import IdempotencyRecord
from payments.models.ledger import Entry, Transfer, Wallet
from payments.models.lots import Lot, LotSpend
from payments.models.prices import EpisodePrice, PlanAssignment, PricePlan, PriceVersion
from payments.models.products import CoinPack, Provider, StoreProduct, StoreTerms
from payments.models.purchases import Purchase, PurchaseIntent

__all__ = [
    "CoinPack",
    "Entitlement",
    "EntitlementSource",
    "Entry",
    "EpisodePrice",
    "IdempotencyRecord",
    "Lot",
    "LotSpend",
    "PlanAssignment",
    "PricePlan",
    "PriceVersion",
    "Provider",
    "Purchase",
    "PurchaseIntent",
    "StoreProduct",
    "StoreTerms",
    "Transfer",
    "Unlock",
    "Wallet",
]
