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
from payments.models.exchange_rates import ExchangeRate, RateEstimate
from payments.models.experiments import ArmTerms
from payments.models.grants import Grant, GrantKind, GrantReason, GrantState
from payments.models.idempotency import IdempotencyRecord
from payments.models.imported import ImportedPurchase
from payments.models.ledger import Entry, Transfer, Wallet
from payments.models.lots import Lot, LotMovement
from payments.models.notices import ExpiryNotice
from payments.models.offers import ClaimState, Offer, OfferClaim, OfferKind
from payments.models.passes import PassIntent, PassPurchase
from payments.models.placements import PaywallPlacement, PlacementRule, Segment
from payments.models.price_changes import ChangedSeries, ChangeState, PriceChange
from payments.models.prices import (
    EpisodePrice,
    PriceAdjustment,
    PricePlan,
    PriceStep,
    PriceVariant,
    PriceVersion,
)
from payments.models.products import (
    CoinPack,
    PassProduct,
    Provider,
    StoreProduct,
    StoreTerms,
    TransferPolicy,
)
from payments.models.promo_codes import PromoAttempt, PromoBatch, PromoCode, PromoRedemption
from payments.models.promotions import AcquisitionLink, LinkArrival, PromotedSeries, Promotion
from payments.models.purchases import Purchase, PurchaseIntent
from payments.models.reconciliation import (
    Difference,
    DifferenceCause,
    DifferenceState,
    FeeAdjustment,
    Reconciliation,
    ReportState,
    RunState,
    StoreReport,
    WaitingFee,
)
from payments.models.refunds import (
    PassRefundBooking,
    Refund,
    RefundBooking,
    RefundOrigin,
    UnlockCorrection,
    UnlockReversal,
)
from payments.models.store_messages import (
    Arrival,
    CallState,
    CallVerb,
    MessageState,
    StoreCall,
    StoreHistory,
    StoreMessage,
)
from payments.models.subscriptions import (
    ChangeCause,
    CoverEnd,
    Ownership,
    PriceConsent,
    Subscription,
    SubscriptionChange,
    SubscriptionCover,
    SubscriptionInquiry,
    SubscriptionState,
    SubscriptionTransfer,
)

__all__ = [
    "AcquisitionLink",
    "ArmTerms",
    "Arrival",
    "AssignmentSource",
    "AutoUnlockConsent",
    "CallState",
    "CallVerb",
    "ChangeCause",
    "ChangeState",
    "ChangedSeries",
    "ClaimState",
    "CoinPack",
    "Cover",
    "CoverEnd",
    "CoverSource",
    "Difference",
    "DifferenceCause",
    "DifferenceState",
    "Entitlement",
    "EntitlementSource",
    "Entry",
    "EpisodePrice",
    "ExceptionReason",
    "ExchangeRate",
    "ExpiryNotice",
    "FeeAdjustment",
    "Grant",
    "GrantKind",
    "GrantReason",
    "GrantState",
    "IdempotencyRecord",
    "ImportedPurchase",
    "LedgerDigest",
    "LinkArrival",
    "Lot",
    "LotMovement",
    "MessageState",
    "MoneyDay",
    "Offer",
    "OfferClaim",
    "OfferKind",
    "Ownership",
    "PassIntent",
    "PassProduct",
    "PassPurchase",
    "PassRefundBooking",
    "PaywallPlacement",
    "PlacementRule",
    "PlanAssignment",
    "PlanRule",
    "PriceAdjustment",
    "PriceChange",
    "PriceConsent",
    "PriceException",
    "PricePlan",
    "PriceStep",
    "PriceVariant",
    "PriceVersion",
    "PromoAttempt",
    "PromoBatch",
    "PromoCode",
    "PromoRedemption",
    "PromotedSeries",
    "Promotion",
    "Provider",
    "Purchase",
    "PurchaseIntent",
    "RateEstimate",
    "Reconciliation",
    "Refund",
    "RefundBooking",
    "RefundOrigin",
    "ReportState",
    "RunState",
    "Segment",
    "StoreCall",
    "StoreHistory",
    "StoreMessage",
    "StoreProduct",
    "StoreReport",
    "StoreTerms",
    "Subscription",
    "SubscriptionChange",
    "SubscriptionCover",
    "SubscriptionInquiry",
    "SubscriptionState",
    "SubscriptionTransfer",
    "Transfer",
    "TransferPolicy",
    "Unlock",
    "UnlockCorrection",
    "UnlockReversal",
    "UnlockWay",
    "WaitingFee",
    "Wallet",
]
