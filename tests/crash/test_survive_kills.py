"""Whatever is killed, it comes back by itself and every acknowledged unlock is there, once."""

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import schedule
from tests.crash.instance import Instance, running
from tests.crash.trial import Trial
from tests.crash.victims import VICTIMS
from tests.proof import Proof

PUBLISH_SECONDS = 45.0
FULL_LOSSES = 10


@pytest.fixture(scope="module")
def instance(request: pytest.FixtureRequest) -> Iterator[Instance]:
    with running(viewers=3000 if request.config.getoption("--prove") else 120) as running_instance:
        yield running_instance


def test_acknowledged_unlocks_survive_the_death_of_any_process(
    instance: Instance, proof: Proof, tmp_path: Path
):
    kills = {victim: victim.full_kills if proof.is_full else 1 for victim in VICTIMS}
    plan = [victim for victim, times in kills.items() for _ in range(times)]
    trial = Trial(instance, seed=proof.seed, folder=tmp_path)
    trial.chance.shuffle(plan)
    for victim in plan:
        trial.round(victim)
    ledger = trial.ledger_violations()
    for victim, times in kills.items():
        own_proof = dataclasses.replace(
            proof, count=times, started=time.monotonic() - trial.seconds_by_victim[victim.name]
        )
        own_proof.record(
            victim.promise,
            f"SIGKILL of {victim.name} under load, acknowledged unlocks",
            violations=trial.found_by_victim[victim.name] + len(ledger),
        )
    assert trial.found == []
    assert ledger == []
    assert trial.lost_answers > 0 or not proof.is_full, "no kill fell between commit and answer"
    assert instance.sweeper.is_alive(), instance.tails()
    assert _is_published(instance, schedule.schedule_series(instance, name="after-all", seconds=1))


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
