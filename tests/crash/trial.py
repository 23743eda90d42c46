"""Rounds of load, death and audit on one instance."""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from tests.crash import audit, clients, failpoints, journal
from tests.crash.clients import CLIENTS
from tests.crash.crowd import Crowd
from tests.crash.failpoints import Point
from tests.crash.instance import Instance
from tests.crash.journal import Call
from tests.crash.seed import Population
from tests.crash.victims import IsBack, Victim
from tests.crash.violations import Violation

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Death:
    """Who is to die, and at which point; without one, at a random moment."""

    victim: Victim
    point: Point | None

    def __str__(self) -> str:
        return f"{self.victim.name} {self.point.name if self.point else 'at a random moment'}"


def deaths(victim: Victim, *, times: int, chance: Random) -> list[Death]:
    """So many deaths of a victim, at points of which none is struck twice. Of several a quarter, and
    one at least, fall at random moments."""
    at_points = min(len(victim.points), times - max(times // 4, int(times > 1)))
    points: list[Point | None] = [*chance.sample(victim.points, at_points)]
    return [Death(victim, point) for point in points + [None] * (times - at_points)]


class Trial:
    """What clients were told on one instance, through any number of deaths."""

    def __init__(
        self,
        instance: Instance,
        *,
        population: Population,
        seed: int,
        folder: Path,
        rest_seconds: float,
    ) -> None:
        self.instance = instance
        self.chance = Random(seed)  # noqa: S311  repeatable by its seed
        self.seconds_by_victim: defaultdict[str, float] = defaultdict(float)
        self.found_by_victim: Counter[str] = Counter()
        self.found: list[Violation] = []
        self.lost_answers = 0
        self._population = population
        self._folder = folder
        self._rest_seconds = rest_seconds
        self._rounds = 0
        self._calls: defaultdict[UUID, list[Call]] = defaultdict(list)
        self._initial_coins = {
            viewer.id: viewer.coins for viewer in (*population.viewers, *population.newcomers)
        }
        self._ways = [
            clients.errands(population, client=client, seed=seed) for client in range(CLIENTS)
        ]

    def round(self, death: Death) -> list[Violation]:
        """Kill the victim under load, see it come back, and audit. Returns new violations."""
        self._rounds += 1
        started = time.monotonic()
        folder = self._folder / f"round-{self._rounds:04d}"
        unexpected = self._kill_under_load(death, folder)
        # First what is there, then what a repetition brings: that could replace what was lost.
        calls = journal.read(folder)
        found = [*unexpected, *self._audit(calls)]
        clients.ask_again(calls, self._population, port=self.instance.port, folder=folder)
        calls = journal.read(folder)
        found += self._audit(calls)
        for call in calls:
            self._calls[call.errand.viewer_id].append(call)
        new = [violation for violation in dict.fromkeys(found) if violation not in self.found]
        self.found += new
        self.found_by_victim[death.victim.name] += len(new)
        self.seconds_by_victim[death.victim.name] += time.monotonic() - started
        return new

    def violations_at_the_end(self) -> list[Violation]:
        """What holds of all rounds together: every call and viewer anew, and the whole ledger."""
        calls = [call for calls in self._calls.values() for call in calls]
        found = audit.facts(self.instance, self._initial_coins)
        log.info(
            "%d calls, %d unlocks, %d purchases",
            len(calls),
            len(found.unlocks.rows),
            len(found.purchases.rows),
        )
        broken = audit.violations(calls, found, initial_coins=self._initial_coins)
        return [*broken, *self._ledger_violations()]

    def _ledger_violations(self) -> list[Violation]:
        """What re-adding the whole ledger finds."""
        said = self.instance.run("manage.py", "verify_ledger", check=False).decode()
        if "rules hold" in said:
            return []
        return [Violation("the ledger's rules hold", line) for line in said.splitlines()] or [
            Violation("the ledger's rules hold", "verify_ledger failed")
        ]

    def _kill_under_load(self, death: Death, folder: Path) -> list[Violation]:
        instance, name = self.instance, death.victim.name
        with clients.load(
            self._population,
            self._ways,
            port=instance.port,
            folder=folder,
            rest_seconds=self._rest_seconds,
        ) as load:
            try:
                instance.wait_until(load.everybody_again(), "every client is at work")
                is_back = self._strike(death, load)
                back_seconds = instance.wait_until(is_back, f"{name} is back")
                again_seconds = instance.wait_until(
                    load.everybody_again(), f"every client is served after {name} died"
                )
            except AssertionError as error:
                raise AssertionError(f"{death}: {error}\n--- clients\n{load.failures()}") from error
            self.lost_answers += load.lost_answers()
            log.info(
                "round %d: %s; back after %.1f s, everybody served %.1f s later;"
                " %d calls, %d of them with a lost answer",
                self._rounds,
                death,
                back_seconds,
                again_seconds,
                load.acknowledged(),
                load.lost_answers(),
            )
        rule = "a service in trouble answers 503 or 409 with Retry-After"
        return [Violation(rule, answer) for answer in load.unexpected()]

    def _strike(self, death: Death, load: Crowd[Any, Any]) -> IsBack:
        victim = death.victim
        if death.point is None:
            time.sleep(self.chance.uniform(0, 0.4))
            return victim.strike(self.instance, load, self.chance)
        assert victim.strike_at is not None
        with failpoints.reached(self.instance, death.point) as session:
            return victim.strike_at(self.instance, load, self.chance, session)

    def _audit(self, calls: Sequence[Call]) -> list[Violation]:
        """Everything that was ever asked for the viewers of these calls, which are new."""
        touched = {call.errand.viewer_id for call in calls}
        earlier = [call for viewer_id in touched for call in self._calls[viewer_id]]
        return list(
            audit.violations(
                [*earlier, *calls],
                audit.facts(self.instance, touched),
                initial_coins={viewer_id: self._initial_coins[viewer_id] for viewer_id in touched},
            )
        )
