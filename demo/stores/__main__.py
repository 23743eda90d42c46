"""`python -m demo.stores --data-dir .data`: the three stores of a demo and a phone, each as a process of its own.

They wait until the instance answers, which has more to do at its start than they. A store that ends is started again,
with what it kept. All of them end with this one.
"""

import http.client
import logging
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from demo.stores import addresses
from demo.stores.addresses import Addresses

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 60.0
PAUSE_SECONDS = 1.0
"""How long after its start a store that ended is started again, so that one that cannot run is no burden."""


def command(name: str, folder: Path, at: Addresses) -> list[str]:
    """What starts a store."""
    port: int = getattr(at, name)
    told = {"apple": "--notify", "google": "--push", "stripe": "--webhook"}[name]
    more = ["--live"] if name == "stripe" else []
    return [
        *(sys.executable, "-m", f"demo.stores.{name}"),
        *("--port", str(port), "--folder", str(folder / name), told, at.webhook(name), *more),
    ]


class Stores:
    """The processes."""

    def __init__(self, commands: Mapping[str, list[str]]) -> None:
        self._commands = commands
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started_at: dict[str, float] = {}

    def keep_running(self) -> None:
        """Starts those that do not run."""
        for name, words in self._commands.items():
            process = self._running.get(name)
            if process is not None and process.poll() is None:
                continue
            if time.monotonic() - self._started_at.get(name, -PAUSE_SECONDS) < PAUSE_SECONDS:
                continue
            if process is not None:
                logger.warning("%s ended with %s and is started again", name, process.returncode)
            self._started_at[name] = time.monotonic()
            self._running[name] = subprocess.Popen(words)  # noqa: S603  our own module

    def end(self) -> None:
        """Ends all of them."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait()


def wait_for(backend: str) -> None:
    """Returns when an instance answers, or has not for long."""
    until = time.monotonic() + LONGEST_WAIT_SECONDS
    where = urlsplit(backend)
    while time.monotonic() < until:
        asking = closing(http.client.HTTPConnection(where.netloc, timeout=2))
        with suppress(OSError, http.client.HTTPException), asking as connection:
            connection.request("GET", "/livez")
            if connection.getresponse().status == http.client.OK:
                return
        time.sleep(LOOK_SECONDS)


def main() -> None:
    parser = ArgumentParser(prog="python -m demo.stores")
    parser.add_argument("--data-dir", type=Path, required=True)
    data_dir: Path = parser.parse_args().data_dir
    at = addresses.read(data_dir)
    if at is None:
        raise SystemExit("no demo has been started in that folder")
    folder = data_dir / addresses.FOLDER
    commands = {name: command(name, folder, at) for name in ("apple", "google", "stripe")}
    phone = [sys.executable, "-m", "demo.phone", "--data-dir", str(data_dir)]
    stores = Stores(commands | {"phone": phone})

    def stop(_sign: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        wait_for(at.backend)
        while True:
            stores.keep_running()
            time.sleep(LOOK_SECONDS)
    finally:
        stores.end()


if __name__ == "__main__":
    main()
