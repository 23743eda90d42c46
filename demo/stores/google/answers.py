"""What Google answers of its books: as its discovery document has it, empty members left out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from demo.stores.google.books import (
    Line,
    Order,
    OrderLine,
    Part,
    Plan,
    Purchase,
    Subscription,
    Void,
)

_CANCELLED_BY: Mapping[str, str] = {
    "user": "userInitiatedCancellation",
    "developer": "developerInitiatedCancellation",
    "system": "systemInitiatedCancellation",
    "replacement": "replacementCancellation",
}


def product(purchase: Purchase) -> dict[str, Any]:
    """ProductPurchaseV2."""
    return _filled(
        kind="androidpublisher#productPurchaseV2",
        orderId=purchase.order_id,
        productLineItem=[_product_line(line) for line in purchase.lines],
        purchaseStateContext={"purchaseState": purchase.state},
        purchaseCompletionTime=moment(purchase.completed_at),
        acknowledgementState=_acknowledgement(purchase.is_acknowledged),
        regionCode="US",
        obfuscatedExternalAccountId=purchase.account,
        obfuscatedExternalProfileId=purchase.profile,
        testPurchaseContext={"fopType": "TEST"} if purchase.is_test else None,
    )


def subscription(one: Subscription) -> dict[str, Any]:
    """SubscriptionPurchaseV2."""
    line: dict[str, Any] = _filled(
        productId=one.plan.product_id,
        expiryTime=moment(one.ends_at),
        latestSuccessfulOrderId=one.paid_order_id,
        autoRenewingPlan={
            **({"autoRenewEnabled": True} if one.renews else {}),
            "recurringPrice": money(one.plan.price_micros, one.plan.currency),
        },
        offerDetails={"basePlanId": "base"},
        deferredItemReplacement=_deferred(one.next_plan),
    )
    lines = [line, {"productId": one.next_plan.product_id}] if one.next_plan else [line]
    declined = {"renewalDeclined": {"pendingOrderId": one.latest_order_id}}
    cancelled = _CANCELLED_BY.get(one.cancelled_by, "")
    when = {"cancelTime": moment(one.cancelled_at)} if one.cancelled_by == "user" else {}
    return _filled(
        kind="androidpublisher#subscriptionPurchaseV2",
        subscriptionState=f"SUBSCRIPTION_STATE_{one.state}",
        startTime=moment(one.started_at),
        regionCode="US",
        linkedPurchaseToken=one.replaces,
        acknowledgementState=_acknowledgement(one.is_acknowledged),
        lineItems=lines,
        externalAccountIdentifiers=_filled(
            obfuscatedExternalAccountId=one.account, obfuscatedExternalProfileId=one.profile
        )
        or None,
        testPurchase={} if one.is_test else None,
        canceledStateContext={cancelled: when} if cancelled else None,
        inGracePeriodStateContext=declined if one.state == "IN_GRACE_PERIOD" else None,
        onHoldStateContext=declined if one.state == "ON_HOLD" else None,
        pausedStateContext=(
            {"autoResumeTime": moment(one.resumes_at)} if one.state == "PAUSED" else None
        ),
    )


def order(one: Order) -> dict[str, Any]:
    """Order."""
    total = one.total_micros
    refund = None
    if one.refunded_at is not None:
        refund = {
            "eventTime": moment(one.refunded_at),
            "refundReason": "CHARGEBACK" if one.is_chargeback else "OTHER",
            "refundDetails": _back(total, one.currency),
        }
    return _filled(
        orderId=one.order_id,
        purchaseToken=one.token,
        state=_order_state(one),
        createTime=moment(one.created_at),
        lastEventTime=moment(one.refunded_at or one.processed_at or one.created_at),
        lineItems=[_order_line(line, one.currency) for line in one.lines],
        total=money(total, one.currency),
        tax=money(_tax(total), one.currency),
        salesChannel="IN_APP",
        orderHistory=_filled(
            processedEvent=_event(one.processed_at),
            cancellationEvent=_event(one.cancelled_at),
            refundEvent=refund,
            partialRefundEvents=[_part(part, one.currency) for part in one.parts] or None,
        ),
    )


def voided(entries: Sequence[Void], next_page: str) -> dict[str, Any]:
    """VoidedPurchasesListResponse."""
    return _filled(
        voidedPurchases=[_void(entry) for entry in entries] or None,
        tokenPagination=_filled(nextPageToken=next_page) or None,
    )


def money(micros: int, currency: str) -> dict[str, Any]:
    """Money; zeros are left out."""
    units, rest = divmod(micros, 1_000_000)
    return _filled(
        currencyCode=currency, units=str(units) if units else None, nanos=rest * 1000 or None
    )


def moment(at: datetime | None) -> str | None:
    """A timestamp to the millisecond."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(at: datetime) -> str:
    return str(int(at.timestamp() * 1000))


