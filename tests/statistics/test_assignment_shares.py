"""Viewers fall to arms by their shares, and to the arms of two layers as if they knew nothing of each other.

Every test below is wrong about a hash that is right once in a million runs: ALPHA.
"""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest
from scipy import stats

from tests.proof import Proof
from viewers.experiments import hashing
from viewers.models.experiments import WHOLE

ALPHA = 1e-6
VIEWERS = 1_000_000
THIRDS = (333_334, 333_333, 333_333)
UNEVEN = (900_000, 70_000, 20_000, 10_000)


def viewers(proof: Proof) -> Sequence[UUID]:
    """Ids that differ by one: whatever the hash does not mix would show."""
    first = proof.seed << 80 | 0x7000 << 64 | 0x8 << 60
    return [UUID(int=first + number) for number in range(proof.rounds(full=VIEWERS))]


def z_of(count: int, total: int, share: int) -> float:
    """How many standard errors a count is from its share."""
    chance = share / WHOLE
    return float((count - total * chance) / np.sqrt(total * chance * (1 - chance)))


def within(z: float, *, comparisons: int) -> bool:
    """Two-sided, at ALPHA for all the comparisons together."""
    return abs(z) < float(stats.norm.isf(ALPHA / 2 / comparisons))


@pytest.mark.parametrize("shares", [THIRDS, UNEVEN], ids=["thirds", "uneven"])
def test_every_arm_gets_its_share(proof: Proof, shares: Sequence[int]) -> None:
    ids = viewers(proof)
    counted = Counter(hashing.chosen(f"shares-{proof.seed}", one, shares) for one in ids)
    counts = [counted[place] for place in range(len(shares))]

    assert sum(counts) == len(ids)
    for count, share in zip(counts, shares, strict=True):
        assert within(z_of(count, len(ids), share), comparisons=len(shares))
    expected = [len(ids) * share / WHOLE for share in shares]
    assert stats.chisquare(counts, expected).pvalue > ALPHA
    proof.record(
        "P25", f"viewers, over arms of {', '.join(map(str, shares))} in a million", violations=0
    )


def test_layers_know_nothing_of_each_other(proof: Proof) -> None:
    """Nor does an experiment's salt of its layer's: within a slice the arms keep their shares."""
    ids = viewers(proof)
    table = np.zeros((len(THIRDS), len(UNEVEN)), dtype=np.int64)
    in_slice: Counter[int | None] = Counter()
    for one in ids:
        first = hashing.chosen(f"one-{proof.seed}", one, THIRDS)
        second = hashing.chosen(f"other-{proof.seed}", one, UNEVEN)
        table[first, second] += 1
        if second == 1:
            in_slice[first] += 1

    assert stats.chi2_contingency(table).pvalue > ALPHA
    total = sum(in_slice.values())
    assert within(z_of(total, len(ids), UNEVEN[1]), comparisons=1)
    for place, share in enumerate(THIRDS):
        assert within(z_of(in_slice[place], total, share), comparisons=len(THIRDS))
    proof.record("P25", "viewers, over the arms of two layers", violations=0)


def test_these_tests_see_one_part_in_two_hundred() -> None:
    """What they would say of arms of 50.5 % and 49.5 %, were they meant to be halves."""
    assert not within(z_of(505_000, VIEWERS, 500_000), comparisons=2)
    assert within(z_of(502_000, VIEWERS, 500_000), comparisons=2)
