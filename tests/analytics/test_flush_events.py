"""What waits in the inbox is moved into the lake: every accepted event, once, by corrected time."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pyarrow.parquet as pq
import pytest

from analytics.intake import inbox
from analytics.lake import file_store, flushing, reading, repeats
from analytics.models import EventBatch, Flush, LakeFile, QuarantinedEvent
from config.problems import MalformedBody
from tests.factories.events import Playback, app_open, body, event

pytestmark = pytest.mark.usefixtures("own_lake")


def receive(sent, *, at, viewer_id=None):
    return inbox.receive(
        viewer_id=viewer_id or uuid4(), environment="production", body=sent, now=at
    )


def flush(*, at):
    """One flush, from beginning to end."""
    claim = flushing.claim(now=at)
    assert claim is not None
    written = flushing.write(claim)
    flushing.finish(written, now=at)
    return written


def rows(columns="*"):
    with reading.connection() as connection:
        found = connection.execute(f"SELECT {columns} FROM events ORDER BY occurred_at, event_id")
        names = [each[0] for each in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def naive(moment):
    return moment.astimezone(UTC).replace(tzinfo=None)


def test_every_reading_of_the_clocks_is_kept_to_the_microsecond(transactional_db, now):
    created = datetime(2025, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    sent = created + timedelta(seconds=5, microseconds=3)
    viewer_id = uuid4()
    opened = app_open(at=created, channel="tiktok", campaign="spring-1")
    received = receive(body([opened], sent_at=sent), at=now, viewer_id=viewer_id)

    flush(at=now)

    assert rows() == [
        dict.fromkeys(rows()[0])
        | {
            "event_id": opened["event_id"],
            "type": "app_open",
            "viewer_id": str(viewer_id),
            "environment": "production",
            "occurred_at": naive(now - timedelta(seconds=5, microseconds=3)),
            "created_at": naive(created),
            "sent_at": naive(sent),
            "received_at": naive(now),
            "platform": "ios",
            "app_version": "1.4.2",
            "locale": "en-US",
            "country": "US",
            "channel": "tiktok",
            "campaign": "spring-1",
            "batch_id": str(received.batch_id),
            "arrived_at": naive(Flush.objects.get().arrived_at),
            "catalogue": 1,
            "is_late": False,
            "is_ahead": False,
        }
    ]


def test_every_member_of_every_type_has_its_column(transactional_db, now):
    viewer_id = uuid4()
    playback = Playback(viewer_id, now - timedelta(minutes=1))
    ids = {name: str(uuid4()) for name in ("series_id", "episode_id", "decision_id")}
    events = [
        event("feed_impression", at=now, slot=3, visible_ms=900, **{**ids, "episode_id": None}),
        playback.event("playback_start", position_ms=5, first_frame_ms=240),
        playback.progress(0, 10_000),
        playback.event("playback_end", position_ms=30_000, reason="next"),
        event("paywall_shown", at=now, **{**ids, "price_coins": 60, "decision_id": None}),
        event("offer_shown", at=now, placement="paywall"),
        event("ad_shown", at=now, ad_session_id=str(uuid4()), placement="paywall"),
    ]
    events = [{name: value for name, value in each.items() if value is not None} for each in events]
    receive(body(events, sent_at=now), at=now, viewer_id=viewer_id)

    flush(at=now)

    found = {row["event_id"]: row for row in rows()}
    for sent in events:
        kept = found[sent["event_id"]]
        assert {name: kept[name] for name in sent if name != "created_at"} == {
            name: value for name, value in sent.items() if name != "created_at"
        }
    assert found[events[1]["event_id"]]["decision_id"] is None


def test_ids_are_kept_in_lower_case(transactional_db, now):
    event_id = uuid4()
    receive(body([{**app_open(at=now), "event_id": event_id.hex.upper()}], sent_at=now), at=now)

    flush(at=now)

    assert rows("event_id") == [{"event_id": str(event_id)}]


def test_quarantined_events_stay_behind(transactional_db, now):
    good = app_open(at=now)
    receive(body([{}, good, 5, b"\xff".decode("latin-1")], sent_at=now), at=now)

    flush(at=now)

    assert rows("event_id") == [{"event_id": good["event_id"]}]
    assert QuarantinedEvent.objects.count() == 3


def test_a_batch_with_an_event_that_is_no_json_loses_only_that(transactional_db, now):
    good = app_open(at=now)
    sent = body([good, "here"], sent_at=now).replace(b'"here"', b'{"a": NaN, "b": [[[}')
    with pytest.raises(MalformedBody):
        receive(sent, at=now)
    sent = body([good, "here"], sent_at=now).replace(b'"here"', b'{"a": NaN, "b": [[[]]]}')
    receive(sent, at=now)

    flush(at=now)

    assert rows("event_id") == [{"event_id": good["event_id"]}]
    assert QuarantinedEvent.objects.get().raw == b'{"a": NaN, "b": [[[]]]}'


def test_a_file_has_one_day_of_utc(transactional_db, now):
    midnight = datetime(2026, 3, 14, tzinfo=UTC)
    before, after = (
        app_open(at=midnight - timedelta(microseconds=1)),
        app_open(at=midnight),
    )
    receive(body([before, after], sent_at=now), at=now)

    own = flush(at=now).claim.file_name

    files = LakeFile.objects.order_by("day")
    assert [(file.path, str(file.day), file.row_count) for file in files] == [
        (f"events/day=2026-03-13/{own}", "2026-03-13", 1),
        (f"events/day=2026-03-14/{own}", "2026-03-14", 1),
    ]
    assert files[0].first_at == files[0].last_at == midnight - timedelta(microseconds=1)
    assert files[1].size_bytes == file_store.storage().size(files[1].path)
    assert rows("event_id") == [{"event_id": before["event_id"]}, {"event_id": after["event_id"]}]


def test_a_file_is_sorted_for_the_reader_of_one_series(transactional_db, now):
    some = sorted(uuid4() for _ in range(3))
    events = [
        event("offer_shown", at=now - timedelta(seconds=n), placement="x", series_id=str(series))
        for n, series in enumerate([some[2], some[0], some[1], some[0]])
    ]
    receive(body(events, sent_at=now), at=now)

    flush(at=now)

    table = pq.read_table(file_store.local_path(LakeFile.objects.get().path), partitioning=None)
    order = [(row["series_id"], row["type"], row["occurred_at"]) for row in table.to_pylist()]
    assert order == sorted(order)
    assert [UUID(series) for series, _, _ in order] == [some[0], some[0], some[1], some[2]]


def test_an_event_reported_twice_in_one_flush_counts_as_first_received(transactional_db, now):
    opened, viewer_id = app_open(at=now), uuid4()
    late = receive(
        body([opened, opened], sent_at=now), at=now + timedelta(seconds=9), viewer_id=viewer_id
    )
    early = receive(body([opened], sent_at=now), at=now, viewer_id=viewer_id)

    written = flush(at=now + timedelta(seconds=10))

    assert late.batch_id != early.batch_id
    assert rows("batch_id") == [{"batch_id": str(early.batch_id)}]
    assert written.duplicate_count == 2
    assert (Flush.objects.get().event_count, Flush.objects.get().duplicate_count) == (1, 2)


@pytest.mark.parametrize("is_settled", [False, True])
def test_an_event_reported_twice_in_two_flushes_counts_as_it_came_first(
    transactional_db, now, is_settled
):
    """What was counted stays what counts: the one received first is flushed last, and on another day."""
    opened, other = app_open(at=now), app_open(at=now)
    late = receive(body([opened, other], sent_at=now), at=now + timedelta(days=1))
    flush(at=now)
    if is_settled:
        repeats.settle(now=now)
    early = receive(body([opened], sent_at=now), at=now)
    flush(at=now)
    if is_settled:
        assert repeats.settle(now=now) == 1

    assert rows("event_id, batch_id") == [
        {"event_id": event["event_id"], "batch_id": str(late.batch_id)}
        for event in sorted((opened, other), key=lambda event: event["event_id"])
    ]
    assert early.batch_id != late.batch_id


def test_an_accepted_event_that_cannot_be_read_any_more_is_quarantined(transactional_db, now):
    """As newer code would have accepted it."""
    good, strange = app_open(at=now), event("teleported", at=now)
    sent = body([strange, good], sent_at=now)
    received = receive(sent, at=now)
    EventBatch.objects.update(refusals=[])
    QuarantinedEvent.objects.all().delete()

    flush(at=now)

    kept = QuarantinedEvent.objects.get()
    assert (kept.batch_id, kept.position, kept.code) == (received.batch_id, 0, "unreadable_later")
    assert msgspec.json.decode(kept.raw) == strange
    assert rows("event_id") == [{"event_id": good["event_id"]}]
    assert Flush.objects.get().refused_count == 1


def test_a_batch_whose_envelope_cannot_be_read_any_more_is_quarantined_whole(transactional_db, now):
    import zlib

    events = [app_open(at=now), app_open(at=now)]
    receive(body(events, sent_at=now), at=now)
    newer = body(events, sent_at=now, mood="new")
    EventBatch.objects.update(payload=zlib.compress(newer))

    flush(at=now)

    kept = QuarantinedEvent.objects.order_by("position")
    assert [msgspec.json.decode(each.raw) for each in kept] == events
    assert rows() == []


def test_a_flush_takes_a_bounded_number_of_batches(transactional_db, now, monkeypatch):
    monkeypatch.setattr(flushing, "BATCHES_PER_FLUSH", 2)
    for _ in range(3):
        receive(body([app_open(at=now)], sent_at=now), at=now)

    assert [flush(at=now).event_count for _ in range(2)] == [2, 1]
    assert flushing.claim(now=now) is None
    assert len(rows()) == 3


def test_nothing_is_flushed_when_nothing_waits(transactional_db, now):
    assert flushing.claim(now=now) is None
    assert not Flush.objects.exists()


def test_the_watermark_is_the_earliest_that_is_not_in_the_lake(transactional_db, now):
    later = now + timedelta(minutes=5)
    receive(body([app_open(at=now)], sent_at=now), at=now)
    assert reading.watermark(now=later) == now

    claim = flushing.claim(now=later)
    receive(body([app_open(at=now)], sent_at=now), at=now + timedelta(minutes=1))
    assert reading.watermark(now=later) == now

    flushing.finish(flushing.write(claim), now=later)
    assert reading.watermark(now=later) == now + timedelta(minutes=1)
