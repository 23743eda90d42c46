"""Rounds of load, death and audit on one instance."""

import logging
import time
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

from tests.crash import audit, clients, journal
from tests.crash.audit import Violation
from tests.crash.clients import CLIENTS
from tests.crash.instance import Instance
from tests.crash.victims import Victim

log = logging.getLogger(__name__)


class Trial:
    """What clients were told on one instance, through any number of deaths."""

    def __init__(self, instance: Instance, *, seed: int, folder: Path) -> None:
        self.instance = instance
        self.chance = Random(seed)  # noqa: S311  repeatable by its seed
        self.seconds_by_victim: defaultdict[str, float] = defaultdict(float)
        self.found_by_victim: Counter[str] = Counter()
        self.found: list[Violation] = []
        self.lost_answers = 0
        self._folder = folder
        self._rounds = 0
        self._initial_coins = {each.id: each.coins for each in instance.population.viewers}
        self._ways = [
            clients.errands(instance.population, client=client, seed=seed)
            for client in range(CLIENTS)
        ]

    def round(self, victim: Victim) -> list[Violation]:
        """Kill the victim under load, see it come back, and audit. Returns new violations."""
        self._rounds += 1
        started = time.monotonic()
        folder = self._folder / f"round-{self._rounds:04d}"
        unexpected = self._kill_under_load(victim, folder)
        # First what is there, then what a repetition brings: that could replace what was lost.
        found = [*unexpected, *self._audit()]
        clients.ask_again(
            journal.read(folder),
            self.instance.population,
            port=self.instance.port,
            folder=folder,
        )
        found += self._audit()
        new = [violation for violation in dict.fromkeys(found) if violation not in self.found]
        self.found += new
        self.found_by_victim[victim.name] += len(new)
        self.seconds_by_victim[victim.name] += time.monotonic() - started
        return new

    def ledger_violations(self) -> list[Violation]:
        """What re-adding the whole ledger finds."""
        said = self.instance.run("manage.py", "verify_ledger", check=False).decode()
        if "rules hold" in said:
            return []
        return [Violation("the ledger's rules hold", line) for line in said.splitlines()] or [
            Violation("the ledger's rules hold", "verify_ledger failed")
        ]

    def calls(self) -> int:
        """How many different requests were made."""
        return len(journal.read(self._folder))

    def _kill_under_load(self, victim: Victim, folder: Path) -> list[Violation]:
        instance = self.instance
        with clients.load(
            instance.population, self._ways, port=instance.port, folder=folder
        ) as load:
            try:
                instance.wait_until(load.everybody_again(), "every client is at work")
                time.sleep(self.chance.uniform(0, 0.4))
                is_back = victim.strike(instance, load, self.chance)
                back_seconds = instance.wait_until(is_back, f"{victim.name} is back")
                again_seconds = instance.wait_until(
                    load.everybody_again(), f"every client is served after {victim.name} died"
                )
            except AssertionError as error:
                raise AssertionError(f"{error}\n--- clients\n{load.failures()}") from error
            self.lost_answers += load.lost_answers()
            log.info(
                "round %d: %s was back after %.1f s, everybody served %.1f s later;"
                " %d unlocks, %d of them with a lost answer",
                self._rounds,
                victim.name,
                back_seconds,
                again_seconds,
                load.acknowledged(),
                load.lost_answers(),
            )
        rule = "a service in trouble answers 503 or 409 with Retry-After"
        return [Violation(rule, answer) for answer in load.unexpected()]

    def _audit(self) -> list[Violation]:
        return list(
            audit.violations(
                journal.read(self._folder),
                audit.facts(self.instance),
                initial_coins=self._initial_coins,
            )
        )
