"""What stores tell becomes coins, cover and refunds: once, whoever tells it and in whatever order."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from django.db import InterfaceError, OperationalError, connection, transaction

from config.problems import Problem
from payments.models import CallVerb, ChangeCause, RefundOrigin, StoreCall, Subscription
from payments.providers.base import (
    Fact,
    Owed,
    Ownership,
    Payment,
    RefundQuestion,
    StoreRefund,
    StoreTransaction,
    SubscriptionSnapshot,
)
from payments.store import checkout, owners, purchases, refunds, subscriptions
from payments.store.checkout import Bought
from payments.store.refunds import RefundFact

logger = logging.getLogger(__name__)

#: Apple asks that a question be answered within half a day.
ANSWER_WITHIN = timedelta(hours=12)
#: Google gives the money back of what it was not told the delivery of in three days.
TELL_WITHIN = timedelta(days=3)

_VERBS = {Owed.ACKNOWLEDGE: CallVerb.ACKNOWLEDGE, Owed.CONSUME: CallVerb.CONSUME}


@dataclass(frozen=True)
class Telling:
    """How a fact was heard of: by which message, if it was one, and from whose device, if it was handed in."""

    cause: ChangeCause
    message_id: UUID | None = None
    viewer_id: UUID | None = None


@dataclass(frozen=True)
class Applied:
    """What a fact was about, and what is there now. `is_new` says that this telling booked it.

    Money that the store waits for is `is_pending`, and money that never came `is_failed`: nothing else is there.
    """

    subject: str
    bought: Bought | None = None
    subscription: Subscription | None = None
    is_new: bool = False
    is_pending: bool = False
    is_failed: bool = False


def apply_all(
    found: Sequence[Fact], *, provider: str, telling: Telling, now: datetime
) -> Sequence[Applied]:
    """Lets facts that were told together take effect, one after another, in the caller's transaction.

    All that they name is locked first, in one order for everybody. Raises what `apply` raises.
    """
    for fact in found:
        purchases.refuse_unstorable(fact)
    _lock(found, provider, now)
    return [apply(fact, provider=provider, telling=telling, now=now) for fact in found]


@contextmanager
def told_together(
    found: Sequence[Fact], *, provider: str, telling: Telling, now: datetime
) -> Iterator[None]:
    """A transaction in which facts that were told together are to take effect. If they cannot, those of them do
    that wait for nothing.

    What is bought may wait for its buyer or for a product's name; money that went back and a store's question do
    not. Called outside of any transaction.
    """
    try:
        with transaction.atomic():
            yield
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        apply_apart(found, provider=provider, telling=telling, now=now)
        raise


def apply_apart(found: Sequence[Fact], *, provider: str, telling: Telling, now: datetime) -> None:
    """Lets refunds and questions take effect, each in a transaction of its own; safe to repeat, before and after
    what they are about. One that cannot be kept is passed over."""
    for fact in found:
        if not isinstance(fact, StoreRefund | RefundQuestion):
            continue
        try:
            with transaction.atomic():
                apply_all([fact], provider=provider, telling=telling, now=now)
        except Problem:
            logger.warning("%s told of %s, which cannot be kept", provider, fact)


def apply(fact: Fact, *, provider: str, telling: Telling, now: datetime) -> Applied:
    """Lets a fact take effect, in the caller's transaction; safe to repeat.

    Raises Unclaimed with the fact's subject, RateMissing, and of `purchases` TransactionInvalid and ProductUnknown.
    """
    purchases.refuse_unstorable(fact)
    try:
        match fact:
            case StoreTransaction():
                return _transaction(fact, provider, telling, now)
            case SubscriptionSnapshot():
                return _subscription(fact, provider, telling, now)
            case StoreRefund():
                return _refund(fact, provider, now)
            case RefundQuestion():
                return _question(fact, provider, now)
    except owners.Unclaimed as error:
        raise owners.Unclaimed(subject(fact)) from error


def subject(fact: Fact) -> str:
    """The store's name for what a fact is about."""
    return fact.subscription_id if isinstance(fact, SubscriptionSnapshot) else fact.transaction_id


def _lock(found: Sequence[Fact], provider: str, now: datetime) -> None:
    for environment in sorted({fact.environment for fact in found}):
        names = [_names(fact) for fact in found if fact.environment == environment]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT payments_lock_facts(%s, %s, %s::text[], %s::text[], %s)",
                [
                    provider,
                    environment,
                    [name for subscriptions_, _ in names for name in subscriptions_],
                    [name for _, transactions in names for name in transactions],
                    now,
                ],
            )


