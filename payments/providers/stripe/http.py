"""The wire to Stripe: what Stripe's library sends over, bounded in time and size.

The library's own clients wait 80 seconds and read whatever comes.
"""

import time
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
import stripe

from payments.providers import deadlines
from payments.providers.base import ProviderError

TIMEOUT_SECONDS = 10.0
#: For all of an answer, whose every piece may come within the timeout.
ANSWER_SECONDS = 20.0
MAXIMUM_ANSWER_BYTES = 1024 * 1024


class _Answer(msgspec.Struct):
    error: Mapping[str, Any] | None = None


class BoundedClient(stripe.HTTPClient):
    """Asks once. What is no JSON object in answer, or no error object in refusal, counts as no answer."""

    name = "bounded httpx"

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__()
        self._client = httpx.Client(
            transport=transport, timeout=TIMEOUT_SECONDS, follow_redirects=False
        )

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> Any:
        """The body, the status and the headers. Raises stripe.APIConnectionError."""
        # A small answer that unpacks to a large one is not asked for.
        sent = {**(headers or {}), "Accept-Encoding": "identity"}
        try:
            ends_at = deadlines.end_of_answer(ANSWER_SECONDS)
            with self._client.stream(
                method,
                url,
                headers=sent,
                content=post_data,
                timeout=deadlines.step_seconds(TIMEOUT_SECONDS),
            ) as answer:
                body = _bounded(answer, ends_at)
                status, received = answer.status_code, answer.headers
        except ProviderError as error:
            raise _unanswered(error.reason) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise _unanswered(f"no answer: {error!r}"[:200]) from error
        _check_shape(body, status)
        return body, status, received

    def close(self) -> None:
        """Ends all connections."""
        self._client.close()


def _bounded(answer: httpx.Response, ends_at: float) -> bytes:
    body = bytearray()
    for piece in answer.iter_raw():
        body += piece
        if len(body) > MAXIMUM_ANSWER_BYTES or time.monotonic() > ends_at:
            raise _unanswered("an answer too long or too slow")
    return bytes(body)


def _check_shape(body: bytes, status: int) -> None:
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _unanswered(f"{status} with {body[:50]!r}") from error
    if not 200 <= status < 300 and answer.error is None:
        raise _unanswered(f"{status} without an error object")


def _unanswered(reason: str) -> stripe.APIConnectionError:
    return stripe.APIConnectionError(reason)  # type: ignore[no-untyped-call]
