"""Messages of stores: verified, kept as they came, and applied once, late and out of order included.

What a message stands for may have to be asked of its store. That happens before the transaction that applies it:
a message is taken for a while, asked about, and applied under a lock of its row if nobody else has meanwhile.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, transaction

from config.problems import Problem
from payments.messages import outages
from payments.messages.outages import Line
from payments.models import Arrival, ChangeCause, MessageState, StoreMessage
from payments.providers.base import Fact, Fault, Message, ProviderError, RawMessage, Rereads
from payments.store import facts
from payments.store.exchange import RateMissing
from payments.store.facts import Applied, Telling
from payments.store.owners import Unclaimed
from payments.store.purchases import adapter as adapter_of
from viewers.models import Environment

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
#: A viewer's that wait at the same time.
SUBMISSIONS_EACH = 100
AT_ONCE = 100
#: So many messages that are not for us are kept of a store in a day: somebody is to see them, and nobody to fill
#: our disk with them.
FOREIGN_A_DAY = 100
#: What `code` says of a message whose type was unknown when it came.
UNKNOWN_TYPE = "unknown_type"


class MessageMalformed(Problem):
    code = "message_malformed"
    title = "This is no message of this store"


class MessageForged(Problem):
    code = "message_forged"
    title = "The signature does not hold; nothing was kept"


class MessageForeign(Problem):
    code = "message_foreign"
    title = "This is for another app, and too much of the kind has come today; nothing was kept"
    headers = {"Retry-After": "3600"}


class SignaturesUnavailable(Problem):
    code = "signatures_unavailable"
    title = "The signature cannot be verified right now; send the same message again"
    headers = {"Retry-After": "30"}


class TooManySubmissions(Problem):
    code = "too_many_submissions"
    title = "Too much that this viewer has handed in waits already; come again when some of it is booked"
    headers = {"Retry-After": "3600"}


_REFUSALS: dict[Fault, type[Problem]] = {
    Fault.MALFORMED: MessageMalformed,
    Fault.FORGED: MessageForged,
    Fault.GONE: MessageMalformed,
    Fault.UNAVAILABLE: SignaturesUnavailable,
}
#: Genuine, and not for us. A store that is refused sends again and again: it is kept for somebody to look.
_NOT_OURS = (Fault.FOREIGN, Fault.OTHER_ENVIRONMENT)


@dataclass(frozen=True)
class Kept:
    """A message that is in the inbox, and whether this call has put it there."""

    message: StoreMessage
    is_new: bool


def receive(*, provider: str, raw: RawMessage, arrived_by: Arrival, now: datetime) -> Kept:
    """Verifies a message over its raw bytes and keeps it; the same again is the same.

    Asks no store. What is genuine and of another app, or of an environment that is not served here, is kept
    as parked, FOREIGN_A_DAY of a store at most. Raises ProviderUnknown, MessageMalformed, MessageForged,
    SignaturesUnavailable, and MessageForeign for what is beyond that; nothing of these is kept.
    """
    try:
        read = adapter_of(provider).read_message(raw, now=now)
    except ProviderError as error:
        logger.warning("a message for %s is not ours to apply: %s", provider, error.reason)
        if error.fault in _NOT_OURS:
            return _keep_foreign(provider, raw, error, arrived_by, now)
        raise _REFUSALS[error.fault](error.reason) from error
    message, is_new = StoreMessage.objects.get_or_create(
        provider=provider,
        environment=read.environment,
        event_id=read.event_id,
        defaults={
            "type": read.type,
            "arrived_by": arrived_by,
            "headers": _without_credentials(raw),
            "body": raw.body,
            "occurred_at": read.occurred_at,
            "received_at": now,
            **_standing(read, now),
        },
    )
    return Kept(message, is_new)


def keep_submission(
    *, provider: str, handed_in: str, viewer_id: UUID, code: str, now: datetime
) -> StoreMessage:
    """Keeps what an app has handed in and the store could not be asked about yet: it is applied later.

    Which environment it is of is the store's to say: until then it stands under production. Raises
    TooManySubmissions, where so many of the viewer's wait; then it is not kept.
    """
    event_id = f"submitted:{viewer_id}:{hashlib.sha256(_spelled(handed_in)).hexdigest()}"
    name = {"provider": provider, "environment": Environment.PRODUCTION, "event_id": event_id}
    if (kept := StoreMessage.objects.filter(**name).first()) is not None:
        return kept
    waiting = StoreMessage.objects.filter(
        submitted_by_id=viewer_id, next_attempt_at__isnull=False
    ).count()
    if waiting >= SUBMISSIONS_EACH:
        raise TooManySubmissions
    message, _ = StoreMessage.objects.get_or_create(
        **name,
        defaults={
            "type": "submission",
            "arrived_by": Arrival.SUBMITTED,
            "submitted_by_id": viewer_id,
            "body": handed_in.encode(),
            "occurred_at": now,
            "received_at": now,
            "code": code,
            "next_attempt_at": now + PAUSES[0],
        },
    )
    return message


def hand_in_again(message: StoreMessage, *, code: str, now: datetime) -> StoreMessage:
    """What an app has handed in before, and nothing has come of, waits again."""
    StoreMessage.objects.filter(id=message.id).exclude(state=MessageState.WAITING).update(
        state=MessageState.WAITING,
        code=code,
        reason="",
        attempts=0,
        failures=0,
        received_at=now,
        applied_at=None,
        next_attempt_at=now + PAUSES[0],
    )
    message.refresh_from_db()
    return message


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
    """Makes messages that were parked, or of a type that was unknown, due again; returns how many."""
    return StoreMessage.objects.filter(
        id__in=message_ids, state__in=[MessageState.PARKED, MessageState.UNKNOWN]
    ).update(state=MessageState.WAITING, next_attempt_at=now, attempts=0, failures=0)


def wake(subject: str, *, provider: str, now: datetime) -> int:
    """Makes what waits about a transaction or subscription due now, as somebody has claimed it; and what waited so
    long for that that it was parked."""
    about = StoreMessage.objects.filter(provider=provider, subject=subject)
    waiting = about.filter(state=MessageState.WAITING).update(next_attempt_at=now)
    parked = about.filter(state=MessageState.PARKED, code="unclaimed")
    return waiting + parked.update(state=MessageState.WAITING, next_attempt_at=now, attempts=0)


def _spelled(handed_in: str) -> bytes:
    """One spelling of what says the same: white space and the order of members mean nothing, and of one member
    what is said of it last holds."""
    try:
        said = msgspec.json.decode(handed_in)
        return (
            msgspec.json.encode(said, order="sorted")
            if isinstance(said, dict)
            else handed_in.encode()
        )
    except (ValueError, RecursionError):
        return handed_in.strip().encode()


def _keep_foreign(
    provider: str, raw: RawMessage, error: ProviderError, arrived_by: Arrival, now: datetime
) -> Kept:
    # A genuine message in another spelling, such as with more spaces, has another digest.
    foreign = StoreMessage.objects.filter(
        provider=provider,
        type__in=[fault.value for fault in _NOT_OURS],
        received_at__gt=now - timedelta(days=1),
    )
    name = f"foreign:{hashlib.sha256(raw.body).hexdigest()}"
    if foreign.count() >= FOREIGN_A_DAY and not foreign.filter(event_id=name).exists():
        raise MessageForeign(error.reason) from error
    message, is_new = StoreMessage.objects.get_or_create(
        provider=provider,
        environment=Environment.SANDBOX,
        event_id=name,
        defaults={
            "type": error.fault.value,
            "arrived_by": arrived_by,
            "headers": _without_credentials(raw),
            "body": raw.body,
            "occurred_at": now,
            "received_at": now,
            "state": MessageState.PARKED,
            "reason": error.reason[:500],
            "code": error.fault.value,
        },
    )
    return Kept(message, is_new)


def _without_credentials(raw: RawMessage) -> dict[str, str]:
    """What came in the headers. Of a bearer's token what it says is kept, and not the signature that makes it
    one: a message that is kept needs none, since it held when it came."""
    kept = dict(raw.headers)
    if token := kept.pop("authorization", ""):
        kept["authorization"] = token.rpartition(".")[0]
    return kept


def _standing(read: Message, now: datetime) -> dict[str, object]:
    if read.is_known:
        return {"state": MessageState.WAITING, "next_attempt_at": now}
    return {
        "state": MessageState.UNKNOWN,
        "code": UNKNOWN_TYPE,
        "reason": "Nothing here reads messages of this type.",
    }


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
        return adapter.submitted(body.decode(), now=now)
    return adapter.facts_of(RawMessage(message.headers, body), now=now)


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
