"""A private instance as real processes: durable services, web server, task worker and sweeper.

The test's own settings and database take no part: whatever needs Django runs in a process with an
environment of its own. The test is no user of the services either, so that nothing but the
instance's own processes can bring them back.
"""

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from honcho.environ import parse_procfile
from psycopg.sql import Composed

from config import embedded
from config.embedded.endpoints import Endpoints
from tests.crash.programs import Program
from tests.crash.seed import Population
from tests.crash.undertaker import ROOT, Undertaker

START_SECONDS = 60.0
RECOVERY_SECONDS = 45.0
"""How long anything that was killed may take to serve again. Repeated deaths of one service are
answered with a pause of up to five seconds before it is started again."""

_POLL_SECONDS = 0.1
_APPLICATION = "config.wsgi:application"
_APPLICATION_THAT_HOLDS_REPLIES = "tests.crash.held_replies:application"
_OWN_VARIABLES = ("DATABASE_URL", "REDIS_URL", "CACHE_URL", "KEYRING", "SECRET_KEY")
# Below the ports that the system gives to clients: a client that retries a refused port of its own
# range can end up connected to itself.
_PORTS = range(20_000, 30_000)


class Instance:
    """What runs in one data folder. `running()` makes it."""

    def __init__(self, data_dir: Path, *, end: Undertaker) -> None:
        self.data_dir = data_dir
        self.port = _free_port()
        self.environment = _environment(data_dir, port=self.port)
        lines = _program_lines()
        programs = {
            name: Program(
                name,
                lines[name],
                environment=self.environment,
                log=data_dir / f"{name}.log",
                end=end,
            )
            for name in ("web", "worker", "sweeper")
        }
        self.web, self.worker, self.sweeper = programs.values()
        self.programs = tuple(programs.values())
        self.population: Population
        self.bystanders: Population

    def start(self, *, viewers: int) -> None:
        """Seed the database, start everything, and return when it serves."""
        seeded = self.run("-m", "tests.crash.seed", str(viewers))
        self.population = msgspec.json.decode(seeded, type=Population)
        self.launch()

    def launch(self) -> None:
        """Start everything on a database that is seeded, and return when it serves."""
        # After a death Postgres asks the disk for each of its thousand files, or once for all of them.
        self.query("ALTER SYSTEM SET recovery_init_sync_method = 'syncfs'")
        for program in self.programs:
            program.start()
        self.wait_until(self.serves, "the instance serves", seconds=START_SECONDS)
        self.wait_until(self.works, "the task worker is ready", seconds=START_SECONDS)

    def stop(self) -> None:
        """Kill the programs; the services and the folder are the undertaker's."""
        for program in self.programs:
            program.kill_group()

    def run(self, *arguments: str, check: bool = True) -> bytes:
        """What a Python command of the project prints, run on this instance."""
        ended = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            check=False,
            timeout=180,
        )
        if check and ended.returncode != 0:
            said = ended.stderr.decode(errors="replace")[-4000:]
            raise AssertionError(f"{' '.join(arguments)} ended with {ended.returncode}:\n{said}")
        return ended.stdout

    def status(self) -> embedded.Status:
        """What the supervisor says of the services."""
        return embedded.status(self.data_dir)

    def endpoints(self) -> Endpoints:
        """Where the services listen; the folder stays the same through every restart."""
        socket_dir = self.status().socket_dir
        assert socket_dir is not None, self.tails()
        return Endpoints.in_folder(socket_dir)

    def has_services(self) -> bool:
        """Whether the supervisor is satisfied and all three services answer."""
        found = self.status()
        return (
            found.phase == "ready"
            and found.socket_dir is not None
            and Endpoints.in_folder(found.socket_dir).answer()
        )

    def serves(self) -> bool:
        """Whether the services answer and the web server says that it is ready."""
        return self.has_services() and self._get("/readyz") == 200

    def works(self) -> bool:
        """Whether the task worker that runs now has said that it is ready."""
        return " ready." in self.worker.said()

    def web_workers(self) -> list[int]:
        """The processes that answer requests."""
        return self.web.children()

    def query(self, statement: str | Composed, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a statement, run as the schema's owner. Raises psycopg.OperationalError."""
        address = self.endpoints().database_url
        with psycopg.connect(address, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def published(self, series_id: str) -> bool:
        """Whether anybody may see the series."""
        return self._get(f"/v1/series/{series_id}") == 200

    def wait_until(
        self, condition: Callable[[], bool], what: str, *, seconds: float = RECOVERY_SECONDS
    ) -> float:
        """Wait for something that must come true; how many seconds it took.

        Raises AssertionError with the last lines of every log when it does not.
        """
        started = time.monotonic()
        while not condition():
            waited_seconds = time.monotonic() - started
            assert waited_seconds < seconds, f"not within {seconds:.0f} s: {what}\n{self.tails()}"
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - started

    def tails(self) -> str:
        """The last lines of every log, and what the supervisor says."""
        parts = [f"status: {self.status()}"]
        for program in self.programs:
            state = "alive" if program.is_alive() else "dead"
            parts.append(f"--- {program.name} ({state})\n{program.tail()}")
        services = self.data_dir / "embedded" / "services.log"
        said = services.read_text(encoding="utf-8", errors="replace") if services.exists() else ""
        return "\n".join([*parts, "--- services", *said.splitlines()[-30:]])

    def _get(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0


@contextmanager
def running(*, viewers: int) -> Iterator[Instance]:
    """An instance with so many viewers, gone without a trace at the end."""
    data_dir = Path(tempfile.mkdtemp(prefix="cliffhanger-crash-"))
    data_dir.chmod(0o711)  # an unprivileged user serves it when root runs the suite
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, data_dir, ignore_errors=True)
        instance = Instance(data_dir, end=stack.enter_context(Undertaker(data_dir)))
        stack.callback(instance.stop)
        instance.start(viewers=viewers)
        yield instance


def _program_lines() -> dict[str, str]:
    """The Procfile's, with the web server's application behind a point of ours."""
    lines: dict[str, str] = parse_procfile(
        (ROOT / "Procfile").read_text(encoding="utf-8")
    ).processes
    assert _APPLICATION in lines["web"]
    return lines | {"web": lines["web"].replace(_APPLICATION, _APPLICATION_THAT_HOLDS_REPLIES)}


def _environment(data_dir: Path, *, port: int) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in _OWN_VARIABLES}
    bin_folder = str(Path(sys.executable).parent)
    return inherited | {
        "APP_MODE": "test",
        "DATA_DIR": str(data_dir),
        "EMBEDDED_DURABLE": "on",
        "PORT": str(port),
        # Tokens and quotes are made once and outlive the longest proof.
        "ACCESS_TOKEN_SECONDS": "86400",
        "QUOTE_SECONDS": "86400",
        # Nobody sits at these clients who could be asked whether so much is meant.
        "SPEND_CONFIRM_COINS": "0",
        "SWEEP_SECONDS": "1",
        "LOG_LEVEL": "INFO",
        "PYTHONUNBUFFERED": "1",
        "PATH": os.pathsep.join((bin_folder, os.environ.get("PATH", os.defpath))),
    }


def _free_port() -> int:
    # The seeded generator would send two test processes to the same ports.
    for port in random.SystemRandom().sample(_PORTS, 50):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port")
