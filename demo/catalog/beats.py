"""What happens inside a chapter's clip, and when: the beats that beat analytics report on."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.catalog.serial import Chapter, Serial

KINDS = ("hook", "setup", "turn", "reveal", "cliffhanger")
EMOTIONS = ("curiosity", "dread", "fear", "hope", "relief", "surprise", "tension", "wonder")

# Beats start and end on this grid, which is a whole number of frames at twelve a second.
GRID_MS = 250
SHORTEST_MS = 6_000
LONGEST_MS = 10_000

_PLOTS = (
    ("hook", "turn", "cliffhanger"),
    ("hook", "setup", "turn", "cliffhanger"),
    ("hook", "setup", "reveal", "cliffhanger"),
    ("hook", "setup", "turn", "reveal", "cliffhanger"),
    ("hook", "setup", "reveal", "turn", "cliffhanger"),
    ("hook", "turn", "setup", "reveal", "turn", "cliffhanger"),
)
_MOODS = {
    "hook": ("curiosity", "wonder", "dread"),
    "setup": ("curiosity", "hope", "wonder"),
    "turn": ("tension", "fear", "surprise"),
    "reveal": ("surprise", "relief", "wonder", "dread"),
    "cliffhanger": ("dread", "fear", "tension"),
}


@dataclass(frozen=True, slots=True)
class Beat:
    """A stretch of the clip, from `start_ms` up to but not including `end_ms`."""

    start_ms: int
    end_ms: int
    kind: str
    emotion: str
    hook: str
    prompt_ref: str


def duration_ms(serial: Serial, chapter: Chapter) -> int:
    """Return how long the chapter's clip runs: 6 to 10 seconds, fixed by serial and number."""
    steps = (LONGEST_MS - SHORTEST_MS) // GRID_MS
    return SHORTEST_MS + GRID_MS * _dice(serial, chapter, "duration").randint(0, steps)


def beats(serial: Serial, chapter: Chapter) -> tuple[Beat, ...]:
    """Return the clip's beats: contiguous, from 0 to `duration_ms`, ending on the cliffhanger.

    The same serial and number give the same beats on every machine and in every run.
    """
    dice = _dice(serial, chapter, "beats")
    plot = dice.choice(_PLOTS)
    cuts = _cuts(dice, plot, duration_ms(serial, chapter))
    last = len(plot) - 1
    return tuple(
        Beat(
            start_ms=cuts[index],
            end_ms=cuts[index + 1],
            kind=kind,
            emotion=dice.choice(_MOODS[kind]),
            hook=chapter.hook if index == last else "",
            prompt_ref=f"serial/{serial.external_id}/{chapter.number}/{index + 1}",
        )
        for index, kind in enumerate(plot)
    )


def _cuts(dice: random.Random, plot: Sequence[str], total_ms: int) -> list[int]:
    # The opening and the cliffhanger need time on screen; the rest share what is left.
    weights = [
        dice.uniform(1.6, 2.1) if kind in {"hook", "cliffhanger"} else dice.uniform(0.7, 1.3)
        for kind in plot
    ]
    cuts = [0]
    for index in range(1, len(plot)):
        share = sum(weights[:index]) / sum(weights)
        cuts.append(round(total_ms * share / GRID_MS) * GRID_MS)
    return [*cuts, total_ms]


def _dice(serial: Serial, chapter: Chapter, purpose: str) -> random.Random:
    name = f"{serial.external_id}/{chapter.number}/{purpose}"
    return random.Random(hashlib.sha256(name.encode()).digest())  # noqa: S311 - variety, not secrecy
