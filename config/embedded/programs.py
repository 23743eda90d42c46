"""What a supervised service is, whichever it is."""

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config.embedded import processes
from config.embedded.accounts import Account


@dataclass(frozen=True)
class Program:
    """One service: how it is started, asked whether it answers, and stopped."""

    name: str
    command: list[str]
    folder: Path
    socket_file: Path
    account: Account
    polite_stop: signal.Signals
    """Finishes what it must and ends."""
    quick_stop: signal.Signals
    """Ends at once; what was committed is safe."""
    answers: Callable[[], bool]
    """Raises OSError while nobody listens."""
    clear_the_way: Callable[[], None]
    """Removes what a predecessor that was killed left behind."""

    def start(self) -> "subprocess.Popen[bytes]":
        """A new process of this service, as its account, that does not outlive its parent."""
        self.clear_the_way()
        return subprocess.Popen(  # noqa: S603  a fixed program of an installed package
            self.command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,  # the supervisor's own log
            stderr=sys.stderr,
            env=environment(),
            umask=0o077,
            # The supervisor has one thread, so running Python between fork and exec is safe.
            preexec_fn=processes.dying_with_parent(self.polite_stop),
            **self.account.popen_arguments(),
        )


def environment() -> dict[str, str]:
    """What a service gets to see: none of the variables that would change what it does."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
