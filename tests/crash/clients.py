"""Clients that unlock episodes, each with a key for what it wants."""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.crash import crowd
from tests.crash.crowd import Client, Connection, Crowd
from tests.crash.journal import Call, Errand, Journal
from tests.crash.seed import Population

CLIENTS = 8


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


class Unlocking(Connection[Call]):
    """Asks for episodes in their viewers' names."""

    def __init__(self, population: Population, *, port: int) -> None:
        super().__init__(port=port)
        self._viewers = {viewer.id: viewer for viewer in population.viewers}

    def wire(self, request: Call) -> tuple[str, bytes, Mapping[str, str]]:
        """The same key and the same body each time."""
        viewer = self._viewers[request.viewer_id]
        headers = {"Authorization": f"Bearer {viewer.token}", "Idempotency-Key": request.key}
        path = f"/v1/episodes/{request.episode_id}/unlock"
        return path, f'{{"quote":"{viewer.quote}"}}'.encode(), headers


def load(
    population: Population, ways: Sequence[Iterator[Errand]], *, port: int, folder: Path
) -> Crowd[Errand, Call]:
    """Everybody who unlocks, with their journals in a folder."""
    folder.mkdir(parents=True)
    return Crowd(
        [
            Client(way, Journal(folder / f"client-{n}.jsonl"), Unlocking(population, port=port))
            for n, way in enumerate(ways)
        ]
    )


def ask_again(calls: Sequence[Call], population: Population, *, port: int, folder: Path) -> None:
    """Send every call once more with its own key. Raises AssertionError as `crowd.ask_again`."""
    crowd.ask_again(
        calls,
        connect=lambda: Unlocking(population, port=port),
        journal=Journal,
        folder=folder,
        clients=CLIENTS,
    )
