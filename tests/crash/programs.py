"""Programs that an instance runs, each with a process group and a log of its own."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.crash.undertaker import ROOT, Undertaker


class Program:
    """A line of the Procfile, started and killed as a process manager or a disaster would."""

    def __init__(
        self, name: str, line: str, *, environment: Mapping[str, str], log: Path, end: Undertaker
    ) -> None:
        self.name = name
        self.log = log
        self._line = line
        self._environment = environment
        self._undertaker = end
        self._leader: subprocess.Popen[bytes] | None = None
        self._log_began_at = 0

    @property
    def pid(self) -> int:
        """The leader of the group, dead or alive."""
        assert self._leader is not None, f"{self.name} was never started"
        return self._leader.pid

    def start(self) -> None:
        """Start it; nothing of a former group may be left."""
        with self.log.open("ab") as log:
            self._log_began_at = log.tell()
            self._leader = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {self._line}"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._undertaker.note("+", self.pid)

    def kill_leader(self) -> None:
        """SIGKILL to the leader alone: the rest of its group is orphaned."""
        assert self._leader is not None
        self._leader.kill()
        self._leader.wait()

    def kill_group(self) -> None:
        """SIGKILL to all that is left of the group, if it was ever started."""
        if self._leader is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._leader.wait()
        while self._members():
            time.sleep(0.01)
        self._undertaker.note("-", self.pid)

    def send(self, sign: signal.Signals) -> None:
        """A signal to the whole group."""
        os.killpg(self.pid, sign)

    def children(self) -> list[int]:
        """The living processes of the group but its leader."""
        return [pid for pid in self._members() if pid != self.pid]

    def is_alive(self) -> bool:
        """Whether the leader lives."""
        return self._leader is not None and self._leader.poll() is None

    def said(self) -> str:
        """What it wrote to its log since it was last started."""
        if self._leader is None:
            return ""
        return self.log.read_bytes()[self._log_began_at :].decode(errors="replace")

    def tail(self, *, lines: int = 15) -> str:
        """The last of what it said."""
        return "\n".join(self.said().splitlines()[-lines:])

    def _members(self) -> list[int]:
        listing = subprocess.run(
            ["ps", "-axo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True
        )
        rows = [line.split() for line in listing.stdout.splitlines()]
        return [
            int(pid)
            for pid, group, state in rows
            if int(group) == self.pid and not state.startswith("Z")
        ]
