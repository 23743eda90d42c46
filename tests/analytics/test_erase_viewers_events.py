"""Nothing that is kept of events leads back to a viewer who was erased, and no count changes."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pyarrow.parquet as pq
import pytest
from django.apps import apps
from django.db import connection

from analytics import tasks
from analytics.history import imports
from analytics.intake import inbox
from analytics.lake import erasing, file_store, flushing, merging, reading, repeats
from analytics.models import (
    ErasedViewer,
    EventBatch,
    Flush,
    LakeChore,
    LakeFile,
    QuarantinedEvent,
)
from config import advisory_lock
from tests.factories.events import Playback, app_open, batch, event
from tests.factories.viewers import ViewerFactory
from viewers import flags
from viewers.flags import Evidence
from viewers.models import FlagReason, Viewer

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]
HOUR = timedelta(hours=1)
COUNTS = """
    SELECT type, count(*), count(DISTINCT viewer_id), count(DISTINCT playback_session_id),
           count(DISTINCT event_id), sum(actual_ms), min(occurred_at), max(occurred_at)
    FROM events GROUP BY type ORDER BY type
"""


def asked(statement):
    with reading.connection() as opened:
        return opened.execute(statement).fetchall()


def receive(viewer, events, *, at):
    sent = batch(events, sent_at=at, catalogue=2)
    inbox.receive(
        viewer_id=viewer.id, environment="production", body=msgspec.json.encode(sent), now=at
    )
    return sent["batch_id"]


def flush(*, at):
    flushing.finish(flushing.write(flushing.claim(now=at)), now=at)


def told(viewer, now):
    """What an app reports of a viewer over two days, and every id in it that is theirs alone."""
    playback = Playback(viewer.id, now - HOUR)
    impression = event(
        "feed_impression",
        at=now,
        decision_id=str(uuid4()),
        slot=1,
        series_id=str(playback.series_id),
        visible_ms=2_000,
    )
    ad = event("ad_clicked", at=now, ad_session_id=str(uuid4()), placement="paywall")
    bought = event("purchase_started", at=now, product_id=str(uuid4()), intent_id=str(uuid4()))
    canary = f"canary-of-{viewer.id.hex[-12:]}@example.com"
    refused = event("app_open", at=now, channel=canary)
    events = [
        impression,
        playback.event("playback_start", decision_id=impression["decision_id"]),
        playback.progress(0, 10_000),
        playback.progress(10_000, 20_000),
        ad,
        bought,
        refused,
        app_open(at=now - timedelta(days=1)),
    ]
    batch_id = receive(viewer, events, at=now)
    return events, {
        str(viewer.id),
        str(playback.session_id),
        impression["decision_id"],
        ad["ad_session_id"],
        bought["intent_id"],
        batch_id,
        canary,
    }


def everything_kept():
    """All rows of this app's tables, and all bytes and values of files of the lake, as text."""
    with connection.cursor() as cursor:
        for model in apps.get_app_config("analytics").get_models():
            cursor.execute(f"SELECT to_jsonb(row)::text FROM {model._meta.db_table} AS row")
            yield from (row for (row,) in cursor.fetchall())
    for path in Path(file_store.storage().path("")).rglob("*.parquet"):
        yield path.read_bytes().decode("latin-1")
        yield str(pq.read_table(path, partitioning=None).to_pylist())
        yield path.name


def forms(secret):
    """As text of any kind holds it; a bytea shows as hexadecimal."""
    yield secret
    yield secret.encode().hex()
    if re.fullmatch(r"[0-9a-f-]{36}", secret):
        yield secret.replace("-", "")


def test_an_erased_viewer_is_nowhere_and_counts_as_before(now):
    gone, stays = ViewerFactory(), ViewerFactory()
    events, secrets = told(gone, now)
    told(stays, now)
    flush(at=now)
    # The same event again in another batch, so that one copy does not count.
    receive(gone, [events[4]], at=now + HOUR)
    flush(at=now + HOUR)
    repeats.settle(now=now + HOUR)
    before = asked(COUNTS)
    by_hand = asked("SELECT count(*) FROM events WHERE viewer_id = '" + str(gone.id) + "'")
    assert by_hand == [(7,)]
    gone.erased_at = now + HOUR
    gone.save()

    later = now + 2 * HOUR
    assert erasing.erase_due(now=later) == 1

    assert asked(COUNTS) == before
    assert asked("SELECT count(*) FROM events WHERE viewer_id = '" + str(gone.id) + "'") == [(0,)]
    (theirs,) = asked(
        f"SELECT count(*), count(DISTINCT viewer_id) FROM events WHERE viewer_id <> '{stays.id}'"
    )
    assert theirs == (7, 1)
    assert asked(
        "SELECT count(*) FROM events AS shown JOIN events AS began USING (decision_id, viewer_id)"
        " WHERE shown.type = 'feed_impression' AND began.type = 'playback_start'"
    ) == [(2,)], "what belonged together still does"
    merging.delete_retired(now=later + HOUR)
    ErasedViewer.objects.filter(
        viewer_id=gone.id
    ).delete()  # says that it was done, of nobody's name
    kept = list(everything_kept())
    assert str(stays.id) in "".join(kept), "the search finds what is there"
    for secret in secrets:
        for form in forms(secret):
            assert not [text for text in kept if form in text], secret


