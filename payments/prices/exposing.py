"""The moments at which an experiment on prices parts its viewers."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from payments.prices import pricing
from payments.prices.pricing import Price
from viewers.experiments import exposures


@dataclass(frozen=True)
class Parting:
    """The episode numbers that do not cost the same in every arm: some of them, and perhaps all after."""

    numbers: frozenset[int]
    after: int | None

    def meets(self, number: int) -> bool:
        return number in self.numbers or (self.after is not None and number > self.after)


def expose(
    price: Price, *, viewer_id: UUID, environment: str, numbers: Collection[int], now: datetime
) -> None:
    """The viewer is about to learn what these episodes cost: keeps of which experiments that tells.

    In every arm, the control too, and only where one of these episodes costs something else in another arm.
    Costs nothing for who is in no experiment or was exposed before.
    """
    parted = [
        fork.assigned
        for fork in price.forks
        if any(map(parting(price.version_id, fork.alternatives).meets, numbers))
    ]
    exposures.expose(viewer_id=viewer_id, environment=environment, assigned=parted, now=now)


@lru_cache(maxsize=4096)
def parting(version_id: UUID, alternatives: tuple[tuple[UUID, ...], ...]) -> Parting:
    """Where the prices of a version part under alternatives. For good, as ladders are."""
    ladders = {pricing.ladder(version_id, adjustment_ids) for adjustment_ids in alternatives}
    spelled_out = max(len(ladder.prices) for ladder in ladders)
    return Parting(
        numbers=frozenset(
            number
            for number in range(1, spelled_out + 1)
            if len({ladder.price_of(number) for ladder in ladders}) > 1
        ),
        after=spelled_out if len({ladder.price_after for ladder in ladders}) > 1 else None,
    )
