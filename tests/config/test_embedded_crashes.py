"""After any SIGKILL the services come back by themselves, with everything that was committed."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Queue

import psycopg
import pytest
import redis

from config import embedded
from config.embedded import processes
from config.embedded.endpoints import Endpoints
from tests.config.embedded_instances import (
    Holder,
    data_folder,
    is_alive,
    kill,
    query,
    wait_until,
    wait_until_ready,
    zombies_of,
)

pytestmark = pytest.mark.matrix(3)

SERVERS = ("postgres_pid", "broker_pid", "cache_pid")


@pytest.fixture(scope="module")
def instance() -> Iterator[tuple[Path, Endpoints]]:
    """One durable instance, with one user who does nothing but hold it."""
    with data_folder() as data_dir, Holder(data_dir, durable=True) as holder:
        yield data_dir, holder.endpoints


@pytest.fixture
def data_dir(instance: tuple[Path, Endpoints]) -> Path:
    wait_until_ready(instance[0])
    return instance[0]


@pytest.fixture
def services(instance: tuple[Path, Endpoints]) -> Endpoints:
    return instance[1]


def wait_for_another(data_dir: Path, before: embedded.Status, names: tuple[str, ...]) -> None:
    def has_come() -> bool:
        now = embedded.status(data_dir)
        return now.phase == "ready" and all(
            getattr(now, name) not in {None, getattr(before, name)} for name in names
        )

    wait_until(has_come)


def broker_of(services: Endpoints) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(services.socket_dir / "broker.sock"))


@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_server_is_replaced_alone(name, data_dir, services):
    before = embedded.status(data_dir)
    kill(getattr(before, name))
    wait_for_another(data_dir, before, (name,))
    after = embedded.status(data_dir)
    assert after.supervisor_pid == before.supervisor_pid
    others = [other for other in SERVERS if other != name]
    assert [getattr(after, other) for other in others] == [
        getattr(before, other) for other in others
    ]
    assert services.answer()


def test_committed_rows_survive_a_killed_postgres(data_dir, services):
    query(services, "CREATE TABLE IF NOT EXISTS committed (n bigint)")
    query(services, "TRUNCATE committed")
    acknowledged: list[int] = []
    pid = embedded.status(data_dir).postgres_pid

    def write() -> None:
        with psycopg.connect(services.database_url, autocommit=True) as connection:
            while True:
                connection.execute("INSERT INTO committed VALUES (%s)", [len(acknowledged)])
                acknowledged.append(len(acknowledged))

    def write_until_cut_off() -> None:
        with suppress(psycopg.OperationalError):
            write()

    writer = threading.Thread(target=write_until_cut_off, daemon=True)
    writer.start()
    wait_until(lambda: len(acknowledged) > 20)
    kill(pid)
    writer.join(timeout=20)
    wait_until(services.answer)
    kept = query(services, "SELECT count(*) FROM committed")
    assert len(acknowledged) <= kept <= len(acknowledged) + 1


def test_the_queue_survives_a_killed_broker(data_dir, services):
    before = embedded.status(data_dir)
    with broker_of(services) as broker:
        broker.delete("tasks")
        broker.rpush("tasks", *range(500))
    kill(before.broker_pid)
    wait_for_another(data_dir, before, ("broker_pid",))
    with broker_of(services) as broker:
        assert broker.llen("tasks") == 500


def test_a_living_user_brings_back_a_killed_supervisor(data_dir, services):
    query(services, "CREATE TABLE IF NOT EXISTS before_kill AS SELECT 7 AS n")
    before = embedded.status(data_dir)
    kill(before.supervisor_pid)
    wait_for_another(data_dir, before, ("supervisor_pid", *SERVERS))
    assert not any(is_alive(getattr(before, name)) for name in SERVERS)
    assert query(services, "SELECT n FROM before_kill") == 7


def test_everything_comes_back_when_all_is_killed_at_once(data_dir, services):
    with broker_of(services) as broker:
        broker.set("kept", "yes")
    before = embedded.status(data_dir)
    for name in ("supervisor_pid", *SERVERS):
        # Its parent's death may have ended a server before we come to it.
        with suppress(ProcessLookupError):
            os.kill(getattr(before, name), signal.SIGKILL)
    wait_for_another(data_dir, before, ("supervisor_pid", *SERVERS))
    assert services.answer()
    with broker_of(services) as broker:
        assert broker.get("kept") == b"yes"


def test_a_newcomer_need_not_wait_for_the_others_to_notice(data_dir, services):
    before = embedded.status(data_dir)
    kill(before.supervisor_pid)
    with Holder(data_dir, durable=True) as newcomer:
        assert newcomer.endpoints == services
        assert embedded.status(data_dir).supervisor_pid != before.supervisor_pid


def test_a_busy_backend_does_not_block_the_next_postgres(data_dir, services):
    before = embedded.status(data_dir)
    backend_pids: Queue[int] = Queue()

    def be_busy() -> None:
        with psycopg.connect(services.database_url, autocommit=True) as connection:
            backend_pids.put(connection.info.backend_pid)
            with suppress(psycopg.OperationalError):
                connection.execute("DO $$ BEGIN LOOP END LOOP; END $$")

    busy = threading.Thread(target=be_busy, daemon=True)
    busy.start()
    backend_pid = backend_pids.get(timeout=20)
    try:
        asked = f"SELECT state FROM pg_stat_activity WHERE pid = {backend_pid}"
        wait_until(lambda: query(services, asked) == "active")
        kill(before.postgres_pid)
        wait_for_another(data_dir, before, ("postgres_pid",))
        assert not is_alive(backend_pid)
        assert query(services, "SELECT 1") == 1
    finally:
        with suppress(ProcessLookupError):
            os.kill(backend_pid, signal.SIGKILL)
        busy.join(timeout=20)


def test_a_lock_file_that_names_a_stranger_is_no_obstacle(data_dir, services):
    """After a container restarts, the process id in postmaster.pid often is somebody else's."""
    before = embedded.status(data_dir)
    lock_file = data_dir / "embedded" / "postgres" / "postmaster.pid"
    lines = lock_file.read_text(encoding="utf-8").split("\n")
    # PostgreSQL itself disregards a process of another user, so take one of the same user.
    lock_file.write_text("\n".join([str(before.broker_pid), *lines[1:]]), encoding="utf-8")
    kill(before.postgres_pid)
    wait_for_another(data_dir, before, ("postgres_pid",))
    assert services.answer()


def test_the_dead_are_collected(data_dir, services):
    before = embedded.status(data_dir)
    backends = [
        process.pid
        for process in processes.servers(services.socket_dir.name.rsplit("-", 1)[0])
        if process.is_backend
    ]
    assert backends
    for name in SERVERS:
        kill(getattr(before, name))
    wait_for_another(data_dir, before, SERVERS)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in backends), seconds=5)
    wait_until(lambda: zombies_of(before.supervisor_pid) == [], seconds=5)
