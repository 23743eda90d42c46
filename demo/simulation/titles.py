"""What the titles are really worth. Nobody but the simulation knows; ranking has to find out.

The beats of a serial are read from its own files, as the pipeline knows the scripts it wrote: the
public API does not tell them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from demo import catalog
from demo.answers import Episode
from demo.catalog import Beat, Serial
from demo.simulation import dice
from demo.simulation.population import Person

#: Of those who are in a beat, how many leave in it, in an average episode of an average title.
HAZARDS = {"hook": 0.06, "setup": 0.045, "turn": 0.025, "reveal": 0.015, "cliffhanger": 0.012}
FIRST_HOOK = 2.2
"""How much likelier a stranger leaves the first episode's hook."""


@dataclass(frozen=True)
class Truth:
    """What a title does to viewers; 1 is the average of each.

    `worth` is what the rest was drawn around: titles in its order earn more per start, roughly.
    """

    worth: float
    appeal: float
    """How much its poster and name draw."""

    weariness: float
    """Multiplies the hazard of every beat."""

    weak_hook: float
    """Multiplies that of hooks again: some serials open badly."""

    pull: float
    """How strongly its cliffhangers want to be resolved."""


@dataclass(frozen=True)
class Script:
    """A series of the service, with what its serial's files say of it."""

    series_id: str
    external_id: str
    genre: str
    truth: Truth
    episodes: Sequence[Episode]
    beats: Sequence[Sequence[Beat]]
    """Of each episode, in the same order."""


def truth(seed: int, external_id: str) -> Truth:
    """The same for a seed and a title, always."""
    roll = dice.named(seed, "title", external_id)
    worth = roll.gauss(0, 1)
    return Truth(
        worth=worth,
        appeal=math.exp(0.35 * worth + roll.gauss(0, 0.35)),
        weariness=math.exp(-0.30 * worth + roll.gauss(0, 0.12)),
        weak_hook=roll.choice((0.8, 1.0, 2.0)),
        pull=math.exp(0.40 * worth + roll.gauss(0, 0.15)),
    )


def script(seed: int, serial: Serial, *, series_id: str, episodes: Sequence[Episode]) -> Script:
    """What is known of a series: `episodes` as the service answers them, by number."""
    chapters = {chapter.number: chapter for chapter in serial.chapters}
    return Script(
        series_id=series_id,
        external_id=serial.external_id,
        genre=serial.genre,
        truth=truth(seed, serial.external_id),
        episodes=episodes,
        beats=[catalog.beats(serial, chapters[episode.number]) for episode in episodes],
    )


def hazard(script: Script, person: Person, beat: Beat, *, number: int) -> float:
    """How likely this viewer leaves in this beat of the episode by that number."""
    base = HAZARDS[beat.kind] * script.truth.weariness * person.impatience
    if beat.kind == "hook":
        base *= script.truth.weak_hook * (FIRST_HOOK if number == 1 else 1)
    return min(base, 0.9)


def taste(seed: int, person: Person, script: Script) -> float:
    """How much a title attracts this viewer: its appeal, their genre, and what nobody can explain."""
    genre = dice.named(seed, "genre", person.number, script.genre).gauss(0, 0.6)
    whim = dice.named(seed, "whim", person.number, script.external_id).gauss(0, 0.7)
    return math.log(script.truth.appeal) + genre + whim


def mood(seed: int, person: Person, script: Script, *, visit: int) -> float:
    """What changes from one visit to the next."""
    roll = dice.named(seed, "mood", person.number, visit, script.external_id)
    return -math.log(-math.log(roll.uniform(1e-9, 1 - 1e-9)))


def resolve(script: Script) -> float:
    """How likely one who has seen an episode to its end wants the next one at once."""
    return min(0.9 + 0.05 * script.truth.pull, 0.985)
