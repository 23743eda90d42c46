"""The App Store Server API: what the App Store answers when it is asked.

App Store Server API, "Generating JSON Web Tokens for API requests", "Identifying rate limits" and "Error codes".
What comes back is signed by itself; nothing here believes it.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import jwt
import msgspec
from appstoreserverlibrary.api_client import APIError
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from payments.providers import deadlines
from payments.providers.apple.payloads import (
    EPOCH,
    ErrorAnswer,
    NotificationPage,
    StatusAnswer,
    TestAnswer,
    TransactionAnswer,
    TransactionPage,
)
from payments.providers.apple.settings import ENVIRONMENTS, AppleSettings
from payments.providers.apple.verifier import decoded
from payments.providers.base import Fault, ProviderError

AUDIENCE = "appstoreconnect-v1"
TOKEN_SECONDS = 300
TIMEOUT_SECONDS = 10.0
#: For all of an answer, whose every piece may come within the timeout.
ANSWER_SECONDS = 20.0
MAXIMUM_BYTES = 1024 * 1024
#: A page has up to 20 records, and nobody has as many pages as this.
MAXIMUM_PAGES = 1000
MAXIMUM_PAUSE_SECONDS = 24 * 3600

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_GONE = frozenset(
    {
        APIError.ACCOUNT_NOT_FOUND,
        APIError.APP_NOT_FOUND,
        APIError.ORIGINAL_TRANSACTION_ID_NOT_FOUND,
        APIError.TRANSACTION_ID_NOT_FOUND,
        APIError.TEST_NOTIFICATION_NOT_FOUND,
    }
)
#: What the documentation says may be tried again.
_TRY_AGAIN = frozenset(
    {
        APIError.ACCOUNT_NOT_FOUND_RETRYABLE,
        APIError.APP_NOT_FOUND_RETRYABLE,
        APIError.ORIGINAL_TRANSACTION_ID_NOT_FOUND_RETRYABLE,
        APIError.PAGINATION_TOKEN_EXPIRED,
        APIError.RATE_LIMIT_EXCEEDED,
        APIError.GENERAL_INTERNAL,
        APIError.GENERAL_INTERNAL_RETRYABLE,
    }
)

Shape = TypeVar("Shape")
Asked = TypeVar("Asked")


@dataclass(frozen=True)
class Door:
    """An app in an environment: each is asked by itself."""

    environment: str
    bundle_id: str


class AppStoreApi:
    """Asks for every app in every environment that is served. Raises ProviderError, and nothing else.

    `clock` is seconds since 1970 by this machine's clock: tokens are valid for minutes by the App Store's.
    """

    def __init__(
        self,
        settings: AppleSettings,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._key = _signing_key(settings.private_key)
        self._clock = clock
        self._client = httpx.Client(
            timeout=TIMEOUT_SECONDS, follow_redirects=False, transport=transport
        )

    def close(self) -> None:
        """Ends its connections."""
        self._client.close()

    def doors(self, environment: str | None = None, bundle_id: str | None = None) -> list[Door]:
        """Where to ask, in the order to do so: production before sandbox."""
        return [
            Door(one, app)
            for one in ENVIRONMENTS
            if one in self._settings.environments and environment in {None, one}
            for app in self._settings.apps
            if bundle_id in {None, app}
        ]

    def first(self, doors: list[Door], ask: Callable[[Door], Asked]) -> Asked:
        """The answer of the first door behind which what is asked about is known. Raises GONE if none is."""
        if not doors:
            raise ProviderError("no such environment is served", Fault.OTHER_ENVIRONMENT)
        for door in doors:
            try:
                return ask(door)
            except ProviderError as error:
                if error.fault is not Fault.GONE:
                    raise
        raise ProviderError("the App Store knows of no such thing", Fault.GONE)

    def transaction(self, door: Door, transaction_id: str) -> str:
        """Get Transaction Info: the transaction, signed anew."""
        path = f"/inApps/v1/transactions/{_segment(transaction_id)}"
        return self._ask(door, "GET", path, TransactionAnswer).signed_transaction_info

    def history(self, door: Door, transaction_id: str) -> Iterator[str]:
        """Get Transaction History, whole: all signed transactions of whoever a transaction belongs to."""
        path = f"/inApps/v2/history/{_segment(transaction_id)}"
        return self._transactions(door, path, {"sort": "ASCENDING"})

    def refunds(self, door: Door, transaction_id: str) -> Iterator[str]:
        """Get Refund History, whole: the refunded ones of all of these."""
        return self._transactions(door, f"/inApps/v2/refund/lookup/{_segment(transaction_id)}", {})

    def statuses(self, door: Door, transaction_id: str) -> StatusAnswer:
        """Get All Subscription Statuses of whoever a transaction belongs to."""
        path = f"/inApps/v1/subscriptions/{_segment(transaction_id)}"
        return self._ask(door, "GET", path, StatusAnswer)

    def notifications(self, door: Door, *, since: datetime, until: datetime) -> Iterator[str]:
        """Get Notification History, whole: signed payloads of what was sent in that time, come or not."""
        body = {"startDate": _milliseconds(since), "endDate": _milliseconds(until)}
        path = "/inApps/v1/notifications/history"
        token = None
        for _ in range(MAXIMUM_PAGES):
            asked = {"paginationToken": token} if token else None
            page = self._ask(door, "POST", path, NotificationPage, query=asked, body=body)
            yield from (sent.signed_payload for sent in page.notification_history)
            if not page.has_more:
                return
            token = _next(token, page.pagination_token)
        raise ProviderError("the notification history has no end", Fault.UNAVAILABLE)

    def consumed(self, door: Door, transaction_id: str, body: Mapping[str, Any]) -> None:
        """Send Consumption Information."""
        path = f"/inApps/v2/transactions/consumption/{_segment(transaction_id)}"
        self._send(door, "PUT", path, body=body)

    def test_notification(self, door: Door) -> str:
        """Request a Test Notification: it comes to the address of the environment. Its token is answered."""
        answer = self._ask(door, "POST", "/inApps/v1/notifications/test", TestAnswer)
        return answer.test_notification_token

    def _transactions(self, door: Door, path: str, query: Mapping[str, str]) -> Iterator[str]:
        revision = None
        for _ in range(MAXIMUM_PAGES):
            asked = {**query, "revision": revision} if revision else query
            page = self._ask(door, "GET", path, TransactionPage, query=asked)
            yield from page.signed_transactions
            if not page.has_more:
                return
            revision = _next(revision, page.revision)
        raise ProviderError("the history has no end", Fault.UNAVAILABLE)

    def _ask(
        self,
        door: Door,
        method: str,
        path: str,
        shape: type[Shape],
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Shape:
        try:
            return decoded(self._send(door, method, path, query=query, body=body), shape)
        except ProviderError as error:
            if error.fault is not Fault.MALFORMED or isinstance(error, _Refused):
                raise
            # An answer that nobody can read says nothing about what was asked.
            raise ProviderError(f"answered {error.reason}", Fault.UNAVAILABLE) from error

    def _send(
        self,
        door: Door,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The body of an answer of success."""
        content = None if body is None else msgspec.json.encode(body)
        headers = {
            "Authorization": f"Bearer {self._token(door)}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        if content is not None:
            headers["Content-Type"] = "application/json"
        url = f"{self._settings.url(door.environment)}{path}"
        ends_at = deadlines.end_of_answer(ANSWER_SECONDS)
        try:
            with self._client.stream(
                method,
                url,
                params=query,
                content=content,
                headers=headers,
                timeout=deadlines.step_seconds(TIMEOUT_SECONDS),
            ) as response:
                answer = _bounded(response, ends_at)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise ProviderError(
                f"the App Store did not answer: {type(error).__name__}", Fault.UNAVAILABLE
            ) from error
        if response.is_success:
            return answer
        raise self._refusal(response, answer)

    def _refusal(self, response: httpx.Response, body: bytes) -> ProviderError:
        """What a status other than success means: nothing, without the App Store's own code for it."""
        status = response.status_code
        pause = self._pause_seconds(response)
        try:
            error = msgspec.json.decode(body, type=ErrorAnswer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            reason = f"the App Store answered {status}"
            return _Refused(reason, Fault.UNAVAILABLE, retry_after_seconds=pause)
        reason = f"the App Store answered {error.error_code}: {error.error_message:.200}"
        return _Refused(reason, _fault(status, error.error_code), retry_after_seconds=pause)

    def _pause_seconds(self, response: httpx.Response) -> int | None:
        """Retry-After, here a time in milliseconds since 1970; a number as small as a pause is seconds."""
        text = response.headers.get("Retry-After", "")
        if not re.fullmatch(r"[0-9]{1,15}", text):
            return None
        number = int(text)
        if number > MAXIMUM_PAUSE_SECONDS:
            number = -(-(number - int(self._clock() * 1000)) // 1000)
        return min(max(number, 0), MAXIMUM_PAUSE_SECONDS)

    def _token(self, door: Door) -> str:
        issued = int(self._clock())
        claims = {
            "iss": self._settings.issuer_id,
            "iat": issued,
            "exp": issued + TOKEN_SECONDS,
            "aud": AUDIENCE,
            "bid": door.bundle_id,
        }
        return jwt.encode(claims, self._key, "ES256", headers={"kid": self._settings.key_id})


class _Refused(ProviderError):
    """The App Store's own word, other than an answer that cannot be read."""


def _fault(status: int, code: int) -> Fault:
    if code in _GONE:
        return Fault.GONE
    # 401 is about our key and says nothing of what was asked.
    if code in _TRY_AGAIN or status >= 500 or status in {401, 408, 429} or status < 400:
        return Fault.UNAVAILABLE
    return Fault.MALFORMED


def _bounded(response: httpx.Response, ends_at: float) -> bytes:
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ProviderError("the App Store answered in an encoding of its own", Fault.UNAVAILABLE)
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > MAXIMUM_BYTES:
            raise ProviderError("the App Store answered more than 1 MB", Fault.UNAVAILABLE)
        if time.monotonic() > ends_at:
            raise ProviderError("the App Store's answer took too long", Fault.UNAVAILABLE)
    return bytes(content)


def _segment(identifier: str) -> str:
    if not _ID.fullmatch(identifier):
        raise ProviderError(f"no name of a transaction: {identifier!r:.50}", Fault.MALFORMED)
    return quote(identifier, safe="")


def _next(token: str | None, following: str | None) -> str:
    """The mark of the next page, which goes on from this one."""
    if not following or following == token:
        raise ProviderError("the next page of a history has no mark", Fault.UNAVAILABLE)
    return following


def _milliseconds(at: datetime) -> int:
    return int((at - EPOCH).total_seconds() * 1000)


def _signing_key(pem: str) -> EllipticCurvePrivateKey:
    """Raises ValueError for what is no key that the App Store takes."""
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("the In-App Purchase key is not of P-256")
    return key
