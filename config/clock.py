"""The one clock.

The interface layer reads it once for each request or task and passes `now` on, to Python and SQL
functions alike; nothing below reads a clock of its own. Where SIMULATED_CLOCK is on (demo and
tests; a system check refuses it in production) a signed `X-Clock` header sets the moment, which is
how simulated days pass through the public API.
"""

from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest

from config import seals
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
    return seals.seal(_PURPOSE, moment.astimezone(UTC).isoformat().encode())


def _simulated(header: str) -> datetime:
    try:
        return datetime.fromisoformat(seals.unseal(_PURPOSE, header).decode())
    except seals.SealBroken as error:
        raise ClockRefused from error
