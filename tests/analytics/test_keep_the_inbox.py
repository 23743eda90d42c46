"""The inbox keeps what it must for as long as it must, and says how it does."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analytics import tasks
from analytics.intake import inbox
from analytics.lake import flushing, reading
from analytics.models import EventBatch, Flush, LakeFile, QuarantinedEvent
from tests.factories.events import app_open, body

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]
DAY = timedelta(days=1)


def receive(sent, *, at, viewer_id=None):
    return inbox.receive(
        viewer_id=viewer_id or uuid4(), environment="production", body=sent, now=at
    )


def flush(*, at):
    flushing.finish(flushing.write(flushing.claim(now=at)), now=at)


def prune(*, now):
    return sum(iter(lambda: inbox.prune(now=now), 0))


def test_batches_go_a_day_after_they_are_in_the_lake(now):
    receive(body([app_open(at=now)], sent_at=now), at=now - 9 * DAY)
    flush(at=now)

    assert prune(now=now + DAY - timedelta(microseconds=1)) == 0
    assert EventBatch.objects.exists()
    assert prune(now=now + DAY) == 2, "the batch and its flush"
    assert not EventBatch.objects.exists()


def test_a_flush_goes_with_its_batches_and_leaves_its_files_in_the_lake(now):
    for hours in (2, 1, 0):
        receive(body([app_open(at=now)], sent_at=now), at=now - timedelta(hours=hours))
        flush(at=now - timedelta(hours=hours))

    assert prune(now=now - timedelta(hours=1) + DAY) == 4

    kept = Flush.objects.get()
    assert kept.finished_at == now
    assert list(LakeFile.objects.order_by("id").values_list("flush", flat=True)) == [
        None,
        None,
        kept.id,
    ]
    with reading.connection() as opened:
        assert opened.execute("SELECT count(*) FROM events").fetchall() == [(3,)]


def test_pruning_asks_for_nothing_that_it_leaves_there(now):
    """So it reads what there is to delete, and walks no history."""
    for _ in range(3):
        receive(body([app_open(at=now)], sent_at=now), at=now)
        flush(at=now)
    prune(now=now + DAY)

    with CaptureQueriesContext(connection) as captured:
        assert inbox.prune(now=now + DAY) == 0

    asked = [query["sql"] for query in captured if query["sql"].startswith("SELECT")]
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("EXPLAIN " + asked[0])
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
        cursor.execute(asked[0])
        assert cursor.fetchall() == []
    assert "flush_finished" in plan


def test_batches_that_are_not_in_the_lake_stay(now):
    receive(body([app_open(at=now)], sent_at=now), at=now)
    flushing.claim(now=now)
    receive(body([app_open(at=now)], sent_at=now), at=now)

    assert prune(now=now + 30 * DAY) == 0
    assert EventBatch.objects.count() == 2


def test_quarantined_events_go_after_14_days(now):
    receive(body([{}, {}], sent_at=now), at=now)

    assert prune(now=now + 14 * DAY - timedelta(microseconds=1)) == 0
    assert prune(now=now + 14 * DAY) == 2
    assert not QuarantinedEvent.objects.exists()


def test_each_step_deletes_a_bounded_number(now, monkeypatch):
    monkeypatch.setattr(inbox, "PRUNED_AT_ONCE", 2)
    receive(body([{}] * 5, sent_at=now), at=now)

    steps = [inbox.prune(now=now + 15 * DAY) for _ in range(4)]

    assert steps == [2, 2, 1, 0]


def test_the_task_prunes_all(now):
    """By the machine's clock, at which the tests' moment is long past."""
    receive(body([{}] * 5, sent_at=now), at=now)
    flush(at=now)

    assert tasks.prune_events() == 7


def test_a_batch_sent_again_after_it_was_pruned_counts_once(now):
    sent, viewer_id = body([app_open(at=now)], sent_at=now), uuid4()
    receive(sent, at=now, viewer_id=viewer_id)
    flush(at=now)
    prune(now=now + DAY)

    receive(sent, at=now + DAY, viewer_id=viewer_id)
    flush(at=now + DAY)

    with reading.connection() as opened:
        assert opened.execute("SELECT received_at FROM events").fetchall() == [
            (now.replace(tzinfo=None),)
        ]


def test_an_idle_inbox_is_healthy(now):
    assert inbox.health(now=now) == inbox.Health(
        waiting_batches=0,
        oldest_waiting=None,
        flushed_events_last_hour=0,
        quarantined_last_day={},
        lapsed_flushes=0,
        last_flush_ago=None,
        repeated=0,
        in_conflict=0,
    )


def test_health_says_what_waits_what_went_and_what_was_refused(now):
    minute = timedelta(minutes=1)
    receive(body([app_open(at=now)] * 3, sent_at=now), at=now - 90 * minute)
    flush(at=now - 61 * minute)
    receive(body([app_open(at=now), {}, {"type": "x"}, {}], sent_at=now), at=now - 30 * minute)
    flush(at=now - 20 * minute)
    receive(body([app_open(at=now)], sent_at=now), at=now - 10 * minute)
    flushing.claim(now=now - 5 * minute)
    receive(body([app_open(at=now)], sent_at=now), at=now - 2 * minute)
    receive(body([app_open(at=now)], sent_at=now), at=now - minute)

    assert inbox.health(now=now) == inbox.Health(
        waiting_batches=2,
        oldest_waiting=2 * minute,
        flushed_events_last_hour=1,
        quarantined_last_day={"malformed_event": 2, "unknown_type": 1},
        lapsed_flushes=1,
        last_flush_ago=20 * minute,
        repeated=2,
        in_conflict=0,
    )
