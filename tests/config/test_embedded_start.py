"""A first start, a later one, and several at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
import redis
from kombu import Connection

from config import embedded
from config.embedded import postgres
from config.embedded.endpoints import POSTGRES_SOCKET, Endpoints
from tests.config.embedded_instances import Holder, data_folder, is_alive, query, wait_until_ready

pytestmark = pytest.mark.matrix(3)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Path, Endpoints]]:
    """One durable instance for the tests that only look at it."""
    with data_folder() as folder, Holder(folder, durable=True) as holder:
        yield folder, holder.endpoints


@pytest.fixture
def services(running: tuple[Path, Endpoints]) -> Endpoints:
    return running[1]


@pytest.fixture(scope="module")
def used_folder() -> Iterator[Path]:
    with data_folder() as folder:
        with Holder(folder) as holder:
            query(holder.endpoints, "CREATE TABLE kept AS SELECT 42 AS n")
        yield folder


@pytest.fixture
def stopped(used_folder: Path) -> Path:
    """A data folder that was used before and has no services now."""
    embedded.stop(used_folder, force=True)
    return used_folder


def test_gives_a_database_and_two_redis(services):
    with psycopg.connect(services.database_url) as connection:
        asked = "SELECT current_user, current_database(), uuidv7() IS NOT NULL"
        assert connection.execute(asked).fetchone() == ("cliffhanger", "cliffhanger", True)
    with Connection(services.broker_url) as connection, connection.SimpleQueue("q") as queue:
        queue.put({"id": 1})
        received = queue.get(timeout=5)
        assert received.payload == {"id": 1}
        received.ack()
    with redis.from_url(services.cache_url) as cache:
        assert cache.set("k", "v")
        assert cache.get("k") == b"v"


def test_waits_for_the_disk_and_listens_to_no_network(services):
    names = ["fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "TimeZone"]
    assert {name: query(services, f"SHOW {name}") for name in names} == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "",
        "TimeZone": "UTC",
    }
    assert query(services, "SHOW server_encoding") == "UTF8"
    assert query(services, "SHOW server_version_num") >= "180000"


@pytest.mark.parametrize(
    ("socket_name", "settings"),
    [
        ("broker.sock", {"maxmemory-policy": "noeviction", "appendonly": "yes", "port": "0"}),
        ("cache.sock", {"maxmemory-policy": "allkeys-lru", "appendonly": "no", "port": "0"}),
    ],
)
def test_keeps_the_queue_and_evicts_the_cache(services, socket_name, settings):
    with redis.Redis(unix_socket_path=str(services.socket_dir / socket_name)) as server:
        assert {key: server.config_get(key)[key] for key in settings} == settings


def test_sorts_and_reads_words_as_unicode(services):
    assert query(services, "SELECT lower('ÉLAN')") == "élan"
    words = query(services, "SELECT to_tsvector('simple', '“你好” 世界')::text")
    assert words == "'世界':2 '你好':1"


def test_creating_the_database_again_is_no_error(services):
    """As when the first attempt took so long that it was given up and repeated."""
    postgres._create_database(services.socket_dir / POSTGRES_SOCKET)
    assert query(services, "SELECT current_database()") == "cliffhanger"


def test_costs_milliseconds_while_the_services_run(running):
    first, again = [], []
    for _ in range(5):
        with Holder(running[0]) as newcomer:
            first.append(newcomer.told["first_seconds"])
            again.append(newcomer.told["again_seconds"])
    assert min(first) < 0.05
    assert min(again) < 0.05


def test_starters_at_once_share_one_supervisor():
    with data_folder() as data_dir, ExitStack() as stack:
        holders = [stack.enter_context(Holder(data_dir)) for _ in range(5)]
        assert len({holder.told["socket_dir"] for holder in holders}) == 1
        status = wait_until_ready(data_dir)
        assert is_alive(status.supervisor_pid)
        assert sorted(status.user_pids) == sorted(holder.process.pid for holder in holders)
        assert query(holders[-1].endpoints, "SELECT 1") == 1
        log = (data_dir / "embedded" / "services.log").read_text(encoding="utf-8")
        assert log.count("creating a PostgreSQL cluster") == 1


def test_finds_yesterdays_rows(stopped):
    with Holder(stopped) as holder:
        assert query(holder.endpoints, "SELECT n FROM kept") == 42


def test_refuses_a_durable_user_while_it_runs_without(stopped):
    with Holder(stopped) as holder:
        assert query(holder.endpoints, "SHOW fsync") == "off"
        with (
            Holder(stopped, durable=True) as other,
            pytest.raises(AssertionError, match="run without waiting for the disk"),
        ):
            _ = other.endpoints


def test_refuses_data_of_another_major_version(stopped):
    version = stopped / "embedded" / "postgres" / "PG_VERSION"
    version.write_text("17\n", encoding="ascii")
    with (
        Holder(stopped) as holder,
        pytest.raises(AssertionError, match=r"was made by PostgreSQL 17.*brings PostgreSQL 18"),
    ):
        _ = holder.endpoints
    assert embedded.status(stopped).phase == "failed"
    version.write_text("18\n", encoding="ascii")
    with Holder(stopped) as holder:
        assert query(holder.endpoints, "SELECT n FROM kept") == 42


def test_shows_the_log_when_a_server_does_not_start(stopped):
    control = stopped / "embedded" / "postgres" / "global" / "pg_control"
    control.rename(control.with_name("away"))
    try:
        with Holder(stopped) as holder, pytest.raises(AssertionError) as refusal:
            _ = holder.endpoints
    finally:
        control.with_name("away").rename(control)
    assert "postgres does not start" in str(refusal.value)
    assert "pg_control" in str(refusal.value)


def test_leaves_the_terminal_to_others(running):
    data_dir, services = running
    before = embedded.status(data_dir)
    with Holder(data_dir, process_group=0) as holder:
        assert holder.endpoints == services
        assert before.supervisor_pid is not None
        assert os.getsid(before.supervisor_pid) != os.getsid(holder.process.pid)
        os.killpg(holder.process.pid, signal.SIGINT)
        assert holder.process.wait(timeout=10) != 0
    assert embedded.status(data_dir).postgres_pid == before.postgres_pid
