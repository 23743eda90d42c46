"""A service under supervision: started, watched, started again."""

import logging
import os
import signal
import subprocess
import sys
import time

from config.embedded.programs import Program

_LONGEST_DELAY_SECONDS = 5.0
_STEADY_SECONDS = 30.0

log = logging.getLogger(__name__)


class Child:
    """One service's process, replaced whenever it ends.

    The first replacement starts at once; a service that keeps failing is tried ever more slowly,
    at least every five seconds, until it has stayed up for half a minute.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.is_ready = False
        self.has_been_ready = False
        self.failures = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._is_restarting = False

    @property
    def pid(self) -> int | None:
        """The id of the live process, or None between two of them."""
        return self._process.pid if self._process else None

    def advance(self) -> None:
        """Start the process if it is due, and see whether it answers if it did not yet."""
        if self._process is None:
            if time.monotonic() < self._start_at:
                return
            self._process = self.program.start()
            self._started_at = time.monotonic()
        if not self.is_ready:
            try:
                self.is_ready = self.program.answers()
            except OSError:
                return  # not listening yet
            self.has_been_ready = self.has_been_ready or self.is_ready

    def restart(self) -> None:
        """End the process politely; the next one is no failure and starts at once."""
        if self._process is not None and not self._is_restarting:
            self._is_restarting = True
            self.is_ready = False
            self.signal(self.program.polite_stop)

    def collect(self) -> None:
        """Notice that the process ended, if it did, and plan its replacement."""
        if self._process is None or (code := self._process.poll()) is None:
            return
        if time.monotonic() - self._started_at > _STEADY_SECONDS:
            self.failures = 0
        delay_seconds = 0.0
        if not self._is_restarting:
            self.failures += 1
            if self.failures > 1:
                delay_seconds = min(0.1 * 2**self.failures, _LONGEST_DELAY_SECONDS)
            log.warning(
                "%s ended (%s), the next one starts in %.1f s",
                self.program.name,
                _reason(code),
                delay_seconds,
            )
        self._process, self.is_ready, self._is_restarting = None, False, False
        self._start_at = time.monotonic() + delay_seconds

    def signal(self, sign: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self._process is not None:
            self._process.send_signal(sign)

    def has_ended(self) -> bool:
        """Whether no process is left, collecting it if it just ended."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None
        return self._process is None


def end_all(children: list[Child], *, quickly: bool) -> None:
    """Stop the services and return when all have ended: ask, then insist, then kill."""
    polite = [child.program.polite_stop for child in children]
    quick = [child.program.quick_stop for child in children]
    killing = [signal.SIGKILL for _ in children]
    steps = [(quick, 10.0), (killing, 10.0)] if quickly else [(polite, 60.0), (quick, 10.0)]
    for signs, seconds in [*steps, (killing, 10.0)]:
        for child, sign in zip(children, signs, strict=True):
            child.signal(sign)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if all(child.has_ended() for child in children):
                return
            time.sleep(0.01)
    log.error("some services would not end")


def collect_adopted(children: list[Child]) -> None:
    """Reap processes that became ours when a service died, leaving the services to their owner."""
    if sys.platform != "linux":
        return  # nobody adopts there but the system itself
    known = {child.pid for child in children}
    while True:
        try:
            # WNOWAIT looks without collecting, so that a service's own exit code is not lost.
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in known:
            return
        os.waitpid(ended.si_pid, os.WNOHANG)


def _reason(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
