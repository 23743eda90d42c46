"""Clients that buy coins and unlock episodes, each with a key for what it wants."""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from config import clock
from payments.providers.fake.store import FakeStore
from tests.crash import crowd
from tests.crash.crowd import Client, Connection, Crowd
from tests.crash.journal import Call, Errand, Journal, Purchase, Unlock
from tests.crash.seed import NEWCOMERS, Population

CLIENTS = 8


class Shop:
    """The store's side of a sale, with the instance's own key."""

    def __init__(self, population: Population) -> None:
        key = load_pem_private_key(population.store_key.encode(), password=None)
        assert isinstance(key, EllipticCurvePrivateKey)
        self._store = FakeStore(key)
        self._product = population.product

    def sell(self, viewer_id: UUID, *, transaction_id: str) -> Purchase:
        """Coins that the viewer has paid for and not been credited with."""
        signed = self._store.sell(
            product_id=self._product.store_product_id,
            account_token=viewer_id,
            price_micros=self._product.price_micros,
            currency=self._product.currency,
            environment="production",
            now=clock.read(),
            transaction_id=transaction_id,
        )
        return Purchase(viewer_id, transaction_id, signed)


def errands(population: Population, *, client: int, seed: int) -> Iterator[Errand]:
    """What one client goes through, once. Clients come in pairs that walk through the same errands,
    and now and then a client asks twice with another key, so that each episode of a viewer is
    fought over by several keys, and each store transaction handed in by several calls. Raises
    AssertionError when everything is unlocked.
    """
    hasty = random.Random(f"{seed}-{client}")  # noqa: S311  repeatable by its seed
    pair, pairs = client // 2, CLIENTS // 2
    for number in range(pair, len(population.viewers), pairs):
        for errand in _of_viewer(population, number):
            for _ in range(2 if hasty.random() < 0.1 else 1):
                yield errand
    raise AssertionError("the seed has too few viewers for so many rounds")


def _of_viewer(population: Population, number: int) -> Iterator[Errand]:
    """All episodes, and in between purchases of the viewer's and of newcomers who have no wallet."""
    shop, viewer = Shop(population), population.viewers[number]
    newcomers = population.newcomers[number * NEWCOMERS : (number + 1) * NEWCOMERS]
    step = len(population.locked_episode_ids) // NEWCOMERS
    for place, episode_id in enumerate(population.locked_episode_ids):
        yield Unlock(viewer.id, episode_id)
        if place % step == 0 and place // step < NEWCOMERS:
            newcomer = newcomers[place // step]
            yield shop.sell(newcomer.id, transaction_id=f"crash-{newcomer.id}")
        if place % step == step // 2:
            yield shop.sell(viewer.id, transaction_id=f"crash-{viewer.id}-{place}")


class Customer(Connection[Call]):
    """Asks for what moves coins, in its viewers' names."""

    def __init__(self, population: Population, *, port: int) -> None:
        super().__init__(port=port)
        self._viewers = {
            viewer.id: viewer for viewer in (*population.viewers, *population.newcomers)
        }

    def wire(self, request: Call) -> tuple[str, bytes, Mapping[str, str]]:
        """The same key and the same body each time."""
        viewer = self._viewers[request.errand.viewer_id]
        headers = {"Authorization": f"Bearer {viewer.token}"}
        match request.errand:
            case Unlock(episode_id=episode_id):
                body = msgspec.json.encode({"quote": viewer.quote})
                headers["Idempotency-Key"] = request.key
                return f"/v1/episodes/{episode_id}/unlock", body, headers
            case Purchase(signed=signed):
                return "/v1/purchases/fake", msgspec.json.encode({"transaction": signed}), headers


def load(
    population: Population,
    ways: Sequence[Iterator[Errand]],
    *,
    port: int,
    folder: Path,
    rest_seconds: float,
) -> Crowd[Errand, Call]:
    """Everybody who buys and unlocks, with their journals in a folder."""
    folder.mkdir(parents=True)
    return Crowd(
        [
            Client(way, Journal(folder / f"client-{n}.jsonl"), Customer(population, port=port))
            for n, way in enumerate(ways)
        ],
        rest_seconds=rest_seconds,
    )


def ask_again(calls: Sequence[Call], population: Population, *, port: int, folder: Path) -> None:
    """Send every call once more with its own key. Raises AssertionError as `crowd.ask_again`."""
    crowd.ask_again(
        calls,
        connect=lambda: Customer(population, port=port),
        journal=Journal,
        folder=folder,
        clients=CLIENTS,
    )
