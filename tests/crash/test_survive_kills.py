"""Whatever is killed, at random moments and at named points, it comes back by itself and every
acknowledged unlock and purchase is there, once. A Postgres that acknowledges before it writes is
caught by the same means.
"""

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash import crowd, schedule, trial
from tests.crash.audit import LOST
from tests.crash.failpoints import BEFORE_REPLY
from tests.crash.instance import Instance
from tests.crash.seed import Population
from tests.crash.trial import Trial
from tests.crash.victims import VICTIMS, Victim
from tests.proof import Proof

PUBLISH_SECONDS = 45.0
FULL_LOSSES = 10
SOME_VICTIMS = 3
"""How many of them the suite kills, once each, drawn by its seed."""
FULL_CONTROL_KILLS = 6
FULL_CONTROL_VIEWERS, CONTROL_VIEWERS = 24, 8
"""The last viewers are the control's."""


def test_acknowledged_effects_survive_the_death_of_any_process(
    instance: Instance, proof: Proof, tmp_path: Path
):
    population = instance.population
    sound = _trial(
        instance, population.part(0, _first_of_control(population, proof)), proof, tmp_path
    )
    plan = [
        death
        for victim in (VICTIMS if proof.is_full else sound.chance.sample(VICTIMS, SOME_VICTIMS))
        for death in trial.deaths(victim, times=_times(victim, proof), chance=sound.chance)
    ]
    sound.chance.shuffle(plan)
    for death in plan:
        sound.round(death)
    at_the_end = sound.violations_at_the_end()
    for victim in VICTIMS:
        dealt = [death.point is not None for death in plan if death.victim is victim]
        seconds = sound.seconds_by_victim[victim.name]
        own = dataclasses.replace(proof, count=len(dealt), started=time.monotonic() - seconds)
        at_points = f" ({sum(dealt)} at {sum(dealt)} named points)" if victim.points else ""
        own.record(
            victim.promise,
            f"SIGKILL of {victim.name} under load{at_points}, acknowledged unlocks and purchases",
            violations=sound.found_by_victim[victim.name] + len(at_the_end),
        )
    assert sound.found == []
    assert at_the_end == []
    assert sound.lost_answers > 0 or not proof.is_full, "no kill fell between commit and answer"
    assert instance.sweeper.is_alive(), instance.tails()
    assert _is_published(instance, schedule.schedule_series(instance, name="after-all", seconds=3))


def _trial(instance: Instance, population: Population, proof: Proof, folder: Path) -> Trial:
    return Trial(
        instance,
        population=population,
        seed=proof.seed,
        folder=folder,
        rest_seconds=crowd.FULL_REST_SECONDS if proof.is_full else crowd.REST_SECONDS,
    )


def _first_of_control(population: Population, proof: Proof) -> int:
    control = FULL_CONTROL_VIEWERS if proof.is_full else CONTROL_VIEWERS
    return len(population.viewers) - control


def _named(name: str) -> Victim:
    return next(victim for victim in VICTIMS if victim.name == name)


def _times(victim: Victim, proof: Proof) -> int:
    return victim.full_kills if proof.is_full else 1


@pytest.mark.matrix(2)
def test_kills_lose_effects_when_commits_do_not_wait_for_the_log(
    instance: Instance, proof: Proof, tmp_path: Path
):
    """The control: what the other test promises is seen to be broken where it is.

    fsync=off could not be caught so: what a killed process has written, the kernel keeps.
    """
    proof.count = FULL_CONTROL_KILLS if proof.is_full else 1
    population = instance.population
    first, end = _first_of_control(population, proof), len(population.viewers)
    unsound = _trial(instance, population.part(first, end), proof, tmp_path)
    victim = dataclasses.replace(
        _named("Postgres"), name="Postgres that does not write commits", points=BEFORE_REPLY
    )
    plan = trial.deaths(victim, times=proof.count, chance=unsound.chance)
    with _commits_that_are_not_written(instance):
        lost = [sum(found.rule in LOST for found in unsound.round(death)) for death in plan]
    proof.record(
        "P4",
        "Control: kills of a Postgres with synchronous_commit=off that lost nothing acknowledged",
        violations=lost.count(0),
    )
    assert 0 not in lost, f"acknowledged effects lost by each kill: {lost}"


@contextmanager
def _commits_that_are_not_written(instance: Instance) -> Iterator[None]:
    """Commits are acknowledged from memory, which is written every ten seconds."""
    instance.query("ALTER SYSTEM SET wal_writer_delay = '10s'")
    instance.query("ALTER SYSTEM SET wal_writer_flush_after = '1GB'")
    # A database's setting goes before those that the server was started with.
    instance.query("ALTER DATABASE cliffhanger SET synchronous_commit = off")
    _end_sessions(instance)
    assert instance.query("SHOW synchronous_commit") == [("off",)]
    try:
        yield
    finally:
        instance.query("ALTER SYSTEM RESET wal_writer_delay")
        instance.query("ALTER SYSTEM RESET wal_writer_flush_after")
        instance.query("ALTER DATABASE cliffhanger RESET synchronous_commit")
        # What comes after finds a server that has no ended connection to stumble over.
        instance.web.kill_group()
        _end_sessions(instance)
        assert instance.query("SHOW synchronous_commit") == [("on",)]
        instance.web.start()
        instance.wait_until(instance.serves, "the instance serves with commits that are written")


def _end_sessions(instance: Instance) -> None:
    """Settings hold for connections that are made after they were changed."""
    instance.query("SELECT pg_reload_conf()")
    instance.query(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )


@pytest.mark.matrix(2)
def test_a_scheduled_series_is_published_after_the_broker_lost_everything(
    instance: Instance, proof: Proof
):
    proof.count = FULL_LOSSES if proof.is_full else 1
    late = 0
    for number in range(proof.count):
        heard = schedule.schedule_series(instance, name=f"heard-{number}", seconds=2)
        schedule.kill_broker_with_a_task_in_hand(instance)
        late += not _is_published(instance, heard)
        lost = schedule.schedule_series(instance, name=f"lost-{number}", seconds=2)
        schedule.lose_every_ring(instance, lost)
        late += not _is_published(instance, lost)
    proof.record(
        "P14",
        "Broker killed with a task in hand, and wiped and killed: series published when due",
        violations=late,
    )
    assert late == 0, instance.tails()


def _is_published(instance: Instance, series_id: str) -> bool:
    deadline = time.monotonic() + PUBLISH_SECONDS
    while time.monotonic() < deadline:
        if instance.published(series_id):
            return True
        time.sleep(0.1)
    return False
