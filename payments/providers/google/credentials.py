"""Access tokens of a service account (RFC 7523), through google-auth and our own connection."""

import json
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from google.auth.exceptions import GoogleAuthError
from google.auth.transport import Request, Response
from google.oauth2.service_account import Credentials

from payments.providers.base import Fault, ProviderError
from payments.providers.google.settings import GoogleSettings
from payments.providers.google.transport import Answer, Transport, retry_after_seconds

SCOPE = "https://www.googleapis.com/auth/androidpublisher"


class AccessTokens:
    """The token of now, renewed before it ends, by one thread at a time.

    How long a token holds is between Google's clock and google-auth's: nothing is dated by it.
    """

    def __init__(self, settings: GoogleSettings, transport: Transport) -> None:
        # google-auth caches nothing on disk and asks nobody before the first use.
        told = {**settings.service_account, "token_uri": settings.token_url}
        self._credentials: Any = _account(json.dumps(told)).with_scopes([SCOPE])
        self._request = _OverOurTransport(transport)
        self._lock = threading.Lock()

    def current(self) -> str:
        """A token that holds. Raises ProviderError (UNAVAILABLE), also where Google refuses our key."""
        with self._lock:
            if not self._credentials.valid:
                self._renew()
            return str(self._credentials.token)

    def forget(self, token: str) -> None:
        """Google did not take it: the next one is a new one."""
        with self._lock:
            if self._credentials.token == token:
                self._credentials.token = None

    def _renew(self) -> None:
        try:
            self._credentials.refresh(self._request)
            token = self._credentials.token
            if not (isinstance(token, str) and token.isascii() and token.isprintable() and token):
                raise ValueError("no token")
        # google-auth reads an answer that is no object, or no text, without looking first.
        except (
            *(GoogleAuthError, ValueError, TypeError, AttributeError),
            *(KeyError, OverflowError, RecursionError),
        ) as error:
            self._credentials.token = None
            raise ProviderError(
                f"Google gave no access token: {error!r:.200}", Fault.UNAVAILABLE
            ) from error


@lru_cache(maxsize=8)
def _account(told: str) -> Any:
    """An account with no token yet. Checking the numbers of its key takes longer than most requests.

    Raises ValueError for what is none.
    """
    return Credentials.from_service_account_info(json.loads(told))  # type: ignore[no-untyped-call]


class _OverOurTransport(Request):
    """google-auth's way to send. What it would wait for and try again is ours to say at once."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: int | None = None,
        **_: Any,
    ) -> Response:
        answer = self._transport.send(method, url, headers=headers, body=body)
        if answer.status >= 500 or answer.status in {408, 429}:
            raise ProviderError(
                f"Google's token endpoint answered {answer.status}",
                Fault.UNAVAILABLE,
                retry_after_seconds=retry_after_seconds(answer),
            )
        return _Answered(answer)


class _Answered(Response):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._answer.headers

    @property
    def data(self) -> bytes:
        return self._answer.body
