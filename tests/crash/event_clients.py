"""Clients that report events, in batches that stay the same bytes."""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec

from config import clock
from tests.crash import crowd
from tests.crash.crowd import Client, Connection, Crowd
from tests.crash.event_journal import EventJournal, Report, SentBatch
from tests.crash.seed import Population, SeededViewer
from tests.factories.events import app_open, batch

CLIENTS = 6

EventLoad = Crowd[SentBatch, SentBatch]


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


class Reporting(Connection[SentBatch]):
    """Hands batches in, in their viewers' names."""

    def __init__(self, population: Population, *, port: int) -> None:
        super().__init__(port=port)
        self._tokens = {viewer.id: viewer.token for viewer in population.viewers}

    def wire(self, request: SentBatch) -> tuple[str, bytes, Mapping[str, str]]:
        """The same bytes each time."""
        headers = {"Authorization": f"Bearer {self._tokens[request.viewer_id]}"}
        return "/v1/events", request.body.encode(), headers


def load(
    population: Population,
    *,
    size: int,
    seed: int,
    port: int,
    folder: Path,
    rest_seconds: float,
) -> EventLoad:
    """Everybody who reports, with their journals in a folder."""
    folder.mkdir(parents=True)
    return Crowd(
        [
            Client(
                batches(
                    viewer,
                    size=size,
                    chance=random.Random(f"{seed}-{n}-{folder.name}"),  # noqa: S311
                ),
                EventJournal(folder / f"client-{n}.jsonl"),
                Reporting(population, port=port),
            )
            for n, viewer in enumerate(population.viewers[:CLIENTS])
        ],
        rest_seconds=rest_seconds,
    )


def report_again(
    reports: Sequence[Report], population: Population, *, port: int, folder: Path
) -> None:
    """Send every batch once more. Raises AssertionError as `crowd.ask_again`."""
    crowd.ask_again(
        [report.sent for report in reports],
        connect=lambda: Reporting(population, port=port),
        journal=EventJournal,
        folder=folder,
        clients=CLIENTS,
    )
