"""After an outage of the database, requests are served as soon as it is back."""

import contextlib
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings
from django.db import OperationalError, connection

OUTAGE_SECONDS = 3.5
LONGEST_RECOVERY_SECONDS = 2.5


class Gateway:
    """A socket through which the database is reached, until it is shut."""

    def __init__(self, folder: Path, *, target: dict[str, str]) -> None:
        self.file = folder / ".s.PGSQL.5432"
        self._target = target
        self._listener: socket.socket
        self._open: list[socket.socket] = []

    def open(self) -> None:
        """Let connections through from now on."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.file))
        self._listener.listen(50)
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def shut(self) -> None:
        """Cut every connection and refuse new ones, as a dying server does."""
        self.file.unlink()
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = self._connect()
                self._open += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=ends, daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = self._target["HOST"], self._target["PORT"] or "5432"
        if not host.startswith("/"):
            return socket.create_connection((host, int(port)))
        found = socket.socket(socket.AF_UNIX)
        found.connect(f"{host}/.s.PGSQL.{port}")
        return found


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    source.close()


@pytest.fixture
def gateway(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """The gateway through which alone this test reaches its database."""
    folder = Path(tempfile.mkdtemp(prefix="cliffhanger-gate-"))  # a socket's path must be short
    target = {name: connection.settings_dict[name] for name in ("HOST", "PORT")}
    found = Gateway(folder, target=target)
    found.open()
    with monkeypatch.context() as changes:
        reconnect()
        changes.setitem(connection.settings_dict, "HOST", str(folder))
        changes.setitem(connection.settings_dict, "PORT", "5432")
        yield found
    reconnect()
    found.shut()
    shutil.rmtree(folder)


def reconnect() -> None:
    """Have the next query open a new pool."""
    connection.close()
    connection.close_pool()


def is_served(everybody: threading.Barrier) -> bool:
    """What becomes of one request; it keeps its connection until the others have theirs."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return True
    except OperationalError:
        return False
    finally:
        everybody.wait(timeout=20)
        connection.close()


def served_at_once() -> int:
    """How many are served of as many simultaneous requests as the pool has connections."""
    everybody = threading.Barrier(settings.DATABASE_POOL_SIZE)
    with ThreadPoolExecutor(everybody.parties) as pool:
        return sum(pool.map(is_served, [everybody] * everybody.parties))


def test_requests_are_served_soon_after_the_database_is_back(gateway):
    assert served_at_once() == settings.DATABASE_POOL_SIZE
    gateway.shut()
    shut_at = time.monotonic()
    while time.monotonic() < shut_at + OUTAGE_SECONDS:
        assert served_at_once() == 0
    gateway.open()
    open_at = time.monotonic()
    while served_at_once() < settings.DATABASE_POOL_SIZE:
        assert time.monotonic() < open_at + 30, "the pool never recovers"
    assert time.monotonic() < open_at + LONGEST_RECOVERY_SECONDS
