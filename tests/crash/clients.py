"""Clients that unlock episodes and never give up: same key, same request, until it is answered."""

import http.client
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from tests.crash.journal import Call, Journal
from tests.crash.seed import Population, SeededViewer

CLIENTS = 8
ANSWER_SECONDS = 15.0
SETTLE_SECONDS = 40.0
# Between two unlocks of a client, so that what was killed finds a processor to start on.
_REST_SECONDS = 0.02
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Errand:
    """An episode that a viewer wants."""

    viewer_id: UUID
    episode_id: UUID


def errands(population: Population, *, client: int, seed: int) -> Iterator[Errand]:
    """What one client goes through, once. Clients come in pairs that walk through the same errands,
    and now and then a client asks twice with another key, so that each episode of a viewer is
    fought over by several keys. Raises AssertionError when everything is unlocked.
    """
    hasty = random.Random(f"{seed}-{client}")  # noqa: S311  repeatable by its seed
    pair, pairs = client // 2, CLIENTS // 2
    for viewer in population.viewers[pair::pairs]:
        for episode_id in population.locked_episode_ids:
            for _ in range(2 if hasty.random() < 0.1 else 1):
                yield Errand(viewer.id, episode_id)
    raise AssertionError("the seed has too few viewers for so many rounds")


class Connection:
    """A client's side of HTTP: keeps one connection, and opens another when that is broken."""

    def __init__(self, population: Population, *, port: int) -> None:
        self._viewers = {viewer.id: viewer for viewer in population.viewers}
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        self.unexpected: list[str] = []
        self.last_failure = ""
        self.replayed = 0

    def close(self) -> None:
        """Close what is open."""
        self._http.close()

    def unlock(self, call: Call) -> bytes | None:
        """The body of a 200, or None when it is unknown what became of the request."""
        try:
            answer, body = self._exchange(call)
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            self.last_failure = repr(error)
            return None
        if answer.status == 200:
            self.replayed += answer.headers["Idempotent-Replayed"] == "true"
            return body
        retry_after = answer.headers["Retry-After"]
        self.last_failure = (
            f"{answer.status}, Retry-After {retry_after}: {body.decode(errors='replace')}"
        )
        # A service in trouble says so and when to come back; everything else is a fault of it.
        if answer.status not in {409, 503} or retry_after is None:
            self.unexpected.append(self.last_failure)
        return None

    def _exchange(self, call: Call) -> tuple[http.client.HTTPResponse, bytes]:
        viewer: SeededViewer = self._viewers[call.viewer_id]
        self._http.request(
            "POST",
            f"/v1/episodes/{call.episode_id}/unlock",
            body=f'{{"quote":"{viewer.quote}"}}',
            headers={
                "Authorization": f"Bearer {viewer.token}",
                "Content-Type": "application/json",
                "Idempotency-Key": call.key,
            },
        )
        answer = self._http.getresponse()
        return answer, answer.read()


class Load:
    """All clients at work, each in a thread, while the `with` block runs."""

    def __init__(
        self, population: Population, ways: Sequence[Iterator[Errand]], *, port: int, folder: Path
    ) -> None:
        folder.mkdir(parents=True)
        self._ways = ways
        self._journals = [Journal(folder / f"client-{n}.jsonl") for n in range(len(ways))]
        self._connections = [Connection(population, port=port) for _ in ways]
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(len(ways))

    def __enter__(self) -> Self:
        work = zip(self._ways, self._journals, self._connections, strict=True)
        self._working = [self._pool.submit(self._work, *each) for each in work]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._pool.shutdown()
        for journal, connection in zip(self._journals, self._connections, strict=True):
            journal.__exit__(None, None, None)
            connection.close()
        if error is None:
            for working in self._working:
                working.result()

    def acknowledged(self) -> int:
        """How many unlocks were acknowledged so far. Raises what ended a client early."""
        for working in self._working:
            if working.done():
                working.result()
        return sum(journal.acknowledged for journal in self._journals)

    def everybody_again(self) -> Callable[[], bool]:
        """A condition: every single client was acknowledged since this call, and not only once,
        since the first answer may have been under way."""
        before = [journal.acknowledged for journal in self._journals]

        def have_all() -> bool:
            self.acknowledged()
            now = [journal.acknowledged for journal in self._journals]
            return all(after >= first + 2 for first, after in zip(before, now, strict=True))

        return have_all

    def lost_answers(self) -> int:
        """How many requests had their effect although their first answer never arrived."""
        return sum(each.replayed for each in self._connections)

    def failures(self) -> str:
        """The last that went wrong for each client."""
        return "\n".join(filter(None, (each.last_failure for each in self._connections)))

    def unexpected(self) -> list[str]:
        """Answers that no client should ever see."""
        return list(itertools.chain.from_iterable(each.unexpected for each in self._connections))

    def _work(self, way: Iterator[Errand], journal: Journal, connection: Connection) -> None:
        for errand in way:
            call = journal.intend(viewer_id=errand.viewer_id, episode_id=errand.episode_id)
            while (body := connection.unlock(call)) is None:
                if self._stopping.wait(_PAUSE_SECONDS):
                    return
            journal.acknowledge(call, body)
            if self._stopping.wait(_REST_SECONDS):
                return


def ask_again(calls: Sequence[Call], population: Population, *, port: int, folder: Path) -> None:
    """Send every call once more with its own key, and note what is answered.

    So unknown outcomes are resolved, and known ones must be answered as they were. Raises
    AssertionError when a call is not answered for long.
    """

    def ask(number: int) -> None:
        connection = Connection(population, port=port)
        with Journal(folder / f"again-{number}.jsonl") as journal:
            try:
                for call in calls[number::CLIENTS]:
                    journal.acknowledge(call, _insist(connection, call))
            finally:
                connection.close()
        assert not connection.unexpected, connection.unexpected[:5]

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, range(CLIENTS)))


def _insist(connection: Connection, call: Call) -> bytes:
    deadline = time.monotonic() + SETTLE_SECONDS
    while (body := connection.unlock(call)) is None:
        assert time.monotonic() < deadline, f"{call.key} has no answer: {connection.last_failure}"
        time.sleep(_PAUSE_SECONDS)
    return body
