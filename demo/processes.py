"""Web server, worker and sweeper: the lines of the Procfile, run together by honcho, and what a demo has beside.

The manager is a process of its own, `python -m demo.processes`, so that whoever started it keeps
the terminal and the signals. If one program ends, honcho ends the others; if the starter dies,
however that happened, the manager notices within a second and ends all three. What a killed manager
left behind is ended by the next start (`process_groups`).
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.printer import Printer

from config.embedded import locks
from demo import ports, process_groups, stopping

PROJECT = Path(__file__).resolve().parent.parent
PROCFILE = PROJECT / "Procfile"
STOP_SECONDS = 10.0
"""How long programs may take to finish what they do before they are killed."""

_LONGEST_LOG_BYTES = 10 * 1024 * 1024
_WATCH_SECONDS = 1.0
_POLL_SECONDS = 0.05
_MANAGER = "manager"


@dataclass(frozen=True)
class Folders:
    """Where the processes of one instance are kept track of, and what they said."""

    pids: Path
    logs: Path

    @classmethod
    def of(cls, data_dir: Path) -> Self:
        """Those of a data folder, made if missing."""
        found = cls(pids=data_dir.resolve() / "processes", logs=data_dir.resolve() / "logs")
        for folder in (found.pids, found.logs):
            folder.mkdir(parents=True, exist_ok=True)
        return found


@dataclass(frozen=True)
class Beside:
    """What runs beside the Procfile's programs: command lines by name, and what the environment of all has more."""

    programs: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


class AlreadyRunning(Exception):
    """Somebody else runs the processes of this data folder."""


class StartFailed(Exception):
    """The processes ended before they had begun; the message has the manager's last lines."""


class Processes:
    """The three programs of one data folder; whatever happens, they end with the `with` block.

    Entering ends what a killed predecessor left, and sets `port` to the one asked for or the next
    that is free. Raises AlreadyRunning and ports.NoFreePort.
    """

    def __init__(self, data_dir: Path, *, port: int, environment: dict[str, str]) -> None:
        self.data_dir = data_dir.resolve()
        self.folders = Folders.of(data_dir)
        self.port = port
        self._environment = environment
        self._beside = Beside()
        self._lock = -1
        self._manager: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the web server is."""
        return f"http://{ports.HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._take_lock()
        try:
            process_groups.end(self.folders.pids, patience_seconds=STOP_SECONDS)
            self.port = ports.first_free(self.port)
            os.pwrite(self._lock, self.url.encode(), 0)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, beside: Beside | None = None) -> None:
        """Start all three and what is beside them, and return when each runs; they may not answer yet.

        Raises StartFailed.
        """
        self._beside = beside or Beside()
        _rotate(self.folders.logs)
        with (self.folders.logs / f"{_MANAGER}.log").open("ab") as log:
            self._manager = subprocess.Popen(  # noqa: S603  this very module
                [
                    *(sys.executable, "-m", "demo.processes", str(os.getpid())),
                    json.dumps(dict(self._beside.programs)),
                ],
                cwd=PROJECT,
                env={
                    **self._environment,
                    **self._beside.environment,
                    "DATA_DIR": str(self.data_dir),
                    "PORT": str(self.port),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wanted = set(commands(self.folders, self._beside.programs))
        while not wanted <= process_groups.alive(self.folders.pids).keys():
            if self.wait(timeout_seconds=_POLL_SECONDS):
                raise StartFailed(self.last_words())

    def wait_until_ready(self, *, timeout_seconds: float = 90) -> None:
        """Return when the web server is ready to serve. Raises StartFailed."""
        deadline = time.monotonic() + timeout_seconds
        with httpx.Client(trust_env=False) as http:
            while not _is_ready(http, f"{self.url}/readyz"):
                if self.wait(timeout_seconds=_POLL_SECONDS) or time.monotonic() > deadline:
                    raise StartFailed(self.last_words())

    def last_words(self) -> str:
        """What the manager and each program said last."""
        names = (_MANAGER, *commands(self.folders, self._beside.programs))
        logs = [self.folders.logs / f"{name}.log" for name in names]
        return "\n\n".join(f"{log}:\n{_tail(log)}" for log in logs if log.exists())

    def stop(self) -> None:
        """Ask all to finish, and return when none is left."""
        with stopping.unstoppable():
            if self._manager is not None:
                self._manager.terminate()
                try:
                    self._manager.wait(timeout=STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    self._manager.kill()
                    self._manager.wait()
            process_groups.end(self.folders.pids, patience_seconds=0)
            os.close(self._lock)

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the programs have ended on their own; False if they run on until then."""
        if self._manager is None:
            return True
        try:
            self._manager.wait(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _take_lock(self) -> None:
        self._lock = locks.open_lock(self.folders.pids / "lock")
        if not locks.try_exclusive(self._lock):
            where = os.pread(self._lock, 100, 0).decode(errors="replace")
            os.close(self._lock)
            raise AlreadyRunning(f"This folder's processes run already, at {where}.")
        os.ftruncate(self._lock, 0)


def commands(folders: Folders, beside: Mapping[str, str]) -> dict[str, str]:
    """The Procfile's lines, and those beside, as shell commands that note their group and write to their own log."""
    lines = parse_procfile(PROCFILE.read_text(encoding="utf-8")).processes
    return {name: _command(name, line, folders) for name, line in (lines | beside).items()}


def _command(name: str, line: str, folders: Folders) -> str:
    pid = shlex.quote(str(folders.pids / f"{name}.pid"))
    log = shlex.quote(str(folders.logs / f"{name}.log"))
    # On one small machine whoever waits for an answer goes first.
    nice = "" if name == "web" else "nice -n 5 "
    return f"echo $$ > {pid}; exec {nice}{line} >> {log} 2>&1 < /dev/null"


def main(starter_pid: int, beside: Mapping[str, str]) -> int:
    """Be the manager, until a signal, the end of a program or the end of the starter."""
    folders = Folders.of(Path(os.environ["DATA_DIR"]))
    process_groups.write(folders.pids, _MANAGER)
    # The programs of the environment that runs us go before others of the same name.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    environment = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}
    manager = Manager(printer=Printer(output=sys.stdout, colour=False))
    for name, command in commands(folders, beside).items():
        manager.add_process(name, command, env=environment, cwd=str(PROJECT))
    _end_with(starter_pid)
    manager.loop()
    code: int = manager.returncode
    return code


def _end_with(starter_pid: int) -> None:
    """Look every second whether the starter still lives. A thread would not do: honcho forks."""

    def look(*_: object) -> None:
        if os.getppid() != starter_pid:
            os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _WATCH_SECONDS, _WATCH_SECONDS)


def _is_ready(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _tail(log: Path, *, lines: int = 8) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _rotate(logs: Path) -> None:
    for log in logs.glob("*.log"):
        if log.stat().st_size > _LONGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), json.loads(sys.argv[2])))