def test_what_was_flagged_of_them_counts_no_more_after_than_before(now):
    bot, person, stays = ViewerFactory(), ViewerFactory(), ViewerFactory()
    told(bot, now)
    flush(at=now)  # a file of nothing else
    told(person, now)
    told(stays, now)
    flush(at=now)
    playback = Playback(person.id, now)
    receive(person, [playback.event("playback_start"), playback.progress(0, 9_000)], at=now)
    flush(at=now)
    flags.raise_on(
        [
            Evidence(viewer, FlagReason.MORE_THAN_TIME, "", now, now, session)
            for viewer, session in ((bot.id, None), (person.id, playback.session_id))
        ],
        now=now,
    )

    def counted():
        with reading.connection(flags.live()) as opened:
            return opened.execute(COUNTS).fetchall()

    before = counted()
    Viewer.objects.filter(id__in=[bot.id, person.id]).update(erased_at=now)

    assert erasing.erase_due(now=now + HOUR) == 2

    assert counted() == before
    assert asked(COUNTS) == before, "nothing that was flagged is there under another name"


def test_what_was_refused_stays_counted_and_says_nothing(now):
    gone = ViewerFactory(erased_at=now)
    told(gone, now)
    flush(at=now)
    before = inbox.health(now=now + HOUR).quarantined_last_day

    erasing.erase_due(now=now + HOUR)

    kept = QuarantinedEvent.objects.get()
    assert inbox.health(now=now + HOUR).quarantined_last_day == before
    assert (bytes(kept.raw), kept.code) == (b"", "malformed_event")
    assert kept.viewer_id != gone.id
    assert not EventBatch.objects.exists()
    assert Flush.objects.get().event_count == 7


def test_a_viewers_turn_comes_when_nothing_of_theirs_is_on_its_way(now, settings):
    gone = ViewerFactory(erased_at=now)
    receive(gone, [app_open(at=now)], at=now)
    patience = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS) + erasing.STILL_ON_ITS_WAY
    claim = flushing.claim(now=now)

    assert erasing.erase_due(now=now + patience - timedelta(microseconds=1)) == 0
    assert erasing.erase_due(now=now + patience) == 0, "a flush has it in hand"
    flushing.finish(flushing.write(claim), now=now)
    assert erasing.erase_due(now=now + patience) == 1
    assert erasing.erase_due(now=now + patience) == 0, "once"
    assert ErasedViewer.objects.get().file_count == 1


def test_files_of_others_are_left_alone_and_two_runs_name_differently(now):
    others = ViewerFactory()
    receive(others, [app_open(at=now)], at=now)
    flush(at=now)
    alone = LakeFile.objects.get()
    names = set()
    for _ in range(2):
        gone = ViewerFactory(erased_at=now)
        receive(gone, [app_open(at=now)], at=now)
        flush(at=now)
        erasing.erase_due(now=now + HOUR)
        names |= {name for (name,) in asked("SELECT DISTINCT viewer_id FROM events")}

    alone.refresh_from_db()
    assert alone.retired_at is None
    assert len(names) == 3
    assert all(UUID(name).version == 4 for name in names - {str(others.id)})


def test_a_death_halfway_leaves_everything_as_it_was(now, monkeypatch):
    gone = ViewerFactory(erased_at=now)
    told(gone, now)
    flush(at=now)
    before = asked("SELECT * FROM events ORDER BY event_id")

    def die(*_):
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(erasing, "_empty_quarantine", die)
        with pytest.raises(RuntimeError):
            erasing.erase_due(now=now + HOUR)

    assert asked("SELECT * FROM events ORDER BY event_id") == before
    assert EventBatch.objects.exists()
    assert erasing.erase_due(now=now + HOUR) == 1


def test_the_task_goes_once_an_hour(monkeypatch):
    runs = []

    def erase_due(*, now):
        runs.append(now)
        return 0

    monkeypatch.setattr(erasing, "erase_due", erase_due)
    tasks.erase_events()
    tasks.erase_events()
    assert len(runs) == 1


@pytest.mark.parametrize("lock", [merging.LOCK, imports.LOCK])
def test_nothing_is_erased_while_files_are_merged_or_a_past_is_imported(lock):
    with ThreadPoolExecutor() as other, advisory_lock.tried(lock) as is_ours:
        assert is_ours
        other.submit(_as_another_worker).result()
    assert not LakeChore.objects.filter(name="erasure").exists(), "it is due as before"


def _as_another_worker():
    try:
        return tasks.erase_events()
    finally:
        connection.close()
