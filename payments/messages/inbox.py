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
from django.db import OperationalError, transaction

from config.problems import Problem
from payments.models import Arrival, ChangeCause, MessageState, StoreMessage
from payments.providers.base import Fact, Fault, Message, ProviderError, RawMessage, Rereads
from payments.store import facts
from payments.store.exchange import RateMissing
from payments.store.facts import Telling
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
#: What fails for a cause that nobody has thought of is parked after so many attempts: half an hour.
POISON_ATTEMPTS = 5
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

    Which environment it is of is the store's to say: until then it stands under production.
    """
    body = handed_in.encode()
    message, _ = StoreMessage.objects.get_or_create(
        provider=provider,
        environment=Environment.PRODUCTION,
        event_id=f"submitted:{viewer_id}:{hashlib.sha256(body).hexdigest()}",
        defaults={
            "type": "submission",
            "arrived_by": Arrival.SUBMITTED,
            "submitted_by_id": viewer_id,
            "body": body,
            "occurred_at": now,
            "received_at": now,
            "code": code,
            "next_attempt_at": now + PAUSES[0],
        },
    )
    return message


def due(*, now: datetime, limit: int = AT_ONCE) -> Sequence[UUID]:
    """Messages that wait and are due, the longest due first."""
    found = StoreMessage.objects.filter(next_attempt_at__lte=now).order_by("next_attempt_at")
    return list(found.values_list("id", flat=True)[:limit])


def settle(message_id: UUID, *, now: datetime) -> StoreMessage | None:
    """Applies a message if it is due; None where it is not, or somebody else is at it."""
    message = _take(message_id, now)
    if message is None:
        return None
    try:
        found = _ask(message, now)
        if not found and _is_still_unknown(message):
            _write(message, state=MessageState.UNKNOWN, next_attempt_at=None)
        else:
            with transaction.atomic():
                _apply(message, found, now)
    except ProviderError as error:
        if error.permanent:
            _park(message, error.reason, code=error.fault, now=now)
        else:
            _put_off(message, error.reason, code="store_unavailable", now=now)
    except Unclaimed:
        _write(message, subject=facts.subject(found[0]))
        _put_off(message, "Nobody is known to have bought it.", code="unclaimed", now=now)
    except RateMissing as error:
        _put_off(message, f"No exchange rate: {error}", code="rate_missing", now=now)
    except Problem as error:
        _put_off(message, str(error), code=error.code, now=now)
    except OperationalError as error:
        _put_off(message, str(error), code="busy", now=now)
    except Exception as error:
        logger.exception("%s could not be applied", message)
        _put_off(
            message, repr(error), code="unexpected", now=now, patience_attempts=POISON_ATTEMPTS
        )
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
        except Exception:
            logger.exception("%s told of %s, which cannot be booked", provider, fact)


def replay(message_ids: Sequence[UUID], *, now: datetime) -> int:
    """Makes messages that were parked, or of a type that was unknown, due again; returns how many."""
    return StoreMessage.objects.filter(
        id__in=message_ids, state__in=[MessageState.PARKED, MessageState.UNKNOWN]
    ).update(state=MessageState.WAITING, next_attempt_at=now, attempts=0)


def wake(subject: str, *, provider: str, now: datetime) -> int:
    """Makes what waits about a transaction or subscription due now, as somebody has claimed it."""
    return StoreMessage.objects.filter(
        provider=provider, subject=subject, state=MessageState.WAITING
    ).update(next_attempt_at=now)


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


def _apply(message: StoreMessage, found: Sequence[Fact], now: datetime) -> None:
    held = StoreMessage.objects.select_for_update().get(id=message.id)
    if held.state != MessageState.WAITING:
        return
    telling = Telling(
        cause=ChangeCause.SUBMITTED
        if held.arrived_by == Arrival.SUBMITTED
        else ChangeCause.MESSAGE,
        message_id=held.id,
        viewer_id=held.submitted_by_id,
    )
    applied = facts.apply_all(found, provider=held.provider, telling=telling, now=now)
    held.subject = next((one.subject for one in applied), "")
    held.facts = [{"fact": type(one).__name__, **msgspec.to_builtins(one)} for one in found]
    if held.arrived_by == Arrival.SUBMITTED and any(one.is_pending for one in applied):
        held.code, held.reason = "payment_pending", "The buyer has not paid yet."
        held.next_attempt_at = now + _pause(held.attempts)
    else:
        held.state, held.next_attempt_at, held.applied_at = MessageState.APPLIED, None, now
        held.code = held.reason = ""
    held.save()


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
    patience_attempts: int = PATIENCE_ATTEMPTS,
) -> None:
    if message.attempts >= patience_attempts:
        _park(message, reason, code=code, now=now)
        return
    _write(
        message,
        reason=reason[:500],
        code=code,
        next_attempt_at=now + _pause(message.attempts),
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
