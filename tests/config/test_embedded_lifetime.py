"""The services live as long as somebody uses them, and a little longer."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import embedded
from config.embedded.supervisor import IDLE_SECONDS
from tests.config.embedded_instances import (
    PROJECT,
    Holder,
    data_folder,
    is_alive,
    kill,
    query,
    wait_until,
    wait_until_ready,
)

pytestmark = pytest.mark.matrix(3)

_FORK = """
import os, sys, threading
from pathlib import Path
counts = []
os.register_at_fork(before=lambda: counts.append(threading.active_count()))
from config import embedded
embedded.acquire(Path(sys.argv[1]), fsync=False)
counts.append(threading.active_count())
pid = os.fork()
counts.append(threading.active_count())
if pid == 0:
    os._exit(0 if counts == [2, 1, 2] else 1)
assert counts == [2, 1, 2], counts
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with data_folder() as path:
        yield path


@pytest.fixture
def data_dir(folder: Path) -> Path:
    """The module's instance, stopped."""
    embedded.stop(folder, force=True)
    return folder


def test_stops_some_seconds_after_the_last_user_left(data_dir):
    with Holder(data_dir) as first, Holder(data_dir) as second:
        socket_dir = first.endpoints.socket_dir
        assert second.endpoints.socket_dir == socket_dir
        running = wait_until_ready(data_dir)
    left_at = time.monotonic()
    wait_until(lambda: embedded.status(data_dir).phase == "stopped", seconds=IDLE_SECONDS + 10)
    assert time.monotonic() - left_at > IDLE_SECONDS - 1
    pids = (running.supervisor_pid, running.postgres_pid, running.broker_pid, running.cache_pid)
    wait_until(lambda: not any(map(is_alive, pids)), seconds=5)
    assert not socket_dir.exists()
    log = (data_dir / "embedded" / "services.log").read_text(encoding="utf-8")
    assert "database system is shut down" in log


def test_successive_commands_find_the_same_services(data_dir):
    supervisors = set()
    for _ in range(3):
        with Holder(data_dir) as holder:
            assert holder.endpoints
            supervisors.add(embedded.status(data_dir).supervisor_pid)
    assert len(supervisors) == 1


def test_a_forked_child_keeps_and_revives_what_its_parent_acquired(data_dir):
    with Holder(data_dir, fork=True) as holder:
        services = holder.endpoints
        holder.process.wait(timeout=10)  # the parent has ended, its child stays
        status = wait_until_ready(data_dir)
        with pytest.raises(embedded.InUse):
            embedded.stop(data_dir)
        kill(status.supervisor_pid)
        wait_until(
            lambda: embedded.status(data_dir).supervisor_pid not in {None, status.supervisor_pid}
        )
        wait_until_ready(data_dir)
        assert query(services, "SELECT 1") == 1


def test_a_newcomer_waits_for_a_stop_and_starts_anew(data_dir):
    with Holder(data_dir) as holder:
        assert holder.endpoints
        before = wait_until_ready(data_dir)
    assert before.supervisor_pid is not None
    os.kill(before.supervisor_pid, signal.SIGTERM)
    with Holder(data_dir) as newcomer:
        assert query(newcomer.endpoints, "SELECT 1") == 1
        after = wait_until_ready(data_dir)
        assert after.supervisor_pid != before.supervisor_pid
        assert not is_alive(before.postgres_pid)


def test_no_thread_of_ours_runs_during_a_fork(data_dir):
    """The watching thread ends before a fork and begins again in both processes."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", _FORK, str(data_dir)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
