"""Files that nothing names go, days that are over go, and nothing else does."""

import os
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile

from analytics import tasks
from analytics.intake import inbox
from analytics.lake import chores, file_store, flushing, merging, orphans, reading, retention
from analytics.models import Flush, LakeFile
from config import clock
from tests.factories.events import app_open, body

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def receive(*, at, days_ago=0):
    happened = at - timedelta(days=days_ago)
    inbox.receive(
        viewer_id=uuid4(),
        environment="production",
        body=body([app_open(at=happened)], sent_at=at),
        now=at,
    )


def flush(*, at, days_ago=0):
    receive(at=at, days_ago=days_ago)
    flushing.finish(flushing.write(flushing.claim(now=at)), now=at)


def leave(name, *, at):
    """A file that nobody names, last written at a moment."""
    file_store.storage().save(name, ContentFile(b"left by who died"))
    os.utime(file_store.storage().path(name), (at.timestamp(), at.timestamp()))
    return name


def count():
    with reading.connection() as opened:
        [(found,)] = opened.execute("SELECT count(*) FROM events").fetchall()
    return found


def test_a_file_that_nothing_names_goes_when_it_is_a_day_old(now):
    flush(at=now)
    named = LakeFile.objects.get().path
    path = file_store.local_path(named)
    os.utime(path, (0, 0))
    old = leave("events/day=2026-03-14/old.parquet", at=now - DAY)
    half = leave("facts/unlocks/day=2026-03-14/tmpx.part", at=now - DAY)
    young = leave("events/day=2026-03-14/young.parquet", at=now - DAY + HOUR)

    assert orphans.sweep(now=now) == 2

    storage = file_store.storage()
    assert [storage.exists(name) for name in (old, half, young, named)] == [
        False,
        False,
        True,
        True,
    ]
    assert count() == 1


def test_what_a_flush_has_in_hand_stays_however_slow_it_is(now):
    receive(at=now)
    claim = flushing.claim(now=now)
    written = flushing.write(claim)
    for file in written.files:
        os.utime(file_store.storage().path(file.path), (0, 0))

    assert orphans.sweep(now=now + 9 * DAY) == 0
    flushing.finish(written, now=now + 9 * DAY)
    assert count() == 1
    assert orphans.sweep(now=now + 9 * DAY) == 0


def test_a_retired_file_is_no_orphan_until_it_was_deleted(now):
    flush(at=now)
    os.utime(file_store.local_path(LakeFile.objects.get().path), (0, 0))
    LakeFile.objects.update(retired_at=now)

    assert orphans.sweep(now=now) == 0
    assert merging.delete_retired(now=now + HOUR) == 1
    assert not Flush.objects.filter(finished_at=None).exists()


def test_what_was_fetched_of_files_that_are_gone_goes_too(now, settings):
    cache = settings.DATA_DIR / "lake-cache" / "events"
    cache.mkdir(parents=True)
    for name, age in (("gone", 2 * DAY), ("fetched-now", timedelta())):
        (cache / name).write_bytes(b"a viewer's")
        at = clock.read() - age
        os.utime(cache / name, (at.timestamp(), at.timestamp()))

    assert orphans.sweep(now=now) == 1
    assert [path.name for path in cache.iterdir()] == ["fetched-now"]


def test_days_are_kept_for_ever_or_as_long_as_is_set(now, settings):
    for days_ago in (0, 9, 10, 11):
        flush(at=now, days_ago=days_ago)

    assert retention.retire(now=now) == 0
    settings.EVENTS_KEPT_DAYS = 10
    assert retention.retire(now=now) == 1
    assert count() == 3
    LakeFile.objects.update(dataset="unlocks")
    assert retention.retire(now=now + 99 * DAY) == 0, "facts of money stay"


def test_orphans_are_looked_for_once_an_hour(monkeypatch):
    looked = []

    def sweep(*, now):
        looked.append(now)
        return 0

    monkeypatch.setattr(orphans, "sweep", sweep)

    tasks.tend_lake()
    tasks.tend_lake()
    assert len(looked) == 1
    chores.note("orphans", now=looked[0] - HOUR)
    tasks.tend_lake()
    assert len(looked) == 2


def test_the_sweeper_rings_for_what_the_lake_needs(settings):
    needs = {tasks.tend_lake.name, tasks.erase_events.name, tasks.export_facts.name}
    assert needs <= set(settings.SWEPT_TASKS)
