"""Many small files become few, and nobody who reads sees it happen."""

from datetime import timedelta
from uuid import uuid4

import pytest

from analytics.intake import inbox
from analytics.lake import file_store, flushing, merging, reading, repeats
from analytics.models import LakeFile, RepeatedEvent
from tests.factories.events import app_open, body

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def flush(events, *, at):
    """A file of its own for these events."""
    sent = body(events, sent_at=at)
    inbox.receive(viewer_id=uuid4(), environment="production", body=sent, now=at)
    flushing.finish(flushing.write(flushing.claim(now=at)), now=at)


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
