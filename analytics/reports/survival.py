"""Life tables: the hazard of leaving at each beat, and who is still there after it.

n at risk, d exits and c censored (or gone by another door) give n' = n − c ÷ 2, h = d ÷ n' and
S = Π(1 − h), with Greenwood's variance of log S and an interval on the scale of log(−log S).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

#: The 97.5 % point of the normal distribution.
_Z = 1.959963984540054
_HALF_ALPHA = 0.025


@dataclass(frozen=True)
class Step:
    """Those at risk in one beat, how many exited in it, and how many left it uncounted."""

    at_risk: int
    exits: int
    censored: int

    @property
    def exposed(self) -> float:
        """n': whoever left uncounted was there for half of it."""
        return self.at_risk - self.censored / 2


@dataclass(frozen=True)
class Point:
    """The hazard of a beat and the survival after it; None where there is nothing to say."""

    hazard: float | None
    survival: float | None
    low: float | None
    high: float | None


def curve(steps: Iterable[Step]) -> Sequence[Point]:
    """One point a step, in order. A step that nobody is at risk in says nothing, and costs nobody."""
    points: list[Point] = []
    survival, variance = 1.0, 0.0
    for step in steps:
        if not step.at_risk:
            points.append(Point(None, None, None, None))
            continue
        leaving = step.exits / step.exposed
        survival *= 1 - leaving
        if step.exits < step.exposed:
            variance += step.exits / (step.exposed * (step.exposed - step.exits))
        points.append(Point(leaving, survival, *_interval(survival, variance, step.exposed)))
    return points


def hazard(step: Step) -> float | None:
    """d ÷ n' alone, for another way out than the one that the curve counts."""
    return step.exits / step.exposed if step.at_risk else None


def _interval(survival: float, variance: float, exposed: float) -> tuple[float, float | None]:
    if survival == 1:
        return _HALF_ALPHA ** (1 / exposed), 1.0
    if survival == 0:
        return 0.0, None  # nobody is left, and Greenwood's variance has no value
    width = _Z * sqrt(variance) / abs(log(survival))
    return survival ** exp(width), survival ** exp(-width)
