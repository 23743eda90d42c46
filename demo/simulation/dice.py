"""Chance that can be repeated: every decision has dice of its own, named after what it decides.

A viewer whose feed came out differently draws other titles from the same dice, and nobody else's
luck changes by it: only what the service itself draws differs between two runs of a seed.
"""

import hashlib
from collections.abc import Mapping
from random import Random
from typing import TypeVar

Key = TypeVar("Key")


def named(*parts: object) -> Random:
    """Dice for one purpose: the same parts give the same numbers on every machine."""
    name = "/".join(map(str, parts))
    return Random(hashlib.sha256(name.encode()).digest())  # noqa: S311  variety, not secrecy


def chosen(dice: Random, weights: Mapping[Key, float]) -> Key:
    """One of the keys, each by its weight."""
    return dice.choices(list(weights), weights=list(weights.values()))[0]


def happens(dice: Random, probability: float) -> bool:
    """True with that probability."""
    return dice.random() < probability
