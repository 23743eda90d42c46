"""Clients that report events and never give up: the same bytes, until they are answered."""

import http.client
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

import msgspec

from config import clock
from tests.crash.clients import ANSWER_SECONDS, SETTLE_SECONDS
from tests.crash.event_journal import EventJournal, Report, SentBatch
from tests.crash.seed import Population, SeededViewer
from tests.factories.events import app_open, batch

CLIENTS = 6
_REST_SECONDS = 0.02
_PAUSE_SECONDS = 0.05


def batches(viewer: SeededViewer, *, size: int, chance: random.Random) -> Iterator[SentBatch]:
    """One app's batches without end. Some events are wrong, and some were in an earlier batch, too,
    as from an app that lost an answer and put its events into a new batch.
    """
    last: dict[str, Any] | None = None
    while True:
        now = clock.read()
        events: list[Any] = [
            {"event_id": str(uuid4())} if chance.random() < 0.1 else app_open(at=now)
            for _ in range(size)
        ]
        if last is not None and chance.random() < 0.3:
            events.append(last)
        whole = batch(events, sent_at=now)
        last = next((event for event in events if "type" in event), last)
        yield SentBatch(UUID(whole["batch_id"]), viewer.id, msgspec.json.encode(whole).decode())


class EventConnection:
    """A client's side of HTTP: keeps one connection, and opens another when that is broken."""

    def __init__(self, population: Population, *, port: int) -> None:
        self._tokens = {viewer.id: viewer.token for viewer in population.viewers}
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        self.unexpected: list[str] = []
        self.last_failure = ""

    def close(self) -> None:
        """Close what is open."""
        self._http.close()

    def report(self, sent: SentBatch) -> bytes | None:
        """The body of a 200, or None when it is unknown what became of the batch."""
        headers = {
            "Authorization": f"Bearer {self._tokens[sent.viewer_id]}",
            "Content-Type": "application/json",
        }
        try:
            self._http.request("POST", "/v1/events", body=sent.body.encode(), headers=headers)
            answer = self._http.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            self.last_failure = repr(error)
            return None
        if answer.status == 200:
            return body
        retry_after = answer.headers["Retry-After"]
        self.last_failure = f"{answer.status}, Retry-After {retry_after}: {body!r}"
        if answer.status not in {409, 503} or retry_after is None:
            self.unexpected.append(self.last_failure)
        return None


class EventLoad:
    """All clients at work, each in a thread, while the `with` block runs."""

    def __init__(
        self, population: Population, *, size: int, seed: int, port: int, folder: Path
    ) -> None:
        folder.mkdir(parents=True)
        viewers = population.viewers[:CLIENTS]
        self._ways = [
            batches(viewer, size=size, chance=random.Random(f"{seed}-{n}-{folder.name}"))  # noqa: S311
            for n, viewer in enumerate(viewers)
        ]
        self._journals = [EventJournal(folder / f"client-{n}.jsonl") for n in range(len(viewers))]
        self._connections = [EventConnection(population, port=port) for _ in viewers]
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(len(viewers))

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
        """How many batches were acknowledged so far. Raises what ended a client early."""
        for working in self._working:
            if working.done():
                working.result()
        return sum(journal.acknowledged for journal in self._journals)

    def everybody_again(self) -> Callable[[], bool]:
        """A condition: every client was acknowledged since this call, and not only once."""
        before = [journal.acknowledged for journal in self._journals]

        def have_all() -> bool:
            self.acknowledged()
            now = [journal.acknowledged for journal in self._journals]
            return all(after >= first + 2 for first, after in zip(before, now, strict=True))

        return have_all

    def failures(self) -> str:
        """The last that went wrong for each client."""
        return "\n".join(filter(None, (each.last_failure for each in self._connections)))

    def unexpected(self) -> list[str]:
        """Answers that no client should ever see."""
        return list(itertools.chain.from_iterable(each.unexpected for each in self._connections))

    def _work(
        self, way: Iterator[SentBatch], journal: EventJournal, connection: EventConnection
    ) -> None:
        for sent in way:
            journal.intend(sent)
            while (body := connection.report(sent)) is None:
                if self._stopping.wait(_PAUSE_SECONDS):
                    return
            journal.acknowledge(sent, body)
            if self._stopping.wait(_REST_SECONDS):
                return


def report_again(
    reports: Sequence[Report], population: Population, *, port: int, folder: Path
) -> None:
    """Send every batch once more, and note what is answered: unknown outcomes are resolved, and
    known ones must be answered as they were. Raises AssertionError when one stays unanswered.
    """

    def ask(number: int) -> None:
        connection = EventConnection(population, port=port)
        with EventJournal(folder / f"again-{number}.jsonl") as journal:
            try:
                for report in reports[number::CLIENTS]:
                    journal.acknowledge(report.sent, _insist(connection, report.sent))
            finally:
                connection.close()
        assert not connection.unexpected, connection.unexpected[:5]

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, range(CLIENTS)))


def _insist(connection: EventConnection, sent: SentBatch) -> bytes:
    deadline = time.monotonic() + SETTLE_SECONDS
    while (body := connection.report(sent)) is None:
        assert time.monotonic() < deadline, f"no answer: {connection.last_failure}"
        time.sleep(_PAUSE_SECONDS)
    return body
