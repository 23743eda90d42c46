"""However many events arrive, viewers unlock as before, and whose events find no room are told when to
come again.
"""

import logging
from collections.abc import Iterator
from uuid import uuid4

import msgspec
import pytest

from tests.crash.flood import flooding
from tests.crash.instance import Instance
from tests.crash.seed import Population
from tests.crash.steady_load import Seen, Wire, arriving
from tests.proof import Proof

log = logging.getLogger(__name__)

TIMES = 10
FULL_SECONDS, SECONDS = 60.0, 1.0
FULL_UNLOCKS, UNLOCKS = 20.0, 15.0
#: What events a second are taken for when nobody measures.
BATCHES = 15.0
CONNECTIONS = 48
#: reliability.md P23; a machine that is too slow without events may be so with them.
LONGEST_P99_MS = 250.0
TIMES_THE_QUIET = 3.0


def _unlocks(population: Population) -> Iterator[Wire]:
    """Each viewer's each episode, once."""
    for episode_id in population.locked_episode_ids:
        for viewer in population.viewers:
            headers = {
                "Authorization": f"Bearer {viewer.token}",
                "Content-Type": "application/json",
                "Idempotency-Key": str(uuid4()),
            }
            body = msgspec.json.encode({"quote": viewer.quote})
            yield f"/v1/episodes/{episode_id}/unlock", body, headers


@pytest.mark.alone
def test_ten_times_the_events_leave_unlocks_as_they_were(instance: Instance, proof: Proof):
    population, port = instance.bystanders, instance.port
    seconds = FULL_SECONDS if proof.is_full else SECONDS
    rate = FULL_UNLOCKS if proof.is_full else UNLOCKS
    unlocks = _unlocks(population)
    taken = _batches_a_second(instance) if proof.is_full else BATCHES

    def unlocked() -> Seen:
        with arriving(unlocks, port=port, per_second=rate, seconds=seconds, connections=16) as seen:
            return seen.result()

    quiet = unlocked()
    with flooding(
        instance, per_second=TIMES * taken, seconds=seconds, connections=CONNECTIONS
    ) as ended:
        busy = unlocked()
        flooded = ended()

    log.info("flood of %.0f batches/s: %s", TIMES * taken, flooded.statuses)
    p99 = [round(seen.percentile_ms(0.99), 1) for seen in (quiet, busy)]
    slower = proof.is_full and p99[1] > max(LONGEST_P99_MS, TIMES_THE_QUIET * p99[0])
    failed = sum(times for status, times in busy.statuses.items() if status != 200)
    proof.count = busy.statuses[200]
    proof.record(
        "P23",
        f"Unlocks under {TIMES} times the events that are taken ({flooded.statuses.get(503, 0)} of"
        f" {sum(flooded.statuses.values())} batches told to come again): p99 {p99[1]} ms, {p99[0]} without",
        violations=failed + slower + flooded.without_retry_after,
    )
    assert set(quiet.statuses) == set(busy.statuses) == {200}
    assert set(flooded.statuses) <= {200, 503}
    assert flooded.statuses.get(200, 0) > 0
    assert flooded.without_retry_after == 0
    assert not slower, f"p99 of {p99[1]} ms, {p99[0]} ms without events"


def _batches_a_second(instance: Instance) -> float:
    """How many are taken when as many connections send as one process handles at a time."""
    seconds = 5.0
    with flooding(instance, per_second=1000, seconds=seconds, connections=4) as ended:
        return ended().statuses[200] / seconds
