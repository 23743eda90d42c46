"""Stripe's webhooks: an event, signed over its raw bytes with a secret that we share.

`Stripe-Signature: t=<unix time>,v1=<hex>[,v1=…][,v0=…]`, where v1 is HMAC-SHA256 of `<t>.<body>`
(docs.stripe.com/webhooks, "Verify webhook signatures manually"). While a secret is being rolled there is one v1
for each. Stripe's own library takes times of the future, and fails otherwise than by its error on what is not
ASCII, not UTF-8 or not an object: this reads the bytes before anything else does.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from payments.providers.base import Fault, Message, ProviderError, RawMessage
from payments.providers.stripe.objects import Event, moment

TOLERANCE_SECONDS = 300
MAXIMUM_BODY_BYTES = 1024 * 1024
MAXIMUM_HEADER_CHARACTERS = 4096
SIGNATURE_HEADER = "Stripe-Signature"
#: On an event that was read from Stripe's history and sealed by ourselves: it came by no webhook.
HISTORY_HEADER = "Stripe-History-Seal"

_TIME = re.compile(r"[1-9][0-9]{0,11}")
_HEX = re.compile(r"[0-9a-f]{64}")


class _Typed(msgspec.Struct):
    type: str = ""


def verify(message: RawMessage, *, secrets: Sequence[str], now: datetime) -> None:
    """Passes what one of the secrets signed within 300 s of `now`, before or after, and what `sealed` made.

    Raises ProviderError: MALFORMED without a signature to speak of, FORGED if none holds.
    """
    if len(message.body) > MAXIMUM_BODY_BYTES:
        raise ProviderError("the body is longer than 1 MB", Fault.MALFORMED)
    headers = {name.lower(): value for name, value in message.headers.items()}
    seal = headers.get(HISTORY_HEADER.lower())
    if seal is not None:
        _hold([seal], _of_history(message.body), secrets)
        return
    time, candidates = _parts(headers.get(SIGNATURE_HEADER.lower(), ""))
    _hold(candidates, time.encode() + b"." + message.body, secrets)
    if abs(int(now.timestamp()) - int(time)) > TOLERANCE_SECONDS:
        raise ProviderError("signed at another time than now", Fault.FORGED)


def signature(body: bytes, *, secret: str, signed_at: datetime) -> Mapping[str, str]:
    """The header with which Stripe sends a body."""
    time = str(int(signed_at.timestamp()))
    digest = _digest(secret, time.encode() + b"." + body)
    return {SIGNATURE_HEADER: f"t={time},v1={digest}"}


def sealed(body: bytes, *, secrets: Sequence[str]) -> RawMessage:
    """An event of Stripe's history, which is not signed, so that it passes for what it is and at any time."""
    return RawMessage({HISTORY_HEADER: _digest(secrets[0], _of_history(body))}, body)


def read(body: bytes) -> Event:
    """A body that was verified. Raises ProviderError, MALFORMED, for what is no event of the account's own.

    An event of a connected account is FOREIGN.
    """
    try:
        event = msgspec.json.decode(body, type=Event)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ProviderError(f"not an event: {error}"[:200], Fault.MALFORMED) from error
    if event.account:
        raise ProviderError("an event of a connected account", Fault.FOREIGN)
    return event


def type_of(body: bytes) -> str:
    """What an event says that it is, before anything else of it is read; "" where it does not say."""
    try:
        return msgspec.json.decode(body, type=_Typed).type
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""


def message_of(event: Event, *, is_known: bool) -> Message:
    """An event as it can be read without asking anybody."""
    return Message(
        environment=event.environment,
        event_id=event.id,
        type=event.type,
        occurred_at=moment(event.created),
        is_known=is_known,
    )


def _parts(header: str) -> tuple[str, Sequence[str]]:
    """The time and the signatures that a header names."""
    if not header or len(header) > MAXIMUM_HEADER_CHARACTERS or not header.isascii():
        raise ProviderError(f"no {SIGNATURE_HEADER} that can be read", Fault.MALFORMED)
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    if len(times) != 1 or not _TIME.fullmatch(times[0]):
        raise ProviderError(f"{SIGNATURE_HEADER} names no time", Fault.MALFORMED)
    return times[0], [value for name, _, value in pairs if name == "v1"]


def _hold(candidates: Sequence[str], content: bytes, secrets: Sequence[str]) -> None:
    """Passes if any candidate is any secret's. All are compared, whichever holds."""
    given = [candidate.encode() for candidate in candidates if _HEX.fullmatch(candidate)]
    holds = False
    for secret in secrets:
        digest = _digest(secret, content).encode()
        for candidate in given:
            holds |= hmac.compare_digest(digest, candidate)
    if not holds:
        raise ProviderError("no signature holds", Fault.FORGED)


def _of_history(body: bytes) -> bytes:
    # No signed time begins so: what Stripe signed never passes for sealed, nor the other way round.
    return b"history." + body


def _digest(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
