"""Ends an instance when its test has ended, however that happened.

Its standard input is a pipe that only the test holds. Each line names a process group that lives
(`+123`) or is gone (`-123`); the end of the input, be it by a finished test, Ctrl-C or SIGKILL, is
the order to end the groups that are left, then the services, and to delete the folder.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent.parent
_LONGEST_BURIAL_SECONDS = 120


class Undertaker:
    """The process that will clean up, seen from the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.undertaker", str(self._folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C at the terminal is not for it
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        code = self._process.wait(timeout=_LONGEST_BURIAL_SECONDS)
        assert code == 0, f"what ran in {self._folder} could not be ended"

    def note(self, sign: str, group: int) -> None:
        """Tell of a group: `+` that it lives, `-` that it is gone."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{sign}{group}\n")
        self._process.stdin.flush()


def end_groups(lines: Iterable[str]) -> None:
    """Read to the end what lives and what is gone, and kill what lives."""
    living: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line.startswith("+"):
            living.add(group)
        else:
            living.discard(group)
    for group in living:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    from tests.config.embedded_instances import remove

    end_groups(sys.stdin)
    remove(Path(sys.argv[1]))
