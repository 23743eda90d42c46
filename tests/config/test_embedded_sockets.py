"""The sockets' folder: short, private, verified, put back when it is cleaned away."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import embedded
from config.embedded import accounts, sockets
from config.embedded.endpoints import Endpoints
from tests.config.embedded_instances import Holder, data_folder, query, wait_until


@pytest.fixture(scope="module")
def instance() -> Iterator[tuple[Path, Endpoints]]:
    with data_folder() as folder, Holder(folder) as holder:
        yield folder, holder.endpoints


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of our own, in which everybody may write."""
    with tempfile.TemporaryDirectory(prefix="tmp é ", dir="/tmp") as name:
        Path(name).chmod(0o1777)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


def test_is_closed_to_others_and_short_enough(instance):
    folder = instance[1].socket_dir
    found = folder.stat()
    assert stat.S_IMODE(found.st_mode) == 0o700
    assert found.st_uid == (instance[0] / "embedded" / "postgres").stat().st_uid
    assert all(len(os.fsencode(path)) <= 103 for path in folder.iterdir())
    assert {path.name for path in folder.iterdir()} >= {
        ".s.PGSQL.5432",
        "broker.sock",
        "cache.sock",
    }


def test_comes_back_when_it_was_cleaned_away(instance):
    data_dir, services = instance
    before = embedded.status(data_dir)
    query(services, "CREATE TABLE IF NOT EXISTS kept AS SELECT 5 AS n")
    shutil.rmtree(services.socket_dir)
    wait_until(services.answer)
    after = embedded.status(data_dir)
    assert after.supervisor_pid == before.supervisor_pid
    assert stat.S_IMODE(services.socket_dir.stat().st_mode) == 0o700
    assert query(services, "SELECT n FROM kept") == 5


def test_one_lost_socket_restarts_its_server_alone(instance):
    data_dir, services = instance
    before = embedded.status(data_dir)
    (services.socket_dir / "cache.sock").unlink()
    wait_until(services.answer)
    after = embedded.status(data_dir)
    assert after.cache_pid != before.cache_pid
    assert (after.postgres_pid, after.broker_pid) == (before.postgres_pid, before.broker_pid)


def test_a_folder_that_is_not_ours_is_left_alone(temporary):
    account = accounts.choose([])
    target = temporary / "elsewhere"
    target.mkdir(mode=0o700)
    (temporary / "name").symlink_to(target)
    claimed = sockets.claim(account, "name")
    assert claimed.parent == temporary
    assert claimed.name.startswith("name-")
    assert sockets.is_trusted(claimed, account.uid)
    assert not sockets.is_trusted(temporary / "name", account.uid)
    assert list(target.iterdir()) == []


def test_a_folder_open_to_others_is_not_trusted(temporary):
    account = accounts.choose([])
    first = sockets.claim(account, "name")
    first.chmod(0o755)
    second = sockets.claim(account, "name")
    assert second != first
    assert sockets.is_trusted(second, account.uid)


@pytest.mark.parametrize("name", ["d" * 90, "a,b"])
def test_another_place_is_taken_when_a_socket_would_not_fit(temporary, monkeypatch, name):
    unfit = temporary / name
    unfit.mkdir()
    unfit.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(unfit))
    claimed = sockets.claim(accounts.choose([]), f"cliffhanger-test-{os.getpid()}")
    try:
        assert claimed.parent == temporary.parent
    finally:
        sockets.remove(claimed)
    assert not claimed.exists()


def test_a_place_where_anybody_could_replace_it_is_not_taken(temporary):
    temporary.chmod(0o777)  # writable by all, and no sticky bit
    claimed = sockets.claim(accounts.choose([]), f"cliffhanger-test-{os.getpid()}")
    try:
        assert claimed.parent != temporary
    finally:
        sockets.remove(claimed)
