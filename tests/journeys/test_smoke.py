"""The whole journey over HTTP, on a private instance of real processes."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.processes import PROJECT

LIMIT_SECONDS = 300
STEPS = [
    "services",
    "migrate",
    "API keys",
    "media",
    "web server",
    "push",
    "reference data",
    "price plan",
    "guest",
    "tokens renewed",
    "series listed",
    "search 吸血鬼",
    "series detail",
    "episodes",
    "free episode",
    "paywall",
    "unlock refused",
    "purchase intent",
    "purchase",
    "submitted again",
    "unlock",
    "unlock retried",
    "unlocked episode",
    "statement",
    "another's quote",
    "ten days ago",
    "watched",
    "ad unlock",
    "coin unlock",
    "events",
    "the next day",
    "worker",
    "cohort",
    "funnel",
    "revenue",
    "beats",
    "ranking",
    "scheduled",
    "published",
    "stopped",
]


@pytest.fixture
def temporary_files() -> Iterator[Path]:
    """A folder that anybody may pass through: as root the services run as somebody else."""
    folder = Path(tempfile.mkdtemp(prefix="cliffhanger-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def test_walks_from_an_empty_folder_to_a_watched_paid_episode(temporary_files) -> None:
    smoke = subprocess.run(
        [sys.executable, "-m", "demo.smoke"],
        cwd=PROJECT,
        env={**os.environ, "TMPDIR": str(temporary_files), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=LIMIT_SECONDS,
        check=False,
    )

    assert smoke.returncode == 0, smoke.stdout + smoke.stderr
    lines = smoke.stdout.splitlines()
    steps = [re.fullmatch(r"  ok  (.+?) {2,}.+  \(\d+ ms\)", line) for line in lines[:-1]]
    assert [step and step[1] for step in steps] == STEPS
    assert lines[-1].startswith("  All steps went well, in ")
    assert smoke.stderr == ""
    assert list(temporary_files.iterdir()) == []
