"""Drawing slots without replacement, so that the logged propensity is exactly the draw's own.

Odds are whole numbers: taking a candidate out subtracts its own and leaves the others untouched, so
that conditional probabilities are exact to the last bit however many were drawn before. They are
kept as bytes and one array, for each process holds those of the whole catalog.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from random import Random
from uuid import UUID

#: Of every probability, this much is spread evenly over the candidates: each may be drawn.
EXPLORATION = 0.05

#: What all candidates together count for, about. A float holds 53 bits, so little is rounded away.
_WHOLE = 2**52
_ID_BYTES = 16
#: How often, on average, a ticket of a taken candidate may be drawn before it is quicker to count.
_PATIENCE = 32


@dataclass(frozen=True)
class Drawn:
    """A series in a slot, and the probability with which this slot drew it."""

    series_id: UUID
    propensity: float


@dataclass(frozen=True)
class Odds:
    """Candidates by ascending id, and a number of tickets for each: at least 1.

    `bounds` says after how many tickets each candidate's end.
    """

    ids: bytes
    bounds: Sequence[int]

    def __len__(self) -> int:
        return len(self.bounds)

    @property
    def total(self) -> int:
        """The tickets of all candidates."""
        return self.bounds[-1] if self.bounds else 0

    def id_at(self, place: int) -> UUID:
        """The candidate in that place."""
        return UUID(bytes=self._bytes_at(place))

    def odds_at(self, place: int) -> int:
        """How many tickets it holds."""
        return self.bounds[place] - (self.bounds[place - 1] if place else 0)

    def holder(self, ticket: int) -> int:
        """The place of the candidate whose ticket it is, of `total` tickets from 0."""
        return bisect_right(self.bounds, ticket)

    def places(self, series_ids: Collection[UUID]) -> set[int]:
        """Where those are; what is no candidate has no place."""
        every, sought = range(len(self)), [series_id.bytes for series_id in series_ids]
        found = [(key, bisect_left(every, key, key=self._bytes_at)) for key in sought]
        return {place for key, place in found if self._bytes_at(place) == key}

    def ids_without(self, places: Collection[int]) -> bytes:
        """The ids of the other candidates, in order."""
        cuts = [-1, *sorted(places), len(self)]
        return b"".join(
            self.ids[_ID_BYTES * (first + 1) : _ID_BYTES * last] for first, last in pairwise(cuts)
        )

    def _bytes_at(self, place: int) -> bytes:
        return self.ids[_ID_BYTES * place : _ID_BYTES * (place + 1)]


def mixed(candidates: Collection[UUID], probabilities: Mapping[UUID, float]) -> Odds:
    """Odds by a table over the candidates of today.

    A candidate that the table does not know gets the share that exploration would give it, and none
    gets less. What the table knows and is no candidate counts for nothing.
    """
    ordered = sorted(candidates)
    least = EXPLORATION / len(ordered) if ordered else 0.0
    if not any(probabilities.get(series_id) for series_id in ordered):
        probabilities = {}
    shares = [max(probabilities.get(series_id, 0.0), least) for series_id in ordered]
    scale = _WHOLE / (sum(shares) or 1.0)
    odds = accumulate(max(round(share * scale), 1) for share in shares)
    return Odds(b"".join(series_id.bytes for series_id in ordered), array("Q", odds))


def draw(
    odds: Odds, *, count: int, source: Random, without: Collection[int] = ()
) -> Sequence[Drawn]:
    """Up to `count` slots in order, each drawn from what the slots before it left.

    The places `without` are taken already. A slot costs no more in a large catalog than in a small
    one, as long as most of the tickets are still in.
    """
    drawn: list[Drawn] = []
    taken = set(without)
    left = odds.total - sum(map(odds.odds_at, taken))
    while left and len(drawn) < count:
        place = _next(odds, taken, left, source)
        own = odds.odds_at(place)
        drawn.append(Drawn(odds.id_at(place), own / left))
        taken.add(place)
        left -= own
    return drawn


def _next(odds: Odds, taken: Collection[int], left: int, source: Random) -> int:
    """A place that is not taken, each by its share of the tickets that are left."""
    if left * _PATIENCE >= odds.total:
        while (place := odds.holder(source.randrange(odds.total))) in taken:
            continue
        return place
    ticket = source.randrange(left)
    for place in range(len(odds)):
        ticket -= 0 if place in taken else odds.odds_at(place)
        if ticket < 0:
            return place
    raise AssertionError  # there are more tickets left than the number that was drawn