def _names(fact: Fact) -> tuple[Sequence[str], Sequence[str]]:
    """The subscriptions and the transactions that a fact names."""
    if isinstance(fact, SubscriptionSnapshot):
        transactions = [fact.period.transaction_id] if fact.period else []
        return [fact.subscription_id, fact.replaces], transactions
    return [], [fact.transaction_id]


def _transaction(fact: StoreTransaction, provider: str, telling: Telling, now: datetime) -> Applied:
    purchases.refuse_nonsense(fact, now=now)
    if fact.payment is not Payment.PAID:
        return Applied(
            fact.transaction_id,
            is_pending=fact.payment is Payment.PENDING,
            is_failed=fact.payment is Payment.FAILED,
        )
    viewer_id = owners.of_transaction(
        provider=provider,
        environment=fact.environment,
        transaction_id=fact.transaction_id,
        token=fact.account_token,
        intent_id=fact.intent_id,
        handed_in_by=telling.viewer_id,
    )
    bought, is_new = checkout.credit(
        viewer_id=viewer_id, provider=provider, transaction=fact, now=now
    )
    _owe(fact, provider, paid_at=fact.purchased_at, now=now)
    return Applied(fact.transaction_id, bought=bought, is_new=is_new)


def _subscription(
    fact: SubscriptionSnapshot, provider: str, telling: Telling, now: datetime
) -> Applied:
    viewer_id = owners.of_subscription(
        provider=provider,
        environment=fact.environment,
        subscription_id=fact.subscription_id,
        replaces=fact.replaces,
        token=fact.account_token,
        intent_id=fact.intent_id,
        handed_in_by=telling.viewer_id,
    )
    subscription, outcome = subscriptions.apply(
        fact,
        provider=provider,
        viewer_id=viewer_id,
        cause=telling.cause,
        message_id=telling.message_id,
        now=now,
    )
    # A family's members pay nothing, whatever price a store tells them.
    is_paid = fact.period is not None and fact.ownership is Ownership.PURCHASED
    period, is_booked = (
        subscriptions.credit(fact, subscription, now=now) if is_paid else (None, False)
    )
    _owe(fact, provider, paid_at=fact.period.purchased_at if fact.period else fact.as_of, now=now)
    return Applied(
        fact.subscription_id,
        subscription=subscription,
        bought=period,
        is_new=is_booked or outcome == "new",
    )


def _refund(fact: StoreRefund, provider: str, now: datetime) -> Applied:
    refunds.record(
        RefundFact(
            provider=provider,
            environment=fact.environment,
            transaction_id=fact.transaction_id,
            refund_id=fact.refund_id,
            origin=RefundOrigin(fact.origin),
            refunded_at=fact.refunded_at,
            reversed_at=fact.reversed_at,
            amount_micros=fact.amount_micros,
            share_parts_per_million=fact.share_parts_per_million,
            reason=fact.reason,
        ),
        now=now,
    )
    return Applied(fact.transaction_id)


def _question(fact: RefundQuestion, provider: str, now: datetime) -> Applied:
    StoreCall.objects.get_or_create(
        provider=provider,
        environment=fact.environment,
        verb=CallVerb.ANSWER_REFUND_QUESTION,
        subject=fact.question_id,
        defaults={
            "details": msgspec.to_builtins(fact),
            "next_attempt_at": now,
            "deadline_at": fact.asked_at + ANSWER_WITHIN,
            "created_at": now,
        },
    )
    return Applied(fact.transaction_id)


def _owe(
    fact: StoreTransaction | SubscriptionSnapshot,
    provider: str,
    *,
    paid_at: datetime,
    now: datetime,
) -> None:
    """The store is told that what it sold is delivered, as soon as this is committed."""
    if fact.owed is None:
        return
    StoreCall.objects.get_or_create(
        provider=provider,
        environment=fact.environment,
        verb=_VERBS[fact.owed],
        subject=subject(fact),
        defaults={
            "details": {"store_product_id": fact.store_product_id},
            "next_attempt_at": now,
            "deadline_at": paid_at + TELL_WITHIN,
            "created_at": now,
        },
    )