def _product_line(line: Line) -> dict[str, Any]:
    refundable = line.quantity - line.refunded
    return {
        "productId": line.product_id,
        "productOfferDetails": _filled(
            quantity=line.quantity,
            refundableQuantity=refundable or None,
            consumptionState=(
                "CONSUMPTION_STATE_CONSUMED"
                if line.is_consumed
                else "CONSUMPTION_STATE_YET_TO_BE_CONSUMED"
            ),
        ),
    }


def _order_line(line: OrderLine, currency: str) -> dict[str, Any]:
    of_period: dict[str, Any] | None = None
    if line.starts_at is not None:
        of_period = {
            "basePlanId": "base",
            "servicePeriodStartTime": moment(line.starts_at),
            "servicePeriodEndTime": moment(line.ends_at),
            "offerPhaseDetails": {
                "prorationPeriodDetails" if line.is_prorated else "baseDetails": {}
            },
        }
    return _filled(
        productId=line.product_id,
        total=money(line.total_micros, currency),
        tax=money(_tax(line.total_micros), currency),
        oneTimePurchaseDetails=None if of_period else {"quantity": line.quantity},
        subscriptionDetails=of_period,
    )


def _part(part: Part, currency: str) -> dict[str, Any]:
    return {
        "createTime": moment(part.at),
        "processTime": moment(part.at),
        "state": "PROCESSED_SUCCESSFULLY",
        "refundDetails": _back(part.micros, currency),
    }


def _back(micros: int, currency: str) -> dict[str, Any]:
    return {"total": money(micros, currency), "tax": money(_tax(micros), currency)}


def _void(entry: Void) -> dict[str, Any]:
    return _filled(
        kind="androidpublisher#voidedPurchase",
        purchaseToken=entry.token,
        orderId=entry.order_id,
        purchaseTimeMillis=milliseconds(entry.bought_at),
        voidedTimeMillis=milliseconds(entry.at),
        voidedReason=entry.reason,
        voidedSource=entry.source,
        voidedQuantity=entry.quantity,
    )


def _order_state(one: Order) -> str:
    if one.cancelled_at is not None:
        return "CANCELED"
    if one.processed_at is None:
        return "PENDING"
    if one.refunded_at is None and not one.parts:
        return "PROCESSED"
    return "REFUNDED" if one.back_micros >= one.total_micros else "PARTIALLY_REFUNDED"


def _deferred(plan: Plan | None) -> dict[str, Any] | None:
    return {"productId": plan.product_id} if plan is not None else None


def _event(at: datetime | None) -> dict[str, Any] | None:
    return {"eventTime": moment(at)} if at is not None else None


def _acknowledgement(is_done: bool) -> str:
    return f"ACKNOWLEDGEMENT_STATE_{'ACKNOWLEDGED' if is_done else 'PENDING'}"


def _tax(micros: int) -> int:
    """A tenth on the price, to the micro."""
    return micros // 11


def _filled(**members: Any) -> dict[str, Any]:
    """Without what is None or empty text."""
    return {name: value for name, value in members.items() if value is not None and value != ""}
