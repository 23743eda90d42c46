"""`python -m config.embedded`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config import embedded
from tests.config.embedded_instances import PROJECT, Holder, data_folder, wait_until

pytestmark = pytest.mark.matrix(3)

_TELL = (
    "import json, os; print(json.dumps({key: os.environ[key]"
    " for key in ('DATABASE_URL', 'REDIS_URL', 'CACHE_URL')}))"
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with data_folder() as path:
        yield path


@pytest.fixture
def data_dir(folder: Path) -> Path:
    """The module's instance, stopped."""
    embedded.stop(folder, force=True)
    return folder


def command(data_dir: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "config.embedded", "--data-dir", str(data_dir), *arguments]


def run(data_dir: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(data_dir, *arguments), cwd=PROJECT, capture_output=True, text=True, check=False
    )


def table(text: str) -> dict[str, str]:
    return {line[:12].strip(): line[12:].strip() for line in text.splitlines()}


def start(data_dir: Path, *arguments: str, **popen: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(data_dir, *arguments), cwd=PROJECT, stdout=subprocess.PIPE, text=True, **popen
    )


def test_status_shows_what_runs(data_dir):
    assert table(run(data_dir, "status").stdout)["services"] == "stopped"
    with Holder(data_dir, durable=True) as holder:
        assert holder.endpoints
        rows = table(run(data_dir).stdout)
        found = embedded.status(data_dir)
        assert rows["services"] == "ready"
        assert rows["postgres"] == str(found.postgres_pid)
        assert rows["users"] == str(holder.process.pid)
        assert rows["sockets"] == str(holder.endpoints.socket_dir)


def test_status_of_a_folder_never_used_makes_nothing(data_dir):
    unused = data_dir.with_name("unused")
    assert table(run(unused, "status").stdout)["services"] == "stopped"
    assert run(unused, "stop").stdout == "Nothing runs.\n"
    assert not unused.exists()


def test_stop_asks_first_when_others_use_the_services(data_dir):
    with Holder(data_dir, durable=True) as first, Holder(data_dir, durable=True) as second:
        assert first.endpoints == second.endpoints
        refused = run(data_dir, "stop")
        assert refused.returncode == 1
        assert "2 processes use the services" in refused.stderr
        assert "--force" in refused.stderr
        assert embedded.status(data_dir).phase == "ready"
        assert run(data_dir, "stop", "--force").stdout == "Stopped.\n"
        assert embedded.status(data_dir).phase == "stopped"
        # Those who still hold them saw an end, not a crash.
        time.sleep(1.5)
        assert embedded.status(data_dir).phase == "stopped"
    assert run(data_dir, "stop").stdout == "Nothing runs.\n"


def test_run_gives_a_command_the_services(data_dir):
    ended = run(data_dir, "run", "--", sys.executable, "-c", _TELL)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["DATABASE_URL"].startswith("postgresql://cliffhanger@/cliffhanger?host=")
    assert told["REDIS_URL"].startswith("redis+socket:///")
    assert told["CACHE_URL"].startswith("unix:///")
    assert embedded.status(data_dir).phase == "ready"


def test_run_ends_as_its_command_does(data_dir):
    assert run(data_dir, "run", "--", sys.executable, "-c", "raise SystemExit(3)").returncode == 3
    missing = run(data_dir, "run", "--", "no-such-program")
    assert missing.returncode == 127
    assert missing.stderr.startswith("no-such-program: ")
    assert run(data_dir, "run").returncode == 1
    with start(data_dir, "run", "--", "sleep", "60") as process:
        wait_until(lambda: bool(children_of(process.pid, "sleep")))
        sleeping = children_of(process.pid, "sleep")[0]
        process.terminate()
        assert process.wait(timeout=10) == 128 + signal.SIGTERM
        assert not Path(f"/proc/{sleeping}").exists()


def test_a_command_keeps_the_services_when_its_runner_is_killed(data_dir):
    with start(data_dir, "run", "--", "sleep", "60") as process:
        wait_until(lambda: bool(children_of(process.pid, "sleep")))
        sleeping = children_of(process.pid, "sleep")[0]
        process.kill()
        process.wait(timeout=10)
        try:
            with pytest.raises(embedded.InUse):
                embedded.stop(data_dir)
        finally:
            os.kill(sleeping, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{sleeping}").exists())
    assert embedded.stop(data_dir)


def children_of(pid: int, name: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, tail = entry.read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended before it was read
        if head.endswith(f"({name}") and tail.split()[1] == str(pid):
            found.append(int(entry.parent.name))
    return found
