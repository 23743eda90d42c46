"""Real instances of the embedded services, and real processes that use them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from config import embedded
from config.embedded import binaries
from config.embedded.accounts import Account
from config.embedded.endpoints import Endpoints

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = binaries.postgres_tool("postgres").parents[3]
IS_ROOT = os.geteuid() == 0
NEEDS_ROOT = "only root can change users; run the suite as root to see this"

_HOLD = """
import json, os, sys, time
from pathlib import Path
from config import embedded
before = time.perf_counter()
found = embedded.acquire(Path(sys.argv[1]), fsync=sys.argv[2] == "durable")
first = time.perf_counter()
embedded.acquire(Path(sys.argv[1]), fsync=sys.argv[2] == "durable")
print(json.dumps({
    "socket_dir": str(found.socket_dir),
    "first_seconds": first - before,
    "again_seconds": time.perf_counter() - first,
}), flush=True)
if sys.argv[3] == "fork" and os.fork() > 0:
    os._exit(0)
sys.stdin.read()
"""


class Holder:
    """A process that uses the services until it is told to leave."""

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = False,
        fork: bool = False,
        account: Account | None = None,
        **popen: Any,
    ) -> None:
        mode = ["durable" if durable else "fast", "fork" if fork else "stay"]
        if account is not None:
            popen |= account.popen_arguments()
        self.process = subprocess.Popen(
            [interpreter_for(account), "-c", _HOLD, str(data_dir), *mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{PACKAGES}"},
            **popen,
        )
        self._told: dict[str, Any] | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What the process said once it had the services; its complaint if it never got them."""
        if self._told is None:
            assert self.process.stdout is not None
            assert self.process.stderr is not None
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(self.process.stderr.read().decode())
            self._told = json.loads(line)
        return self._told

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints.in_folder(Path(self.told["socket_dir"]))

    def leave(self) -> None:
        """End the process in an orderly way; a forked child of it ends too."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(timeout=30)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()


def interpreter_for(account: Account | None) -> str:
    """A Python that the account can run; "" when there is none, as may be with one under /root."""
    if account is None:
        return sys.executable
    for candidate in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        check = [candidate, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            if subprocess.run(check, check=False, **account.popen_arguments()).returncode == 0:
                return candidate
        except OSError:
            continue
    return ""


@contextmanager
def data_folder() -> Iterator[Path]:
    """A data folder with an awkward name that the service account can enter; removed at the end."""
    parent = Path(tempfile.mkdtemp(prefix="cliffhanger tést "))
    parent.chmod(0o711)
    try:
        yield parent / "data folder"
    finally:
        remove(parent / "data folder")
        shutil.rmtree(parent, ignore_errors=True)


def remove(data_dir: Path) -> None:
    """End what runs for a data folder and delete it, with the data that lie outside."""
    embedded.stop(data_dir, force=True)
    identity = data_dir / "embedded" / "identity.json"
    if identity.exists():
        found = json.loads(identity.read_text(encoding="utf-8"))
        if found["outside"]:
            shutil.rmtree(f"/var/lib/cliffhanger/data-{found['id']}", ignore_errors=True)
    shutil.rmtree(data_dir, ignore_errors=True)


def query(services: Endpoints, sql: str) -> Any:
    """The first value of a statement's only row, or None; committed."""
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def wait_until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    """Wait for something that must come true; fail when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(0.02)


def wait_until_ready(data_dir: Path) -> embedded.Status:
    """The status once all services answer."""
    wait_until(lambda: embedded.status(data_dir).phase == "ready")
    return embedded.status(data_dir)


def kill(pid: int | None) -> None:
    """SIGKILL, which no process can prepare for; returns when it is gone or a zombie."""
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid))


def is_alive(pid: int | None) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def zombies_of(pid: int | None) -> list[str]:
    """The dead children that a process has not collected."""
    fields = [
        entry.read_text().rsplit(")", 1)[1].split()
        for entry in Path("/proc").glob("[0-9]*/stat")
        if entry.exists()
    ]
    return [state for state, parent, *_ in fields if state == "Z" and parent == str(pid)]
