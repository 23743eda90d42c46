"""Clients that never give up, whatever they ask for: the same request, until it is answered."""

import http.client
import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

Wish = TypeVar("Wish")
Request = TypeVar("Request")

ANSWER_SECONDS = 15.0
SETTLE_SECONDS = 40.0
FULL_REST_SECONDS, REST_SECONDS = 0.02, 0.1
"""In full proofs and in the suite: between two requests of a client, so that what was killed finds a processor to start on."""

_PAUSE_SECONDS = 0.05


class Notes(Protocol[Wish, Request]):
    """A client's journal: what it will ask for before it asks, and each answer before it counts."""

    acknowledged: int

    def intend(self, wish: Wish, /) -> Request: ...
    def acknowledge(self, request: Request, body: bytes, /) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Connection(ABC, Generic[Request]):
    """A client's side of HTTP: keeps one connection, and opens another when that is broken."""

    def __init__(self, *, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        self.unexpected: list[str] = []
        self.last_failure = ""
        self.replayed = 0

    def close(self) -> None:
        """Close what is open."""
        self._http.close()

    def ask(self, request: Request) -> bytes | None:
        """The body of a success, or None when it is unknown what became of the request."""
        path, body, headers = self.wire(request)
        try:
            self._http.request("POST", path, body, {"Content-Type": "application/json", **headers})
            answer = self._http.getresponse()
            answered = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            self.last_failure = repr(error)
            return None
        if answer.status in {200, 201}:
            self.replayed += answer.headers["Idempotent-Replayed"] == "true"
            return answered
        retry_after = answer.headers["Retry-After"]
        said = answered.decode(errors="replace")
        self.last_failure = f"{answer.status}, Retry-After {retry_after}: {said}"
        # A service in trouble says so and when to come back; everything else is a fault of it.
        if answer.status not in {409, 503} or retry_after is None:
            self.unexpected.append(self.last_failure)
        return None

    @abstractmethod
    def wire(self, request: Request) -> tuple[str, bytes, Mapping[str, str]]:
        """Path, body and headers of a request."""


@dataclass(frozen=True)
class Client(Generic[Wish, Request]):
    """What one client wants, one after the other, where it notes it, and how it asks."""

    way: Iterator[Wish]
    notes: Notes[Wish, Request]
    connection: Connection[Request]


class Crowd(Generic[Wish, Request]):
    """All clients at work, each in a thread, while the `with` block runs."""

    def __init__(self, clients: Sequence[Client[Wish, Request]], *, rest_seconds: float) -> None:
        self._clients = clients
        self._rest_seconds = rest_seconds
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(len(clients))

    def __enter__(self) -> Self:
        self._working = [self._pool.submit(self._work, client) for client in self._clients]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._pool.shutdown()
        for client in self._clients:
            client.notes.__exit__(None, None, None)
            client.connection.close()
        if error is None:
            for working in self._working:
                working.result()

    def acknowledged(self) -> int:
        """How many requests were acknowledged so far. Raises what ended a client early."""
        for working in self._working:
            if working.done():
                working.result()
        return sum(client.notes.acknowledged for client in self._clients)

    def everybody_again(self) -> Callable[[], bool]:
        """A condition: every single client was acknowledged since this call, and not only once,
        since the first answer may have been under way."""
        before = [client.notes.acknowledged for client in self._clients]

        def have_all() -> bool:
            self.acknowledged()
            now = [client.notes.acknowledged for client in self._clients]
            return all(after >= first + 2 for first, after in zip(before, now, strict=True))

        return have_all

    def lost_answers(self) -> int:
        """How many requests had their effect although their first answer never arrived."""
        return sum(client.connection.replayed for client in self._clients)

    def failures(self) -> str:
        """The last that went wrong for each client."""
        said = (client.connection.last_failure for client in self._clients)
        return "\n".join(filter(None, said))

    def unexpected(self) -> list[str]:
        """Answers that no client should ever see."""
        return list(
            itertools.chain.from_iterable(client.connection.unexpected for client in self._clients)
        )

    def _work(self, client: Client[Wish, Request]) -> None:
        for wish in client.way:
            request = client.notes.intend(wish)
            while (body := client.connection.ask(request)) is None:
                if self._stopping.wait(_PAUSE_SECONDS):
                    return
            client.notes.acknowledge(request, body)
            if self._stopping.wait(self._rest_seconds):
                return


def ask_again(
    requests: Sequence[Request],
    *,
    connect: Callable[[], Connection[Request]],
    journal: Callable[[Path], Notes[Any, Request]],
    folder: Path,
    clients: int,
) -> None:
    """Send every request once more, and note what is answered.

    So unknown outcomes are resolved, and known ones must be answered as they were. Raises
    AssertionError when a request is not answered for long.
    """

    def ask(number: int) -> None:
        connection = connect()
        with journal(folder / f"again-{number}.jsonl") as notes:
            try:
                for request in requests[number::clients]:
                    notes.acknowledge(request, _insist(connection, request))
            finally:
                connection.close()
        assert not connection.unexpected, connection.unexpected[:5]

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, range(clients)))


def _insist(connection: Connection[Request], request: Request) -> bytes:
    deadline = time.monotonic() + SETTLE_SECONDS
    while (body := connection.ask(request)) is None:
        assert time.monotonic() < deadline, f"no answer to {request}: {connection.last_failure}"
        time.sleep(_PAUSE_SECONDS)
    return body
