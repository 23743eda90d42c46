"""How often each title deserves the slot: the share of joint draws in which it is the best."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from analytics.ranking.posterior import DRAWS, Draws

#: What is spread evenly, so that every candidate may be drawn and its propensity is never 0.
EXPLORATION = 0.05

Key = TypeVar("Key")


def probabilities(candidates: Iterable[tuple[Key, Draws]]) -> Mapping[Key, float]:
    """(1 − ε)·p + ε ÷ K for each candidate, p its share of the draws it wins; in sum 1.

    Draws are looked at one candidate at a time: a large catalog's do not fit in memory together.
    """
    keys: list[Key] = []
    best = np.full(DRAWS, -np.inf)
    winner: NDArray[np.int64] = np.zeros(DRAWS, dtype=np.int64)
    for place, (key, draws) in enumerate(candidates):
        keys.append(key)
        winner[draws > best] = place
        best = np.maximum(best, draws)
    wins = np.bincount(winner, minlength=len(keys))
    return {
        key: (1 - EXPLORATION) * int(won) / DRAWS + EXPLORATION / len(keys)
        for key, won in zip(keys, wins, strict=False)
    }
