"""A flush is one worker's at a time. Whoever dies, its files are written again, and count once."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection

from analytics import tasks
from analytics.intake import inbox
from analytics.lake import file_store, flushing, reading
from analytics.models import EventBatch, Flush, LakeFile
from tests.factories.events import app_open, body

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def batches(now):
    """Three batches that wait in the inbox."""
    for second in range(3):
        sent = body([app_open(at=now), app_open(at=now)], sent_at=now)
        at = now + timedelta(seconds=second)
        inbox.receive(viewer_id=uuid4(), environment="production", body=sent, now=at)


@pytest.fixture
def lapse():
    """How long a lease lasts."""
    return timedelta(seconds=settings.FLUSH_LEASE_SECONDS)


def counted():
    with reading.connection() as opened:
        return opened.execute("SELECT count(*), count(DISTINCT event_id) FROM events").fetchone()


def content(path):
    return file_store.local_path(path).read_bytes()


def test_what_one_has_in_hand_is_nobody_elses(batches, now, lapse):
    assert flushing.claim(now=now) is not None
    assert flushing.claim(now=now) is None
    assert flushing.claim(now=now + lapse - timedelta(microseconds=1)) is None


def test_files_are_no_part_of_the_lake_before_the_manifest_names_them(batches, now):
    written = flushing.write(flushing.claim(now=now))

    assert file_store.storage().exists(written.files[0].path)
    assert counted() == (0, 0)


def test_a_lapsed_flush_is_taken_over_with_the_same_content_under_another_name(batches, now, lapse):
    first = flushing.claim(now=now)
    left = flushing.write(first).files[0].path

    second = flushing.claim(now=now + lapse)
    written = flushing.write(second)
    flushing.finish(written, now=now + lapse)

    assert second.flush_id == first.flush_id
    kept = LakeFile.objects.get().path
    assert [file.path for file in written.files] == [kept]
    assert kept != left
    assert content(kept) == content(left)
    assert counted() == (6, 6)


def test_the_slow_one_never_touches_a_file_of_the_lake(batches, now, lapse, own_lake):
    """Whatever it would write there, by other code or another version of a library."""
    slow = flushing.claim(now=now)
    quick = flushing.claim(now=now + lapse)
    flushing.finish(flushing.write(quick), now=now + lapse)
    kept = file_store.local_path(LakeFile.objects.get().path)
    before = kept.stat()

    flushing.write(slow)

    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert len(list(own_lake.rglob("*.parquet"))) == 2


def test_the_slow_one_loses_the_flush_and_changes_nothing(batches, now, lapse):
    slow = flushing.claim(now=now)
    quick = flushing.claim(now=now + lapse)
    written = flushing.write(quick)
    flushing.finish(written, now=now + lapse)
    before = list(LakeFile.objects.values()), list(Flush.objects.values())
    kept = content(written.files[0].path)

    with pytest.raises(flushing.LeaseLost):
        flushing.finish(flushing.write(slow), now=now + 2 * lapse)

    assert (list(LakeFile.objects.values()), list(Flush.objects.values())) == before
    assert content(written.files[0].path) == kept
    assert counted() == (6, 6)


def test_the_slow_one_loses_the_flush_before_the_other_is_done(batches, now, lapse):
    slow = flushing.write(flushing.claim(now=now))
    quick = flushing.write(flushing.claim(now=now + lapse))

    with pytest.raises(flushing.LeaseLost):
        flushing.finish(slow, now=now + lapse)

    assert not LakeFile.objects.exists()
    flushing.finish(quick, now=now + lapse)
    assert counted() == (6, 6)


def test_a_flush_is_finished_once(batches, now):
    written = flushing.write(flushing.claim(now=now))
    flushing.finish(written, now=now)

    with pytest.raises(flushing.LeaseLost):
        flushing.finish(written, now=now)

    assert LakeFile.objects.count() == 1


def test_a_finished_flush_is_not_taken_over(batches, now, lapse):
    flushing.finish(flushing.write(flushing.claim(now=now)), now=now)

    assert flushing.claim(now=now + 2 * lapse) is None


def test_many_at_once_move_every_event_once(now, monkeypatch):
    monkeypatch.setattr(flushing, "BATCHES_PER_FLUSH", 3)
    for _ in range(40):
        sent = body([app_open(at=now)], sent_at=now)
        inbox.receive(viewer_id=uuid4(), environment="production", body=sent, now=now)
    faults = []

    def work():
        try:
            tasks.flush_events()
        except Exception as fault:  # noqa: BLE001  shown by the test
            faults.append(fault)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert faults == []
    assert not EventBatch.objects.filter(flush=None).exists()
    assert sum(Flush.objects.values_list("event_count", flat=True)) == 40
    assert counted() == (40, 40)
    assert not LakeFile.objects.filter(compared_at=None).exists()


def test_the_task_empties_the_inbox(batches, monkeypatch):
    monkeypatch.setattr(flushing, "BATCHES_PER_FLUSH", 1)

    assert tasks.flush_events() == 6
    assert tasks.flush_events() == 0
    assert Flush.objects.count() == 3
    assert counted() == (6, 6)
