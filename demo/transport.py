"""HTTP with the patience that a client of this service needs.

A request that met a lock (409 `busy`), a restart (503) or a broken connection is sent again, the
very same request with the very same headers. That is safe because of what the API promises: reads
change nothing, an unlock is known by its Idempotency-Key, and a store transaction is credited once.
"""

import itertools
import ssl
import time
from collections.abc import Callable, Mapping
from functools import cache
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0


class Refused(Exception):
    """The service said no: an HTTP status, a stable `code`, and all members of the problem."""

    def __init__(self, status: int, code: str, members: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {code}: {members.get('detail') or members.get('title', '')}")
        self.status = status
        self.code = code
        self.members = members


@cache
def trusted() -> ssl.SSLContext:
    """The authorities whose certificates hold. To read them takes longer than many requests."""
    return httpx.create_ssl_context()


class Unreachable(Exception):
    """No answer came, however often we asked. What was asked may have happened or not."""


class Transport:
    """A connection to one instance of the service, kept open between requests.

    `always` gives headers that every request carries, read anew for each. `http` takes the place of
    the network: with `httpx.WSGITransport` the service answers inside this process.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_seconds: float = 10,
        pause: Callable[[float], None] = time.sleep,
        always: Callable[[], Mapping[str, str]] = dict,
        http: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url
        self._pause = pause
        self._always = always
        # A proxy named in the environment is for the world outside, not for a service beside us.
        self._http = httpx.Client(
            base_url=base_url,
            timeout=timeout_seconds,
            trust_env=False,
            transport=http,
            verify=trusted(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Requests after this fail."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str | int] | None = None,
        json: object = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """The answer, if it is a 2xx or 304. Raises Refused for any other, and Unreachable.

        `path` may be a whole URL. The request is repeated while that can help; build its
        Idempotency-Key before calling.
        """
        request = self._http.build_request(
            method,
            path,
            headers={**self._always(), **(headers or {})},
            params=query,
            json=json,
            content=content,
        )
        for attempt in itertools.count(1):
            is_last = attempt == ATTEMPTS
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                if is_last:
                    raise Unreachable(f"{method} {request.url}: {error}") from error
                self._pause(_pause_seconds(attempt, None))
            else:
                if is_last or not _may_pass(response):
                    return _checked(response)
                self._pause(_pause_seconds(attempt, response.headers.get("Retry-After")))
        raise AssertionError  # the last attempt returned or raised


def _may_pass(response: httpx.Response) -> bool:
    """Whether the same request may succeed in a moment."""
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return True
    return response.status_code == httpx.codes.CONFLICT and _problem(response)[0] == "busy"


def _pause_seconds(attempt: int, retry_after: str | None) -> float:
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), LONGEST_PAUSE_SECONDS)
    return float(min(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), LONGEST_PAUSE_SECONDS))


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
        return response
    raise Refused(response.status_code, *_problem(response))


def _problem(response: httpx.Response) -> tuple[str, Mapping[str, Any]]:
    """The code and members of a problem+json body; a proxy's own error page has neither."""
    try:
        members = msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.DecodeError:
        members = {"title": response.reason_phrase}
    return str(members.get("code", "")), members
