"""Messages of stores, and what apps hand in: verified and kept as they came, before anything is done about them."""

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from config.problems import Problem
from payments.messages.settling import PAUSES, UNKNOWN_TYPE
from payments.models import Arrival, MessageState, StoreMessage
from payments.providers.base import Fault, Message, ProviderError, RawMessage
from payments.store.purchases import adapter as adapter_of
from viewers.models import Environment

logger = logging.getLogger(__name__)

#: A viewer's that wait at the same time.
SUBMISSIONS_EACH = 100
#: So many messages that are not for us are kept of a store in a day: somebody is to see them, and nobody to fill
#: our disk with them.
FOREIGN_A_DAY = 100


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
