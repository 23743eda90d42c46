"""The control: a PostgreSQL that acknowledges before it writes is caught losing unlocks."""

from pathlib import Path

import pytest

from tests.crash.audit import LOST
from tests.crash.instance import Instance, running
from tests.crash.trial import Trial
from tests.crash.victims import Victim, kill_postgres
from tests.proof import Proof

KILLS = 5


def test_kills_lose_unlocks_when_commits_do_not_wait_for_the_log(proof: Proof, tmp_path: Path):
    """fsync=off could not be caught so: what a killed process has written, the kernel keeps."""
    if not proof.is_full:
        pytest.skip("a control of the crash tests, run by `make prove`")
    proof.count = KILLS
    victim = Victim("Postgres", "P4", kill_postgres, full_kills=KILLS)
    with running(viewers=40 + 10 * KILLS) as instance:
        let_commits_go_unwritten(instance)
        trial = Trial(instance, seed=proof.seed, folder=tmp_path)
        lost = [
            sum(violation.rule == LOST for violation in trial.round(victim)) for _ in range(KILLS)
        ]
    proof.record(
        "P4",
        "Control: kills of a Postgres with synchronous_commit=off that lost no acknowledged unlock",
        violations=lost.count(0),
    )
    assert 0 not in lost, f"acknowledged unlocks lost by each kill: {lost}"


def let_commits_go_unwritten(instance: Instance) -> None:
    """Commits are acknowledged from memory, which is written every ten seconds."""
    instance.query("ALTER SYSTEM SET wal_writer_delay = '10s'")
    instance.query("ALTER SYSTEM SET wal_writer_flush_after = '1GB'")
    instance.query("SELECT pg_reload_conf()")
    # A database's setting goes before those that the server was started with.
    instance.query("ALTER DATABASE cliffhanger SET synchronous_commit = off")
    instance.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    assert instance.query("SHOW synchronous_commit") == [("off",)]
