"""What signed transactions stand for.

A transaction is a purchase that happened once, or one period of a subscription; `originalTransactionId` is the
name of the subscription, upgrades included, and the renewal information beside it says what is to become of it.
The two are not of the same time: what tells of a refund carries the transaction that was refunded, which may be
long past, with the renewal information of today.
"""

from datetime import datetime
from uuid import UUID

from payments.providers.apple.payloads import (
    AUTO_RENEWABLE,
    FAMILY_REVOKE,
    FAMILY_SHARED,
    NON_CONSUMABLE,
    ONE_TIME,
    WHOLE,
    Renewal,
    Transaction,
    moment,
)
from payments.providers.base import (
    Fact,
    Facts,
    Fault,
    Ownership,
    PaidPeriod,
    PriceConsent,
    ProviderError,
    State,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)

MICROS_PER_MILLIUNIT = 1000

#: App Store Server API, "status". The first renews or not, as the renewal information says.
STATES = {
    1: State.ACTIVE,
    2: State.EXPIRED,
    3: State.BILLING_RETRY,
    4: State.GRACE,
    5: State.REVOKED,
}
_OPEN = frozenset({State.ACTIVE, State.CANCELLED})
#: "priceIncreaseStatus". Agreed is also who was told, where nobody has to agree.
_CONSENTS = {0: PriceConsent.PENDING, 1: PriceConsent.AGREED}
_REASONS = {0: "other", 1: "app_issue"}
_AUTO_RENEW_OFF = 0


def is_subscription(transaction: Transaction) -> bool:
    """Whether it is a period of a subscription, with all that belongs to one. Raises ProviderError, MALFORMED."""
    if transaction.type in ONE_TIME:
        return False
    if transaction.type != AUTO_RENEWABLE:
        raise ProviderError(f"a purchase of the type {transaction.type!r:.50}", Fault.MALFORMED)
    if transaction.expires_date is None or transaction.original_transaction_id is None:
        raise ProviderError("a subscription without an end or a name", Fault.MALFORMED)
    return True


def subscription_id(transaction: Transaction) -> str:
    """The name of the subscription that a transaction is a period of."""
    return transaction.original_transaction_id or transaction.transaction_id


def name_of(transaction: Transaction) -> str:
    """The name of the money: the transaction's own, except where it may be restored.

    What is not consumed gets another `transactionId` on each device that restores it, and keeps its
    `originalTransactionId` (App Store Server API, "transactionId").
    """
    if transaction.type == NON_CONSUMABLE:
        return transaction.original_transaction_id or transaction.transaction_id
    return transaction.transaction_id


def by_itself(environment: str, transaction: Transaction) -> Facts:
    """What a transaction says without anything beside it.

    A subscription is told of as it was when the period was bought, so that whatever is known of a later moment
    holds against it.
    """
    bought: Fact | None
    if is_subscription(transaction):
        bought = _as_bought(environment, transaction)
    else:
        bought = _one_time(environment, transaction)
    return _present(bought, refund(environment, transaction))


def with_renewal(
    environment: str,
    transaction: Transaction,
    renewal: Renewal | None,
    *,
    status: int | None,
    as_of: datetime,
) -> Facts:
    """What a transaction says with the renewal information and status that came with it, both of `as_of`.

    Raises ProviderError, MALFORMED, if they are of two subscriptions.
    """
    if not is_subscription(transaction):
        return by_itself(environment, transaction)
    if renewal is None and (status is None or transaction.is_upgraded):
        return by_itself(environment, transaction)
    if renewal and renewal.original_transaction_id != transaction.original_transaction_id:
        raise ProviderError("renewal information of another subscription", Fault.MALFORMED)
    snapshot = _as_of(environment, transaction, renewal, status, as_of)
    if _is_last(transaction, renewal):
        return _present(snapshot, refund(environment, transaction))
    return (*by_itself(environment, transaction), snapshot)


def refund(environment: str, transaction: Transaction) -> StoreRefund | None:
    """The money that went back, None if none did: losing a family's share is no refund."""
    if transaction.revocation_date is None:
        return None
    return refund_at(environment, transaction, at=moment(transaction.revocation_date))


def refund_at(environment: str, transaction: Transaction, *, at: datetime) -> StoreRefund | None:
    """The same for a transaction of which it is known otherwise that its money went back."""
    percentage = transaction.revocation_percentage
    is_shared = transaction.in_app_ownership_type == FAMILY_SHARED
    if is_shared or transaction.revocation_type == FAMILY_REVOKE or percentage == 0:
        return None
    return StoreRefund(
        environment=environment,
        transaction_id=name_of(transaction),
        refunded_at=at,
        share_parts_per_million=None if percentage in {None, WHOLE} else _per_million(percentage),
        reason=_refund_reason(transaction.revocation_reason),
    )


def reversal(environment: str, transaction: Transaction, *, at: datetime) -> StoreRefund | None:
    """A refund that is no more, None if nothing had been paid. The transaction then has no revocation."""
    if transaction.in_app_ownership_type == FAMILY_SHARED:
        return None
    return StoreRefund(environment=environment, transaction_id=name_of(transaction), reversed_at=at)


