"""The processes of an instance end together, however the end comes, and leave none behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from config import embedded
from demo import ports, process_groups
from demo.processes import PROJECT, AlreadyRunning, Processes
from demo.smoke import instance_environment, private_folder

pytestmark = pytest.mark.matrix(3)

PROGRAMS = {"web", "worker", "sweeper"}
START_SECONDS = 90
END_SECONDS = 20


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A data folder whose services stay up for all tests here."""
    with private_folder() as folder:
        embedded.acquire(folder, fsync=False)
        yield folder


@pytest.fixture
def processes(data_dir) -> Processes:
    environment = {**instance_environment(data_dir), "EMBEDDED_DURABLE": "off"}
    return Processes(data_dir, port=ports.any_free(), environment=environment)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", trust_env=False, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def pids_of(*groups: int) -> set[int]:
    """Every process of the groups that is not a zombie."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) in groups and fields[0] != "Z":
                found.add(int(entry.name))
    return found


def test_ends_every_process_with_the_block(processes) -> None:
    with processes:
        processes.start()
        groups = process_groups.alive(processes.folders.pids)
        assert groups.keys() == PROGRAMS | {"manager"}
        assert within(START_SECONDS, lambda: answers(processes.url))
        started = time.monotonic()
    assert time.monotonic() - started < 15
    assert pids_of(*groups.values()) == set()
    assert ports.is_free(processes.port)
    assert not list(processes.folders.pids.glob("*.pid"))
    for program in PROGRAMS:
        assert (processes.folders.logs / f"{program}.log").exists()


def test_ends_what_a_killed_manager_left_before_it_serves_again(processes) -> None:
    processes.__enter__()
    processes.start()
    assert within(START_SECONDS, lambda: answers(processes.url))
    groups = process_groups.alive(processes.folders.pids)
    os.killpg(groups.pop("manager"), signal.SIGKILL)
    processes.wait()
    os.close(processes._lock)  # as the kernel does for a starter that was killed
    assert answers(processes.url), "the web server should have outlived its manager"

    successor = Processes(
        processes.data_dir, port=processes.port, environment=processes._environment
    )
    with successor:
        assert pids_of(*groups.values()) == set()
        assert not answers(processes.url)
        assert successor.port == processes.port


def test_ends_when_its_starter_is_killed(processes) -> None:
    script = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from demo.processes import Processes\n"
        "with Processes(Path(sys.argv[1]), port=int(sys.argv[2]),"
        " environment=dict(os.environ)) as p:\n"
        "    p.start()\n"
        "    print('started', flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(processes.data_dir), str(processes.port)],
        env=processes._environment,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "started\n"
        groups = process_groups.alive(processes.folders.pids)
        starter.kill()
    assert within(END_SECONDS, lambda: not pids_of(*groups.values()))


def test_ends_the_others_when_one_is_killed(processes) -> None:
    with processes:
        processes.start()
        groups = process_groups.alive(processes.folders.pids)
        os.killpg(groups["sweeper"], signal.SIGKILL)
        assert processes.wait(timeout_seconds=END_SECONDS)
        assert "sweeper stopped (rc=-9)" in processes.last_words()
    assert pids_of(*groups.values()) == set()


def test_refuses_a_second_start_in_the_same_folder(processes) -> None:
    with processes:
        other = Processes(
            processes.data_dir, port=processes.port, environment=processes._environment
        )
        with pytest.raises(AlreadyRunning, match=processes.url):
            other.__enter__()


def test_takes_the_next_port_when_somebody_listens(processes) -> None:
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        stranger.bind((ports.HOST, processes.port))
        stranger.listen()
        taken = processes.port
        with processes:
            assert taken < processes.port < taken + ports.TRIES


def test_leaves_a_stranger_alone_who_has_the_number_of_a_dead_group(tmp_path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        file = tmp_path / "web.pid"
        file.write_text(f"{stranger.pid}\n")
        assert process_groups.alive(tmp_path) == {"web": stranger.pid}
        written_at = time.time() - 60
        os.utime(file, (written_at, written_at))

        assert process_groups.alive(tmp_path) == {}
        assert process_groups.end(tmp_path, patience_seconds=1) == []
        assert stranger.poll() is None
        assert not file.exists()
        stranger.kill()


def test_kills_a_group_that_does_not_end_when_asked(tmp_path) -> None:
    script = "trap '' TERM; echo ready; while true; do sleep 1; done"
    with subprocess.Popen(
        ["sh", "-c", script], start_new_session=True, stdout=subprocess.PIPE, text=True
    ) as stubborn:
        assert stubborn.stdout is not None
        assert stubborn.stdout.readline() == "ready\n"
        (tmp_path / "worker.pid").write_text(f"{stubborn.pid}\n")

        assert process_groups.end(tmp_path, patience_seconds=0.3) == ["worker"]
        assert stubborn.wait(timeout=5) == -signal.SIGKILL
    assert pids_of(stubborn.pid) == set()
