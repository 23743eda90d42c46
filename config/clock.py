"""The one clock.

The interface layer reads it once for each request or task and passes `now` on, to Python and SQL
functions alike; nothing below reads a clock of its own. Where SIMULATED_CLOCK is on (demo and
tests; a system check refuses it in production) a signed `X-Clock` header sets the moment, which is
how simulated days pass through the public API.
"""

import base64
import binascii
from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest

from config import keyring
from config.problems import Problem

HEADER = "X-Clock"
_PURPOSE = "clock"


class ClockRefused(Problem):
    code = "clock_refused"
    title = "The X-Clock header is malformed or its signature does not match"


def read() -> datetime:
    """The present moment, UTC."""
    return datetime.now(UTC)  # noqa: TID251  the one place that may


def now(request: HttpRequest) -> datetime:
    """The moment of this request, the same for its whole life. Raises ClockRefused."""
    moment: datetime | None = getattr(request, "_cliffhanger_now", None)
    if moment is None:
        header = request.headers.get(HEADER) if settings.SIMULATED_CLOCK else None
        moment = read() if header is None else _simulated(header)
        request._cliffhanger_now = moment  # type: ignore[attr-defined]  # noqa: SLF001
    return moment


def header_value(moment: datetime) -> str:
    """What a simulated client sends as X-Clock to make it `moment`."""
    text = moment.astimezone(UTC).isoformat()
    key_id, signature = keyring.keys_for(_PURPOSE).sign(text.encode())
    return f"{text};{key_id};{base64.urlsafe_b64encode(signature).decode()}"


def _simulated(header: str) -> datetime:
    text, _, rest = header.partition(";")
    key_id, _, encoded = rest.partition(";")
    try:
        signature = base64.urlsafe_b64decode(encoded)
        moment = datetime.fromisoformat(text)
    except (binascii.Error, ValueError) as error:
        raise ClockRefused from error
    signed = keyring.keys_for(_PURPOSE).is_signed(
        text.encode(), key_id=key_id, signature=signature
    )
    if not signed or moment.tzinfo is None:
        raise ClockRefused
    return moment.astimezone(UTC)
