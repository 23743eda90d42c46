"""Messages of the inbox take effect: once, late and out of order included.

What a message stands for may have to be asked of its store. That happens before the transaction that applies it:
a message is taken for a while, asked about, and applied under a lock of its row if nobody else has meanwhile.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, transaction

from config.problems import Problem
from payments.messages import gaps, outages
from payments.messages.outages import Line
from payments.models import Arrival, ChangeCause, MessageState, StoreMessage
from payments.providers.base import Fact, ProviderError, RawMessage, Rereads
from payments.store import facts
from payments.store.exchange import RateMissing
from payments.store.facts import Applied, Telling
from payments.store.owners import Unclaimed
from payments.store.purchases import adapter as adapter_of

logger = logging.getLogger(__name__)

#: A message that was taken and not settled, as its worker died, is due again after that.
TAKEN_FOR = timedelta(seconds=60)
#: How long after each attempt the next comes: the last of these again and again.
PAUSES = tuple(timedelta(seconds=n) for n in (5, 30, 120, 600, 1800, 3600))
#: What cannot be applied so often, which takes a week, is parked.
PATIENCE_ATTEMPTS = 170
#: What fails for a cause that nobody has thought of, so often in a row, is parked.
POISON_FAILURES = 5
#: What an app has handed in is asked about for so long until it is paid.
PAID_WITHIN = timedelta(weeks=4)
#: After a day of waiting for the buyer's money, this is soon enough: the store tells of it, too.
BUYERS_PAUSE = timedelta(hours=6)
AT_ONCE = 100
#: What was not applied, and rings.
TO_LOOK_AT = (MessageState.PARKED, MessageState.UNKNOWN)
#: What `code` says of a message whose type was unknown when it came.
UNKNOWN_TYPE = "unknown_type"


def due(*, now: datetime, limit: int = AT_ONCE, provider: str | None = None) -> Sequence[UUID]:
    """Messages that wait and are due, the longest due first: all, or those of one store."""
    found = StoreMessage.objects.filter(next_attempt_at__lte=now).order_by("next_attempt_at")
    if provider is not None:
        found = found.filter(provider=provider)
    return list(found.values_list("id", flat=True)[:limit])


def is_out_of_reach(message_id: UUID) -> bool:
    """Whether its store has not answered for a while: it is due, and the store is left alone."""
    found = StoreMessage.objects.filter(id=message_id).values_list("provider", flat=True).first()
    return found is not None and outages.is_out(Line.MESSAGES, found)


def settle(message_id: UUID, *, now: datetime) -> StoreMessage | None:
    """Applies a message if it is due; None where it is not, or somebody else is at it."""
    message = _take(message_id, now)
    if message is None:
        return None
    try:
        _try(message, now)
    except ProviderError as error:
        if error.permanent:
            _park(message, error.reason, code=error.fault, now=now)
        else:
            _put_off(message, error.reason, code="store_unavailable", now=now, error=error)
    except Unclaimed as error:
        _write(message, subject=error.subject)
        _put_off(message, "Nobody is known to have bought it.", code="unclaimed", now=now)
    except RateMissing as error:
        _put_off(message, f"No exchange rate: {error}", code="rate_missing", now=now)
    except Problem as error:
        _put_off(message, str(error), code=error.code, now=now)
    except (OperationalError, InterfaceError) as error:
        _put_off(message, str(error), code="busy", now=now)
    except SoftTimeLimitExceeded:
        # It says nothing of the message, which is due again when it is taken no more.
        raise
    except Exception as error:
        logger.exception("%s could not be applied", message)
        _fail(message, error, now)
    return StoreMessage.objects.get(id=message_id)


def apply_polled(found: Sequence[Fact], *, provider: str, now: datetime) -> None:
    """Lets facts take effect that came by no message. What cannot be booked is told the next time again."""
    telling = Telling(cause=ChangeCause.READ_BACK)
    for fact in found:
        try:
            with transaction.atomic():
                facts.apply(fact, provider=provider, telling=telling, now=now)
        except (Problem, Unclaimed, RateMissing) as error:
            logger.warning("%s told of %s, which cannot be booked: %s", provider, fact, error)
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            logger.exception("%s told of %s, which cannot be booked", provider, fact)


def replay(message_ids: Sequence[UUID], *, now: datetime) -> int:
    """Makes messages that were parked, or of a type that was unknown, due again, seen or not; returns how many."""
    return StoreMessage.objects.filter(
        id__in=message_ids, state__in=[*TO_LOOK_AT, MessageState.SEEN]
    ).update(state=MessageState.WAITING, next_attempt_at=now, attempts=0, failures=0)


def see(message_ids: Sequence[UUID]) -> int:
    """Somebody has looked at messages that were not applied, and no alarm rings for them; returns how many. One that
    waits for its buyer is applied all the same when they come."""
    return StoreMessage.objects.filter(id__in=message_ids, state__in=TO_LOOK_AT).update(
        state=MessageState.SEEN
    )


def wake(subject: str, *, provider: str, now: datetime) -> int:
    """Makes what waits about a transaction or subscription due now, as somebody has claimed it; and what waited so
    long for that that it was parked."""
    about = StoreMessage.objects.filter(provider=provider, subject=subject)
    waiting = about.filter(state=MessageState.WAITING).update(next_attempt_at=now)
    given_up = about.filter(state__in=[MessageState.PARKED, MessageState.SEEN], code="unclaimed")
    return waiting + given_up.update(state=MessageState.WAITING, next_attempt_at=now, attempts=0)


def _take(message_id: UUID, now: datetime) -> StoreMessage | None:
    with transaction.atomic():
        message = (
            StoreMessage.objects.select_for_update(skip_locked=True)
            .filter(id=message_id, next_attempt_at__lte=now)
            .first()
        )
        if message is None:
            return None
        message.attempts += 1
        message.next_attempt_at = now + TAKEN_FOR
        message.save(update_fields=["attempts", "next_attempt_at"])
    return message


def _ask(message: StoreMessage, now: datetime) -> Sequence[Fact]:
    adapter = adapter_of(message.provider)
    body = bytes(message.body)
    if message.arrived_by == Arrival.SUBMITTED:
        found = adapter.submitted(body.decode(), now=now)
    else:
        found = adapter.facts_of(RawMessage(message.headers, body), now=now)
    return gaps.filled(found, provider=message.provider, now=now)


def _try(message: StoreMessage, now: datetime) -> None:
    """Asks what a message stands for, and lets that take effect."""
    with outages.noted(Line.MESSAGES, message.provider):
        found = _ask(message, now)
    if not found and _is_still_unknown(message):
        _write(message, state=MessageState.UNKNOWN, next_attempt_at=None)
        return
    telling = _telling(message)
    with facts.told_together(found, provider=message.provider, telling=telling, now=now):
        _apply(message, found, now)


def _telling(message: StoreMessage) -> Telling:
    is_submitted = message.arrived_by == Arrival.SUBMITTED
    return Telling(
        cause=ChangeCause.SUBMITTED if is_submitted else ChangeCause.MESSAGE,
        message_id=message.id,
        viewer_id=message.submitted_by_id,
    )


def _apply(message: StoreMessage, found: Sequence[Fact], now: datetime) -> None:
    held = StoreMessage.objects.select_for_update().get(id=message.id)
    if held.state != MessageState.WAITING:
        return
    applied = facts.apply_all(found, provider=held.provider, telling=_telling(held), now=now)
    held.subject = next((one.subject for one in applied), "")
    held.facts = [{"fact": type(one).__name__, **msgspec.to_builtins(one)} for one in found]
    held.failures = 0
    if held.arrived_by == Arrival.SUBMITTED and not _has_effect(applied):
        _wait_for_money(held, applied, now)
    else:
        held.state, held.next_attempt_at, held.applied_at = MessageState.APPLIED, None, now
        held.code = held.reason = ""
    held.save()


def _has_effect(applied: Sequence[Applied]) -> bool:
    """Whether anything is there of what an app has handed in."""
    return any(one.bought or one.subscription for one in applied) and not any(
        one.is_pending for one in applied
    )


def _wait_for_money(held: StoreMessage, applied: Sequence[Applied], now: datetime) -> None:
    """Of what is not paid: a store that says nothing of it has not been paid yet, either."""
    if not any(one.is_pending for one in applied) and any(one.is_failed for one in applied):
        held.state, held.next_attempt_at = MessageState.ENDED, None
        held.code, held.reason = "payment_failed", "It was not paid, and will not be."
    elif now >= held.received_at + PAID_WITHIN:
        held.state, held.next_attempt_at = MessageState.ENDED, None
        held.code, held.reason = "payment_overdue", "The buyer has not paid in four weeks."
    else:
        held.code, held.reason = "payment_pending", "The buyer has not paid yet."
        is_long = now >= held.received_at + timedelta(days=1)
        held.next_attempt_at = now + (BUYERS_PAUSE if is_long else _pause(held.attempts))


def _is_still_unknown(message: StoreMessage) -> bool:
    """Of a message that tells nothing, when it was replayed. Its signature is looked at as it was when it came, where
    it is kept."""
    if message.code != UNKNOWN_TYPE:
        return False
    raw = RawMessage(message.headers, bytes(message.body))
    adapter = adapter_of(message.provider)
    read_again = adapter.reread_message if isinstance(adapter, Rereads) else adapter.read_message
    try:
        read = read_again(raw, now=message.received_at)
    except ProviderError:
        return True
    return not read.is_known


def _put_off(
    message: StoreMessage,
    reason: str,
    *,
    code: str,
    now: datetime,
    error: ProviderError | None = None,
) -> None:
    if message.attempts >= PATIENCE_ATTEMPTS:
        _park(message, reason, code=code, now=now)
        return
    pause = _pause(message.attempts)
    if error is not None and error.retry_after_seconds is not None:
        pause = max(pause, timedelta(seconds=error.retry_after_seconds))
    _write(message, reason=reason[:500], code=code, failures=0, next_attempt_at=now + pause)


def _fail(message: StoreMessage, error: Exception, now: datetime) -> None:
    """For a cause that nobody has thought of, which is parked once it stays."""
    failures = message.failures + 1
    if failures >= POISON_FAILURES or message.attempts >= PATIENCE_ATTEMPTS:
        _write(message, failures=failures)
        _park(message, repr(error), code="unexpected", now=now)
        return
    _write(
        message,
        reason=repr(error)[:500],
        code="unexpected",
        failures=failures,
        next_attempt_at=now + _pause(failures),
    )


def _park(message: StoreMessage, reason: str, *, code: str, now: datetime) -> None:
    logger.warning("%s is parked: %s", message, reason)
    _write(
        message,
        reason=reason[:500],
        code=code,
        state=MessageState.PARKED,
        next_attempt_at=None,
    )


def _write(message: StoreMessage, **values: object) -> None:
    """Only while it waits: somebody else may have settled it."""
    StoreMessage.objects.filter(id=message.id, state=MessageState.WAITING).update(**values)


def _pause(attempts: int) -> timedelta:
    return PAUSES[min(attempts, len(PAUSES)) - 1]
