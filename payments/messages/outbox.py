"""What stores are told after our own commit, until they have heard it.

A store that is not told in time that it was delivered takes the money back, so each call is written with what it
is about, and made as often as it takes.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from uuid import UUID

import msgspec
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction

from payments.messages import outages
from payments.messages.outages import Line
from payments.models import CallState, CallVerb, PassPurchase, Purchase, StoreCall
from payments.providers.base import (
    Answered,
    Asks,
    GivesBack,
    Listens,
    Owed,
    ProviderError,
    RefundQuestion,
)
from payments.store import consumption, purchases
from viewers import privacy

logger = logging.getLogger(__name__)

TAKEN_FOR = timedelta(seconds=60)
PAUSES = tuple(timedelta(seconds=n) for n in (5, 30, 120, 600, 1800, 3600))
AT_ONCE = 100
#: What fails for a cause that nobody has thought of, so often in a row, has failed.
POISON_FAILURES = 5
#: What was delivered is told for a while after the store has said that it would listen: it says itself if it does not.
TOLD_AT_LEAST = 10


def due(*, now: datetime, limit: int = AT_ONCE, provider: str | None = None) -> Sequence[UUID]:
    """Calls that wait and are due, the longest due first: all, or those to one store."""
    found = StoreCall.objects.filter(next_attempt_at__lte=now).order_by("next_attempt_at")
    if provider is not None:
        found = found.filter(provider=provider)
    return list(found.values_list("id", flat=True)[:limit])


def settle(call_id: UUID, *, now: datetime) -> StoreCall | None:
    """Tells a store what it is to be told, if that is due; None where it is not, or somebody else is at it."""
    call = _take(call_id, now)
    if call is None:
        return None
    try:
        with outages.noted(Line.CALLS, call.provider):
            _tell(call, now)
    except ProviderError as error:
        if error.permanent or _is_over(call, now):
            logger.warning("%s has failed: %s", call, error.reason)
            _write(
                call,
                state=CallState.FAILED,
                next_attempt_at=None,
                reason=error.reason[:500],
                failures=0,
            )
        else:
            pause = max(_pause(call.attempts), timedelta(seconds=error.retry_after_seconds or 0))
            _write(call, next_attempt_at=now + pause, reason=error.reason[:500], failures=0)
    except SoftTimeLimitExceeded:
        # It says nothing of the call, which is due again when it is taken no more.
        raise
    except Exception as error:
        # One that nobody has thought of does not keep the others waiting.
        logger.exception("%s could not be made", call)
        _fail(call, error, now)
    else:
        _write(call, state=CallState.DONE, next_attempt_at=None, done_at=now, reason="")
    return StoreCall.objects.get(id=call_id)


def retry(call_ids: Sequence[UUID], *, now: datetime) -> int:
    """Makes calls that have failed due again; returns how many. That they were made before is not forgotten: the
    store may have heard one of them."""
    return StoreCall.objects.filter(id__in=call_ids, state=CallState.FAILED).update(
        state=CallState.WAITING, next_attempt_at=now, attempts=1, failures=0
    )


def _take(call_id: UUID, now: datetime) -> StoreCall | None:
    with transaction.atomic():
        call = (
            StoreCall.objects.select_for_update(skip_locked=True)
            .filter(id=call_id, next_attempt_at__lte=now)
            .first()
        )
        if call is None:
            return None
        call.attempts += 1
        call.next_attempt_at = now + TAKEN_FOR
        call.save(update_fields=["attempts", "next_attempt_at"])
    return call


def _is_over(call: StoreCall, now: datetime) -> bool:
    """Whether the store listens no more."""
    if call.deadline_at is None or now < call.deadline_at:
        return False
    is_question = call.verb == CallVerb.ANSWER_REFUND_QUESTION
    return is_question or call.attempts >= TOLD_AT_LEAST


def _fail(call: StoreCall, error: Exception, now: datetime) -> None:
    failures, reason = call.failures + 1, repr(error)[:500]
    if failures >= POISON_FAILURES:
        _write(
            call,
            state=CallState.FAILED,
            next_attempt_at=None,
            reason=reason,
            failures=failures,
        )
    else:
        _write(call, next_attempt_at=now + _pause(failures), reason=reason, failures=failures)


def _pause(attempts: int) -> timedelta:
    return PAUSES[min(attempts, len(PAUSES)) - 1]


def _tell(call: StoreCall, now: datetime) -> None:
    adapter = purchases.adapter(call.provider)
    if call.verb == CallVerb.GIVE_BACK and isinstance(adapter, GivesBack):
        adapter.give_back(
            environment=call.environment,
            transaction_id=call.details["transaction_id"],
            refund_id=call.subject,
            amount_micros=call.details["amount_micros"],
            now=now,
        )
    elif call.verb == CallVerb.ANSWER_REFUND_QUESTION and isinstance(adapter, Asks):
        adapter.answer(_answered(call))
    elif call.verb in (CallVerb.ACKNOWLEDGE, CallVerb.CONSUME) and isinstance(adapter, Listens):
        adapter.delivered(
            environment=call.environment,
            subject=call.subject,
            store_product_id=call.details["store_product_id"],
            owed=Owed(call.verb),
        )
    else:
        raise TypeError(f"{call.provider} is not told to {call.verb}")


def _answered(call: StoreCall) -> Answered:
    """What is known of what was bought, by the lineage of its coins."""
    question = msgspec.convert(call.details, RefundQuestion)
    name = {"provider": call.provider, "environment": call.environment}
    name |= {"transaction_id": question.transaction_id}
    coins = Purchase.objects.filter(**name).first()
    bought = coins or PassPurchase.objects.filter(**name).first()
    share = None
    if coins is not None:
        found = consumption.of_purchases([coins])[coins.id]
        share = Fraction(found.spent_coins, found.granted_coins)
    return Answered(
        question=question,
        is_consented=bought is not None and privacy.shares_consumption(bought.viewer_id),
        is_delivered=bought is not None,
        consumed_share=share,
    )


def _write(call: StoreCall, **values: object) -> None:
    StoreCall.objects.filter(id=call.id, state=CallState.WAITING).update(**values)
