"""Ctrl-C ends a demo at any moment, and leaves nothing running."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import ports
from demo.processes import PROJECT
from demo.smoke import instance_environment, private_folder

pytestmark = pytest.mark.matrix(3)

START_SECONDS = 180
STOP_SECONDS = 30


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """One folder for both: the second demo goes on where the first was stopped."""
    with private_folder() as folder:
        yield folder


def left_of(data_dir: Path) -> dict[int, str]:
    """Processes that were told of this data folder, which no other instance has."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                told = (entry / "environ").read_bytes().split(b"\0")
                said = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if f"DATA_DIR={data_dir}".encode() in told:
                found[int(entry.name)] = said
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_leaves_no_process_when_stopped_midway(data_dir, sign) -> None:
    command = [sys.executable, "manage.py", "demo", "--port", str(ports.any_free())]
    with subprocess.Popen(
        command,
        env={**instance_environment(data_dir), "EMBEDDED_DURABLE": "off"},
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        printed: list[str] = []
        deadline = time.monotonic() + START_SECONDS
        for line in demo.stdout:
            printed.append(line)
            assert time.monotonic() < deadline, printed
            if "Rendering posters and clips" in line:
                break
        assert len(left_of(data_dir)) > 4, "".join(printed)

        started = time.monotonic()
        demo.send_signal(sign)
        rest, _ = demo.communicate(timeout=STOP_SECONDS)
    assert demo.returncode == 128 + sign, rest
    assert rest.endswith("Stopped; the data is kept.\n")
    assert time.monotonic() - started < STOP_SECONDS
    assert left_of(data_dir) == {}
