"""Watching one episode: which stretches are played, what is jumped over, and where it ends.

Pure: beats, hazards and dice in, what a player would report out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from demo.catalog import Beat
from demo.simulation.dice import happens
from demo.simulation.population import Person

REPORT_MS = 10_000
"""A player reports at least this often while it plays."""


@dataclass(frozen=True)
class Step:
    """From one position to another, played or jumped."""

    from_ms: int
    to_ms: int
    is_played: bool


@dataclass(frozen=True)
class Viewing:
    """What was done with an episode. `position_ms` is where it was left."""

    steps: Sequence[Step]
    position_ms: int
    is_complete: bool

    @property
    def played_ms(self) -> int:
        """Milliseconds of story that were played, replays included."""
        return sum(step.to_ms - step.from_ms for step in self.steps if step.is_played)


def view(
    beats: Sequence[Beat], person: Person, *, hazard: Callable[[Beat], float], roll: Random
) -> Viewing:
    """One viewer before one episode, beat by beat: leave, skip, play on, go back."""
    steps: list[Step] = []
    for beat in beats:
        if beat.kind == "setup" and happens(roll, person.skips):
            steps.append(Step(beat.start_ms, beat.end_ms, is_played=False))
            continue
        if happens(roll, hazard(beat)):
            # Nobody leaves before half a second: the frame must have been seen.
            left_at = roll.randint(min(beat.start_ms + 500, beat.end_ms - 1), beat.end_ms - 1)
            steps.append(Step(beat.start_ms, left_at, is_played=True))
            return Viewing(_reported(steps), left_at, is_complete=False)
        steps.append(Step(beat.start_ms, beat.end_ms, is_played=True))
        if beat.kind == "reveal" and happens(roll, person.replays):
            steps.append(Step(beat.end_ms, beat.start_ms, is_played=False))
            steps.append(Step(beat.start_ms, beat.end_ms, is_played=True))
    return Viewing(_reported(steps), beats[-1].end_ms, is_complete=True)


def _reported(steps: Sequence[Step]) -> Sequence[Step]:
    """Stretches as a player tells them: joined where it played on, cut where it reports anyway."""
    joined: list[Step] = []
    for step in steps:
        last = joined[-1] if joined else None
        if last and last.is_played and step.is_played and last.to_ms == step.from_ms:
            joined[-1] = Step(last.from_ms, step.to_ms, is_played=True)
        else:
            joined.append(step)
    return [part for step in joined for part in _cut(step)]


def _cut(step: Step) -> Sequence[Step]:
    if not step.is_played:
        return [step]
    starts = range(step.from_ms, step.to_ms, REPORT_MS)
    return [Step(start, min(start + REPORT_MS, step.to_ms), is_played=True) for start in starts]
