"""Many small files become few, and nobody who reads sees it happen."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from django.db import connection

from analytics import tasks
from analytics.intake import inbox
from analytics.lake import file_store, flushing, merging, reading, repeats, writing
from analytics.models import Flush, LakeFile, RepeatedEvent
from config import advisory_lock
from tests.factories.events import app_open, body

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def flush(events, *, at):
    """A file of its own for these events, which came into the lake then, whenever that is recorded."""
    sent = body(events, sent_at=at)
    inbox.receive(viewer_id=uuid4(), environment="production", body=sent, now=at)
    claim = flushing.claim(now=at)
    Flush.objects.filter(id=claim.flush_id).update(arrived_at=at)
    flushing.finish(flushing.write(claim), now=at)


def counted():
    with reading.connection() as opened:
        return sorted(opened.execute("SELECT event_id, batch_id FROM events").fetchall())


def live():
    return LakeFile.objects.filter(retired_at=None)


def test_a_past_days_files_become_one_with_the_same_events(now):
    for second in range(3):
        flush([app_open(at=now), app_open(at=now)], at=now + timedelta(seconds=second))
    repeats.settle(now=now)
    before = counted()

    assert merging.merge_next(now=now + 3 * DAY) == 3

    assert counted() == before
    assert len(before) == 6
    assert live().get().row_count == 6
    assert merging.merge_next(now=now + 3 * DAY) == 0


def test_copies_that_do_not_count_are_left_out(now):
    opened = app_open(at=now)
    for second in range(3):
        flush([opened, app_open(at=now)], at=now + timedelta(seconds=second))
    repeats.settle(now=now)
    before = counted()

    merging.merge_next(now=now + 3 * DAY)

    assert counted() == before
    assert live().get().row_count == len(before) == 4


def test_a_copy_that_comes_after_the_merge_does_not_count(now):
    opened = app_open(at=now)
    flush([opened], at=now)
    flush([app_open(at=now)], at=now)
    repeats.settle(now=now)
    merging.merge_next(now=now + 3 * DAY)
    before = counted()

    flush([opened], at=now + HOUR)
    assert counted() == before
    repeats.settle(now=now + HOUR)
    assert counted() == before


def test_a_present_days_files_wait_until_they_are_many(now, monkeypatch):
    monkeypatch.setattr(merging, "MANY", 3)
    for _ in range(2):
        flush([app_open(at=now)], at=now)
    repeats.settle(now=now)
    assert merging.merge_next(now=now) == 0

    flush([app_open(at=now)], at=now)
    assert merging.merge_next(now=now) == 0, "the third was never compared"
    repeats.settle(now=now)
    assert merging.merge_next(now=now) == 3


def test_few_files_wait_for_an_hour_of_whatever_day_they_are(now, monkeypatch):
    monkeypatch.setattr(merging, "MANY", 3)
    for day in (now, now - 3 * DAY):
        for _ in range(2):
            flush([app_open(at=day)], at=day)
    first, *others = live().order_by("id")
    LakeFile.objects.update(created_at=now + HOUR)
    LakeFile.objects.filter(id__in=[first.id, others[1].id]).update(created_at=now)
    repeats.settle(now=now)
    assert merging.merge_next(now=now + HOUR - timedelta(microseconds=1)) == 0
    assert [merging.merge_next(now=now + HOUR) for _ in range(3)] == [2, 2, 0]

    flush([app_open(at=now)], at=now)
    LakeFile.objects.update(created_at=now + HOUR)
    repeats.settle(now=now)
    assert merging.merge_next(now=now + 2 * HOUR - timedelta(microseconds=1)) == 0
    assert merging.merge_next(now=now + 2 * HOUR) == 2, (
        "an hour's files join those of the hour before"
    )


def test_a_large_file_is_not_written_again_for_what_trickles_in(now):
    flush([app_open(at=now) for _ in range(9)], at=now)
    for _ in range(2):
        flush([app_open(at=now)], at=now)
    repeats.settle(now=now)

    assert merging.merge_next(now=now + 3 * DAY) == 2
    assert sorted(live().values_list("row_count", flat=True)) == [2, 9]
    assert merging.merge_next(now=now + 9 * DAY) == 0

    flush([app_open(at=now)], at=now)
    repeats.settle(now=now)
    assert merging.merge_next(now=now + 4 * DAY) == 3, "9 rows are no more than 4 times 3"
    assert live().get().row_count == len(counted()) == 12


def test_a_trickle_writes_each_row_a_few_times_over(now):
    """Not once for each of the 30 files that come one by one."""
    written = 0
    flush([app_open(at=now) for _ in range(100)], at=now)
    for hours in range(30):
        flush([app_open(at=now)], at=now)
        repeats.settle(now=now)
        before = set(live().values_list("id", flat=True))
        while merging.merge_next(now=now + 3 * DAY + hours * HOUR):
            pass
        written += sum(file.row_count for file in live() if file.id not in before)

    assert len(counted()) == 130
    assert written < 10 * 130
    assert live().count() <= 4


def test_days_take_turns(now, monkeypatch):
    monkeypatch.setattr(merging, "ROWS_PER_FILE", 4)
    monkeypatch.setattr(merging, "MANY", 2)
    days = [now, now - 5 * DAY, now - 6 * DAY]
    for at in days:
        for _ in range(8):
            flush([app_open(at=at)], at=at)
    repeats.settle(now=now)

    turns: list[date] = []
    while merging.merge_next(now=now + timedelta(seconds=len(turns))):
        turns.append(LakeFile.objects.order_by("-id").first().day)

    assert turns == [at.date() for at in sorted(days)] * 2
    assert len(counted()) == 24


def test_files_of_different_days_stay_apart(now):
    flush([app_open(at=now)], at=now)
    flush([app_open(at=now + DAY)], at=now + DAY)
    repeats.settle(now=now)

    assert merging.merge_next(now=now + 9 * DAY) == 0


def test_a_file_is_no_larger_than_it_should_be(now, monkeypatch):
    monkeypatch.setattr(merging, "ROWS_PER_FILE", 7)
    for _ in range(4):
        flush([app_open(at=now), app_open(at=now)], at=now)
    repeats.settle(now=now)

    assert [merging.merge_next(now=now + 3 * DAY) for _ in range(2)] == [3, 0]
    assert sorted(live().values_list("row_count", flat=True)) == [2, 6]
    assert len(counted()) == 8


def test_a_merge_gives_way_to_a_repeat_found_meanwhile(now, monkeypatch):
    opened = app_open(at=now)
    flush([opened], at=now + HOUR)
    flush([app_open(at=now)], at=now + HOUR)
    repeats.settle(now=now)
    read = merging._rows

    def interrupted(*asked):
        done = read(*asked)
        flush([opened], at=now)
        repeats.settle(now=now)
        return done

    monkeypatch.setattr(merging, "_rows", interrupted)
    assert merging.merge_next(now=now + 3 * DAY) == 0
    monkeypatch.undo()

    assert RepeatedEvent.objects.count() == 1
    assert len(counted()) == 2


def test_a_slow_merge_never_touches_the_file_of_a_quick_one(now, monkeypatch):
    """It knows of fewer copies that do not count, so it would write more rows than are on record."""
    opened = app_open(at=now)
    flush([opened, app_open(at=now)], at=now + HOUR)
    flush([app_open(at=now)], at=now + HOUR)
    repeats.settle(now=now)
    write = writing.write

    def slow(*asked, **more):
        monkeypatch.undo()
        flush([opened], at=now)
        LakeFile.objects.update(created_at=now)
        LakeFile.objects.filter(compared_at=None).update(row_count=merging.ROWS_PER_FILE)
        repeats.settle(now=now)
        assert merging.merge_next(now=now + 3 * DAY) == 2
        return write(*asked, **more)

    monkeypatch.setattr(writing, "write", slow)
    assert merging.merge_next(now=now + 3 * DAY) == 0

    merged = live().order_by("id").last()
    assert pq.read_metadata(file_store.local_path(merged.path)).num_rows == merged.row_count == 2
    assert len({event_id for event_id, _ in counted()}) == len(counted()) == 3


def test_one_worker_merges_at_a_time(now):
    for _ in range(2):
        flush([app_open(at=now)], at=now)
    repeats.settle(now=now)
    with ThreadPoolExecutor() as other, advisory_lock.tried(merging.LOCK) as is_ours:
        assert is_ours
        assert other.submit(_as_another_worker).result() == 0
        assert live().count() == 2

    assert tasks.merge_lake_files() == 2, "by the machine's clock the tests' day is long past"
    assert live().count() == 1


def _as_another_worker():
    try:
        return tasks.merge_lake_files()
    finally:
        connection.close()


def test_a_comparison_gives_way_to_a_merge_meanwhile(now, monkeypatch):
    opened = app_open(at=now)
    flush([opened], at=now + HOUR)
    flush([app_open(at=now)], at=now + HOUR)
    repeats.settle(now=now)
    flush([opened], at=now)
    find = repeats.find

    def interrupted(connection, **files):
        found = find(connection, **files)
        merging.merge_next(now=now + 3 * DAY)
        return found

    monkeypatch.setattr(repeats, "find", interrupted)
    repeats.settle(now=now)
    monkeypatch.undo()
    assert not RepeatedEvent.objects.exists()
    assert len(counted()) == 2
    repeats.settle(now=now)
    assert RepeatedEvent.objects.count() == 1
    assert len(counted()) == 2


def test_retired_files_stay_for_an_hour_for_those_who_read_them(now):
    flush([app_open(at=now)], at=now)
    flush([app_open(at=now)], at=now)
    repeats.settle(now=now)
    paths = list(live().values_list("path", flat=True))
    with reading.connection() as reader:
        merging.merge_next(now=now + 3 * DAY)
        assert merging.delete_retired(now=now + 3 * DAY + HOUR - timedelta(microseconds=1)) == 0
        assert reader.execute("SELECT count(*) FROM events").fetchall() == [(2,)]

    assert merging.delete_retired(now=now + 3 * DAY + HOUR) == 2
    assert not any(file_store.storage().exists(path) for path in paths)
    assert LakeFile.objects.count() == 1
    assert len(counted()) == 2


def test_files_whose_events_all_count_elsewhere_leave_nothing(now):
    both = [app_open(at=now), app_open(at=now)]
    flush(both, at=now)
    merging.LakeFile.objects.update(row_count=merging.ROWS_PER_FILE)
    for opened in both:
        flush([opened], at=now + HOUR)
    repeats.settle(now=now)

    assert merging.merge_next(now=now + 3 * DAY) == 2
    assert live().count() == 1
    assert len(counted()) == 2
