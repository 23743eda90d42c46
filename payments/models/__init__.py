from payments.models.assignments import (
    AssignmentSource,
    ExceptionReason,
    PlanAssignment,
    PlanRule,
    PriceException,
)
from payments.models.auto_unlocks import AutoUnlockConsent
from payments.models.covers import Cover, CoverSource
from payments.models.days import LedgerDigest, MoneyDay
from payments.models.entitlements import Entitlement, EntitlementSource, Unlock, UnlockWay
from payments.models.grants import Grant, GrantKind, GrantReason, GrantState
from payments.models.idempotency import IdempotencyRecord
from payments.models.ledger import Entry, Transfer, Wallet
from payments.models.lots import Lot, LotMovement
from payments.models.notices import ExpiryNotice
from payments.models.price_changes import ChangedSeries, ChangeState, PriceChange
from payments.models.prices import (
    EpisodePrice,
    PriceAdjustment,
    PricePlan,
    PriceStep,
    PriceVariant,
    PriceVersion,
)
from payments.models.products import CoinPack, Provider, StoreProduct, StoreTerms
from payments.models.promotions import AcquisitionLink, LinkArrival, PromotedSeries, Promotion
from payments.models.purchases import Purchase, PurchaseIntent
from payments.models.refunds import (
    Refund,
    RefundBooking,
    RefundOrigin,
    UnlockCorrection,
    UnlockReversal,
)

__all__ = [
    "AcquisitionLink",
    "AssignmentSource",
    "AutoUnlockConsent",
    "ChangeState",
    "ChangedSeries",
    "CoinPack",
    "Cover",
    "CoverSource",
    "Entitlement",
    "EntitlementSource",
    "Entry",
    "EpisodePrice",
    "ExceptionReason",
    "ExpiryNotice",
    "Grant",
    "GrantKind",
    "GrantReason",
    "GrantState",
    "IdempotencyRecord",
    "LedgerDigest",
    "LinkArrival",
    "Lot",
    "LotMovement",
    "MoneyDay",
    "PlanAssignment",
    "PlanRule",
    "PriceAdjustment",
    "PriceChange",
    "PriceException",
    "PricePlan",
    "PriceStep",
    "PriceVariant",
    "PriceVersion",
    "PromotedSeries",
    "Promotion",
    "Provider",
    "Purchase",
    "PurchaseIntent",
    "Refund",
    "RefundBooking",
    "RefundOrigin",
    "StoreProduct",
    "StoreTerms",
    "Transfer",
    "Unlock",
    "UnlockCorrection",
    "UnlockReversal",
    "UnlockWay",
    "Wallet",
]
