"""Data folders that are moved, copied, deleted, or deep."""

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import embedded
from tests.config.embedded_instances import (
    Holder,
    data_folder,
    is_alive,
    query,
    remove,
    wait_until,
    wait_until_ready,
)

pytestmark = pytest.mark.matrix(3)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder


def modes_above(folder: Path) -> list[tuple[Path, int, int]]:
    found = [(path, path.stat()) for path in folder.parents]
    return [(path, stat.S_IMODE(entry.st_mode), entry.st_uid) for path, entry in found]


def test_works_in_a_deep_folder_and_changes_nothing_outside_it(data_dir):
    """So deep that a socket's path would not fit there."""
    deep = data_dir.joinpath(*(f"{number} très long répertoire" for number in range(8)), "data")
    deep.parent.mkdir(parents=True)
    deep.with_name("beside").mkdir(mode=0o750)
    assert len(str(deep)) > 200
    before = modes_above(deep)
    with Holder(deep) as holder:
        assert query(holder.endpoints, "SELECT 1") == 1
        assert modes_above(deep) == before
        assert sorted(path.name for path in deep.parent.iterdir()) == ["beside", "data"]
        assert [path.name for path in deep.iterdir()] == ["embedded"]
        assert stat.S_IMODE(deep.with_name("beside").stat().st_mode) == 0o750
    remove(deep)


def test_a_moved_folder_keeps_its_rows_and_a_copy_gets_its_own(data_dir):
    with Holder(data_dir) as holder:
        query(holder.endpoints, "CREATE TABLE kept AS SELECT 1 AS n")
    embedded.stop(data_dir)
    moved, copied = data_dir.with_name("moved"), data_dir.with_name("copied")
    data_dir.rename(moved)
    shutil.copytree(moved, copied)  # as root this makes everything root's
    try:
        with Holder(moved) as first, Holder(copied) as second:
            assert first.endpoints.socket_dir != second.endpoints.socket_dir
            query(second.endpoints, "UPDATE kept SET n = 2")
            assert query(first.endpoints, "SELECT n FROM kept") == 1
            assert query(second.endpoints, "SELECT n FROM kept") == 2
            assert not data_dir.exists()
    finally:
        remove(moved)
        remove(copied)


def test_a_copy_of_running_services_is_refused(data_dir):
    copied = data_dir.with_name("copied")
    with Holder(data_dir) as holder:
        assert holder.endpoints
        shutil.copytree(data_dir, copied)
    with (
        Holder(copied) as holder,
        pytest.raises(AssertionError, match=r"was copied from .* while its services ran"),
    ):
        _ = holder.endpoints


def test_a_folder_deleted_in_use_ends_its_services_and_begins_afresh(data_dir):
    with Holder(data_dir) as holder:
        query(holder.endpoints, "CREATE TABLE gone ()")
        before = wait_until_ready(data_dir)
        shutil.rmtree(data_dir, ignore_errors=True)  # servers may remove a file before we do
        wait_until(lambda: not is_alive(before.supervisor_pid))
        assert not is_alive(before.postgres_pid)
        assert not holder.endpoints.socket_dir.exists()
        assert not data_dir.exists()
        with Holder(data_dir) as newcomer:
            assert newcomer.endpoints.socket_dir != holder.endpoints.socket_dir
            assert query(newcomer.endpoints, "SELECT to_regclass('gone')") is None


def test_a_folder_moved_in_use_is_shut_down_cleanly(data_dir):
    moved = data_dir.with_name("moved")
    with Holder(data_dir) as holder:
        query(holder.endpoints, "CREATE TABLE kept AS SELECT 3 AS n")
        before = wait_until_ready(data_dir)
        data_dir.rename(moved)
        wait_until(lambda: not is_alive(before.supervisor_pid))
    log = (moved / "embedded" / "services.log").read_text(encoding="utf-8")
    assert "database system is shut down" in log
    with Holder(moved) as holder:
        assert query(holder.endpoints, "SELECT n FROM kept") == 3
    remove(moved)


def test_the_remains_of_a_deletion_are_no_obstacle(data_dir):
    remains = data_dir / "embedded" / "postgres" / "pg_wal"
    remains.mkdir(parents=True)
    with Holder(data_dir) as holder:
        assert query(holder.endpoints, "SELECT 1") == 1
