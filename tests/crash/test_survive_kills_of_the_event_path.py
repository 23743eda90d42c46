"""Whatever is killed, every acknowledged event gets into the lake by itself, and counts once."""

import dataclasses
import logging
import time
from pathlib import Path
from random import Random

from tests.crash import crowd, event_audit, event_clients, event_journal
from tests.crash.event_clients import EventLoad
from tests.crash.flusher_victims import EVENT_VICTIMS
from tests.crash.instance import Instance
from tests.crash.victims import Victim
from tests.proof import Proof

log = logging.getLogger(__name__)

DRAIN_SECONDS = 60.0
FULL_EVENTS = 200_000
EVENTS_PER_BATCH, FULL_EVENTS_PER_BATCH = 5, 50
#: How many the suite kills besides the last, once each, drawn by its seed.
SOME_VICTIMS = 1
#: In this order a worker has just connected again when the broker dies once more, and ends tasks
#: whose messages came by a connection that is gone.
LAST = ("the supervisor with all services", "both Redis processes")

#: It takes several flushes before there is something to merge: for full proofs alone.
SLOW = "the merger before the manifest"


def test_acknowledged_events_count_once_whatever_dies(
    instance: Instance, proof: Proof, tmp_path: Path
):
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    others = [victim for victim in EVENT_VICTIMS if victim.name not in {*LAST, SLOW}]
    kills = (
        {victim: victim.full_kills for victim in EVENT_VICTIMS}
        if proof.is_full
        else dict.fromkeys(chance.sample(others, SOME_VICTIMS), 1)
    )
    plan = [victim for victim, times in kills.items() for _ in range(times)]
    chance.shuffle(plan)
    plan += [_named(name) for name in LAST]
    size = FULL_EVENTS_PER_BATCH if proof.is_full else EVENTS_PER_BATCH
    folder, unexpected = tmp_path / "journal", []
    population, port = instance.population, instance.port
    with event_clients.load(
        population,
        size=size,
        seed=proof.seed,
        port=port,
        folder=folder,
        rest_seconds=crowd.FULL_REST_SECONDS if proof.is_full else crowd.REST_SECONDS,
    ) as load:
        for victim in plan:
            _kill(victim, instance, load, chance)
        while proof.is_full and load.acknowledged() * size < FULL_EVENTS:
            time.sleep(1)
        unexpected = load.unexpected()
    reports = event_journal.read(folder)
    event_clients.report_again(reports, population, port=port, folder=folder)
    drained = instance.wait_until(
        lambda: event_audit.is_drained(instance), "the inbox is drained", seconds=DRAIN_SECONDS
    )
    found = event_audit.facts(instance, reports)
    broken = list(event_audit.violations(event_journal.read(folder), found))

    log.info("%d batches, %d events, drained in %.1f s", len(reports), len(found.in_lake), drained)
    counted = dataclasses.replace(proof, count=len(found.in_lake) + sum(found.quarantined.values()))
    counted.record(
        "P13",
        f"Events acknowledged under {len(plan)} kills, the broker wiped {kills.get(_named('the broker, wiped'), 0)} times",
        violations=len(broken) + len(unexpected),
    )
    assert broken == []
    assert unexpected == []
    assert len(found.in_lake) > len(reports)


def _named(name: str) -> Victim:
    return next(victim for victim in EVENT_VICTIMS if victim.name == name)


def _kill(victim: Victim, instance: Instance, load: EventLoad, chance: Random) -> None:
    try:
        instance.wait_until(load.everybody_again(), "every client is at work")
        time.sleep(chance.uniform(0, 0.4))
        is_back = victim.strike(instance, load, chance)
        back_seconds = instance.wait_until(is_back, f"{victim.name} is back")
        instance.wait_until(
            load.everybody_again(), f"every client is served after {victim.name} died"
        )
    except AssertionError as error:
        raise AssertionError(f"{error}\n--- clients\n{load.failures()}") from error
    log.info("%s was back after %.1f s", victim.name, back_seconds)