def account_token(text: str | None) -> UUID | None:
    """The account that an app named when buying; what is no UUID names none."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _present(*found: Fact | None) -> Facts:
    return tuple(fact for fact in found if fact is not None)


def _per_million(percentage: int | None) -> int:
    return (percentage or 0) * 1_000_000 // WHOLE


def _refund_reason(code: int | None) -> str:
    return "" if code is None else _REASONS.get(code, str(code))


def _one_time(environment: str, transaction: Transaction) -> StoreTransaction | None:
    """None for what a family shares: nobody paid for that here. The price is of all of the quantity ("price")."""
    if transaction.in_app_ownership_type == FAMILY_SHARED:
        return None
    has_price = transaction.price is not None and transaction.currency is not None
    return StoreTransaction(
        environment=environment,
        transaction_id=name_of(transaction),
        store_product_id=transaction.product_id,
        account_token=account_token(transaction.app_account_token),
        price_micros=_micros(transaction.price) if has_price else None,
        currency=(transaction.currency or "") if has_price else "",
        purchased_at=moment(transaction.purchase_date),
        quantity=transaction.quantity,
    )


def _micros(milliunits: int | None) -> int:
    return (milliunits or 0) * MICROS_PER_MILLIUNIT


def _as_bought(environment: str, transaction: Transaction) -> SubscriptionSnapshot:
    """Renewals are signed up to a day before they begin: then the signature is the moment."""
    return SubscriptionSnapshot(
        environment=environment,
        subscription_id=subscription_id(transaction),
        store_product_id=transaction.product_id,
        state=State.ACTIVE,
        account_token=account_token(transaction.app_account_token),
        access_until=_ends_at(transaction),
        renews_as=transaction.product_id,
        as_of=moment(min(transaction.purchase_date, transaction.signed_date)),
        period=_period(transaction),
        ownership=_ownership(transaction),
    )


def _as_of(
    environment: str,
    transaction: Transaction,
    renewal: Renewal | None,
    status: int | None,
    as_of: datetime,
) -> SubscriptionSnapshot:
    is_last = _is_last(transaction, renewal)
    is_revoked = is_last and transaction.revocation_date is not None
    state = State.REVOKED if is_revoked else _state(transaction, renewal, status, as_of)
    token = account_token(transaction.app_account_token)
    product_id = None if is_last or renewal is None else renewal.product_id
    return SubscriptionSnapshot(
        environment=environment,
        subscription_id=subscription_id(transaction),
        store_product_id=product_id or transaction.product_id,
        state=state,
        account_token=token or account_token(renewal.app_account_token if renewal else None),
        access_until=_access_until(state, transaction, renewal),
        renews_as=_renews_as(state, transaction, renewal),
        as_of=as_of,
        period=_period(transaction) if is_last else None,
        ownership=_ownership(transaction),
        price_consent=_price_consent(renewal),
    )


def _is_last(transaction: Transaction, renewal: Renewal | None) -> bool:
    """Whether a transaction is the period that the renewal information speaks of."""
    if transaction.is_upgraded:
        return False
    if renewal is None or renewal.renewal_date is None:
        return True
    return (transaction.expires_date or 0) >= renewal.renewal_date


def _state(
    transaction: Transaction, renewal: Renewal | None, status: int | None, as_of: datetime
) -> State:
    known = STATES.get(status or 0) or _state_by_dates(transaction, renewal, as_of)
    if known is State.ACTIVE and renewal and renewal.auto_renew_status == _AUTO_RENEW_OFF:
        return State.CANCELLED
    return known


def _state_by_dates(transaction: Transaction, renewal: Renewal | None, as_of: datetime) -> State:
    """Without a status that is known."""
    grace = renewal.grace_period_expires_date if renewal else None
    if grace is not None and moment(grace) > as_of:
        return State.GRACE
    if renewal and renewal.is_in_billing_retry_period:
        return State.BILLING_RETRY
    return State.ACTIVE if _end(transaction, renewal) > as_of else State.EXPIRED


def _access_until(
    state: State, transaction: Transaction, renewal: Renewal | None
) -> datetime | None:
    if state is State.GRACE and renewal and renewal.grace_period_expires_date is not None:
        return moment(renewal.grace_period_expires_date)
    return _end(transaction, renewal) if state in _OPEN else None


def _renews_as(state: State, transaction: Transaction, renewal: Renewal | None) -> str:
    if state in {State.CANCELLED, State.EXPIRED, State.REVOKED}:
        return ""
    if renewal is None:
        return transaction.product_id
    if renewal.auto_renew_status == _AUTO_RENEW_OFF:
        return ""
    return renewal.auto_renew_product_id or renewal.product_id or transaction.product_id


def _price_consent(renewal: Renewal | None) -> PriceConsent:
    if renewal is None or renewal.price_increase_status is None:
        return PriceConsent.NONE
    return _CONSENTS.get(renewal.price_increase_status, PriceConsent.NONE)


def _end(transaction: Transaction, renewal: Renewal | None) -> datetime:
    """The end of the last period that was paid."""
    if renewal and renewal.renewal_date is not None:
        return moment(renewal.renewal_date)
    return _ends_at(transaction)


def _ends_at(transaction: Transaction) -> datetime:
    return moment(transaction.expires_date or 0)


def _ownership(transaction: Transaction) -> Ownership:
    is_shared = transaction.in_app_ownership_type == FAMILY_SHARED
    return Ownership.FAMILY_SHARED if is_shared else Ownership.PURCHASED


def _period(transaction: Transaction) -> PaidPeriod | None:
    """None for a family's members, who pay nothing, and for a period whose price is not told."""
    is_shared = transaction.in_app_ownership_type == FAMILY_SHARED
    if is_shared or transaction.price is None or transaction.currency is None:
        return None
    return PaidPeriod(
        transaction_id=transaction.transaction_id,
        store_product_id=transaction.product_id,
        starts_at=moment(transaction.purchase_date),
        ends_at=_ends_at(transaction),
        price_micros=_micros(transaction.price),
        currency=transaction.currency,
        purchased_at=moment(transaction.purchase_date),
    )
