"""Requests to Google: bounded in time and size, and failing in one way."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from payments.providers import deadlines
from payments.providers.base import Fault, ProviderError

TIMEOUT_SECONDS = 10
LONGEST_ANSWER_SECONDS = 30
MAXIMUM_ANSWER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """A connection to Google. `http` takes the place of the network.

    Each step of an answer has ten seconds, all of it thirty, and less where an app waits (`deadlines`). Redirects
    are not followed.
    """

    def __init__(self, http: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS, transport=http, follow_redirects=False)

    def close(self) -> None:
        """Lets go of what is kept open between requests."""
        self._http.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> Answer:
        """One request, sent once. Raises ProviderError (UNAVAILABLE) if no whole answer came."""
        ends_at = deadlines.end_of_answer(LONGEST_ANSWER_SECONDS)
        # A small answer that unpacks to a large one is not asked for.
        sent = {**(headers or {}), "Accept-Encoding": "identity"}
        try:
            with self._http.stream(
                method,
                url,
                headers=sent,
                params=tuple(params),
                content=body,
                timeout=deadlines.step_seconds(TIMEOUT_SECONDS),
            ) as answer:
                return Answer(answer.status_code, answer.headers, _bounded(answer, ends_at))
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            raise ProviderError(
                f"Google is out of reach: {type(error).__name__}", Fault.UNAVAILABLE
            ) from error


def _bounded(answer: httpx.Response, ends_at: float) -> bytes:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise ProviderError("Google answered in an encoding of its own", Fault.UNAVAILABLE)
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > MAXIMUM_ANSWER_BYTES:
            raise ProviderError("Google's answer is longer than 1 MB", Fault.UNAVAILABLE)
        if time.monotonic() > ends_at:
            raise ProviderError("Google's answer took too long", Fault.UNAVAILABLE)
    return bytes(body)


def retry_after_seconds(answer: Answer) -> int | None:
    """When an answer says that it may be asked again: whole seconds, a day at most."""
    said = answer.headers.get("retry-after", "")
    return min(int(said), 86_400) if said.isascii() and said.isdigit() and len(said) < 10 else None
