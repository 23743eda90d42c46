"""An app reports events: each is judged by itself, and the batch is stored once, before the answer."""

import zlib
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analytics.models import EventBatch, QuarantinedEvent
from tests.factories.events import Playback, app_open, batch, body, event
from tests.factories.viewers import DeviceFactory
from viewers.models import Viewer


def verdicts(response):
    assert response.status_code == 200, response.content
    return [each.get("code", each["verdict"]) for each in response.json()["verdicts"]]


def nothing_is_stored():
    return not EventBatch.objects.exists() and not QuarantinedEvent.objects.exists()


def test_stores_the_batch_as_it_was_sent(report, device, now):
    sent = body([app_open(at=now)], sent_at=now)

    response = report(sent)

    stored = EventBatch.objects.get()
    assert response.json() == {
        "batch_id": str(stored.batch_id),
        "accepted": 1,
        "quarantined": 0,
        "verdicts": [
            {
                "event_id": msgspec.json.decode(sent)["events"][0]["event_id"],
                "verdict": "accepted",
            }
        ],
    }
    assert zlib.decompress(stored.payload) == sent
    assert (stored.viewer_id, stored.environment) == (device.viewer_id, "production")
    assert (stored.sent_at, stored.received_at, stored.event_count) == (now, now, 1)


def test_takes_every_type_of_event(report, device, now):
    playback = Playback(device.viewer_id, now - timedelta(minutes=1))
    some = {name: str(uuid4()) for name in ("series_id", "episode_id", "ad_session_id")}
    series = {"series_id": some["series_id"]}
    events = [
        app_open(at=now, channel="tiktok", campaign="spring-1"),
        event(
            "feed_impression", at=now, decision_id=str(uuid4()), slot=3, visible_ms=900, **series
        ),
        playback.event("playback_start", position_ms=0, first_frame_ms=240),
        playback.progress(0, 10_000),
        playback.event("playback_seek", from_ms=10_000, to_ms=30_000),
        playback.event("playback_end", position_ms=30_000, reason="next"),
        event("paywall_shown", at=now, episode_id=some["episode_id"], price_coins=60, **series),
        event("offer_shown", at=now, placement="paywall"),
        event("ad_shown", at=now, ad_session_id=some["ad_session_id"], placement="paywall"),
    ]

    assert verdicts(report(body(events, sent_at=now))) == ["accepted"] * 9


def test_the_environment_is_the_viewers(report, device, now):
    Viewer.objects.filter(id=device.viewer_id).update(environment="sandbox")
    device.refresh_from_db()

    report(body([app_open(at=now)], sent_at=now))

    assert EventBatch.objects.get().environment == "sandbox"


def test_one_bad_event_harms_no_other(report, now):
    events = [app_open(at=now), {"type": "app_open"}, 7, app_open(at=now)]

    response = report(body(events, sent_at=now))

    assert verdicts(response) == ["accepted", "malformed_event", "malformed_event", "accepted"]
    assert (response.json()["accepted"], response.json()["quarantined"]) == (2, 2)
    assert [(q.position, q.code) for q in QuarantinedEvent.objects.order_by("id")] == [
        (1, "malformed_event"),
        (2, "malformed_event"),
    ]
    assert EventBatch.objects.get().refusals[0][:2] == [1, "malformed_event"]


def test_a_quarantined_event_is_kept_with_its_reason(report, device, now):
    bad = {**app_open(at=now), "coins": 5}

    response = report(body([bad], sent_at=now))

    kept = QuarantinedEvent.objects.get()
    assert msgspec.json.decode(kept.raw) == bad
    assert kept.detail == "Object contains unknown field `coins`"
    assert (kept.viewer_id, kept.received_at) == (device.viewer_id, now)
    assert response.json()["verdicts"] == [
        {
            "event_id": bad["event_id"],
            "verdict": "quarantined",
            "code": "malformed_event",
            "detail": kept.detail,
        }
    ]


def test_a_type_that_nobody_knows_is_named_so(report, now):
    strange = event("teleported", at=now)

    assert verdicts(report(body([strange], sent_at=now))) == ["unknown_type"]


def test_an_event_longer_than_8_kb_is_not_kept_whole(report, now):
    long = {**app_open(at=now), "channel": "x" * 9000}

    assert verdicts(report(body([long], sent_at=now))) == ["event_too_large"]
    assert len(QuarantinedEvent.objects.get().raw) == 8192


@pytest.mark.parametrize(
    ("created", "sent", "expected"),
    [
        (timedelta(), timedelta(), "accepted"),
        (timedelta(microseconds=1), timedelta(), "created_after_sent"),
        (-timedelta(days=30), timedelta(), "accepted"),
        (-timedelta(days=30, microseconds=1), timedelta(), "too_old"),
        # A clock that is years off is no harm: it is off in both readings.
        (-timedelta(days=9000, seconds=5), -timedelta(days=9000), "accepted"),
        (timedelta(days=9000), timedelta(days=9000, seconds=5), "accepted"),
    ],
)
def test_the_clients_clock_is_believed_only_in_differences(report, now, created, sent, expected):
    reported = report(body([app_open(at=now + created)], sent_at=now + sent))

    assert verdicts(reported) == [expected]


@pytest.mark.parametrize(
    "changed", ["series_id", "episode_id", "version_id", "playback_session_id"]
)
def test_a_playback_that_we_did_not_allow_is_forged(report, device, now, changed):
    playback = Playback(device.viewer_id, now)
    start = playback.event("playback_start")

    reported = report(body([start, {**start, changed: str(uuid4())}], sent_at=now))

    assert verdicts(reported) == ["accepted", "session_forged"]


def test_a_playback_of_another_viewer_is_forged(report, now):
    playback = Playback(uuid4(), now)

    reported = report(body([playback.event("playback_start")], sent_at=now))

    assert verdicts(reported) == ["session_forged"]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(seconds=-2), "session_over"),
        (timedelta(), "accepted"),
        (timedelta(hours=24), "accepted"),
        (timedelta(hours=24, seconds=1), "session_over"),
    ],
)
def test_a_session_is_good_for_a_day_by_corrected_time(report, device, now, after, expected):
    """The client's clock is a year behind, and the event waited for an hour to be sent."""
    playback = Playback(device.viewer_id, now)
    received_at = now + after + timedelta(hours=1)
    by_client = now + after - timedelta(days=365)
    seen = {**playback.event("playback_start"), "created_at": by_client.isoformat()}

    reported = report(body([seen], sent_at=by_client + timedelta(hours=1)), at=received_at)

    assert verdicts(reported) == [expected]


@pytest.mark.parametrize(
    ("from_ms", "to_ms", "actual_ms", "expected"),
    [
        (0, 10_000, 10_000, "accepted"),
        (0, 20_000, 10_000, "accepted"),
        (5_000, 5_000, 0, "accepted"),
        (0, 41_000, 10_000, "accepted"),
        (0, 41_001, 10_000, "progress_implausible"),
        (10_000, 9_999, 10_000, "progress_backwards"),
        (0, 60_000, 121_001, "progress_implausible"),
    ],
)
def test_progress_is_no_faster_than_a_player(
    report, device, now, from_ms, to_ms, actual_ms, expected
):
    """The session is two minutes old."""
    playback = Playback(device.viewer_id, now - timedelta(minutes=2))
    stretch = playback.event(
        "playback_progress",
        after=timedelta(minutes=2),
        from_ms=from_ms,
        to_ms=to_ms,
        actual_ms=actual_ms,
    )

    assert verdicts(report(body([stretch], sent_at=now))) == [expected]


def test_the_same_batch_again_is_answered_the_same_and_stored_once(report, device, now):
    playback = Playback(device.viewer_id, now)
    events = [app_open(at=now), {}, playback.event("playback_start"), {**app_open(at=now), "x": 1}]
    sent = body(events, sent_at=now)

    first = report(sent)
    later = report(sent, at=now + timedelta(minutes=10))

    assert verdicts(first) == ["accepted", "malformed_event", "accepted", "malformed_event"]
    assert later.content == first.content
    assert EventBatch.objects.get().received_at == now
    assert QuarantinedEvent.objects.count() == 2


def test_the_same_batch_again_is_answered_the_same_when_it_would_be_judged_otherwise(
    report, device, now
):
    playback = Playback(device.viewer_id, now - timedelta(hours=23, minutes=55))
    sent = body([{**playback.event("playback_start"), "created_at": now.isoformat()}], sent_at=now)

    first = report(sent)
    later = report(sent, at=now + timedelta(minutes=10))

    assert verdicts(first) == ["accepted"]
    assert later.content == first.content


def test_a_retry_with_a_fresh_sent_at_is_the_same_batch(report, now):
    """It is answered and kept as of the first try, even if it would be judged otherwise."""
    events = [app_open(at=now), {}, app_open(at=now + timedelta(minutes=5))]
    whole = batch(events, sent_at=now)

    first = report(msgspec.json.encode(whole))
    minutes = now + timedelta(minutes=10)
    later = report(msgspec.json.encode({**whole, "sent_at": minutes.isoformat()}), at=minutes)

    assert verdicts(first) == ["accepted", "malformed_event", "created_after_sent"]
    assert later.content == first.content
    assert (EventBatch.objects.get().sent_at, EventBatch.objects.get().received_at) == (now, now)
    assert QuarantinedEvent.objects.count() == 2


@pytest.mark.parametrize(
    "change",
    [
        {"events": [app_open(at=datetime(2026, 3, 14, tzinfo=UTC))]},
        {"app": {"platform": "android", "version": "1.4.2", "locale": "en-US", "country": "US"}},
        {"app": {"platform": "ios", "version": "1.4.3", "locale": "en-US", "country": "US"}},
    ],
)
def test_another_event_or_app_under_the_same_id_is_refused(report, now, change):
    whole = batch([app_open(at=now)], sent_at=now)
    report(msgspec.json.encode(whole))

    other = report(msgspec.json.encode(whole | change))

    assert (other.status_code, other.json()["code"]) == (422, "batch_id_reused")
    assert zlib.decompress(EventBatch.objects.get().payload) == msgspec.json.encode(whole)


def test_events_divided_otherwise_are_another_batch(report, now):
    """One after the other they are the same text."""
    batch_id = str(uuid4())
    report(body([1, 23], sent_at=now, batch_id=batch_id))

    other = report(body([12, 3], sent_at=now, batch_id=batch_id))

    assert other.status_code == 422


def test_another_batch_under_the_same_id_is_refused(report, now):
    batch_id = str(uuid4())
    report(body([app_open(at=now)], sent_at=now, batch_id=batch_id))

    other = report(body([app_open(at=now), {}], sent_at=now, batch_id=batch_id))

    assert (other.status_code, other.json()["code"]) == (422, "batch_id_reused")
    assert EventBatch.objects.get().event_count == 1
    assert not QuarantinedEvent.objects.exists()


def test_a_batch_id_is_its_viewers_own(report, now):
    sent = body([app_open(at=now)], sent_at=now)

    assert verdicts(report(sent)) == verdicts(report(sent, by=DeviceFactory())) == ["accepted"]
    assert EventBatch.objects.count() == 2


@pytest.mark.parametrize(
    "change",
    [
        {"events": []},
        {"events": [{}] * 501},
        {"events": {}},
        {"batch_id": "1"},
        {"sent_at": "2026-03-14T12:00:00"},
        {"sent_at": "0001-01-01T00:00:00+05:00"},
        {"app": {}},
        {"app": {"platform": "fridge"}},
        {"app": {"platform": "ios", "country": "us"}},
        {"coins": 5},
    ],
)
def test_a_wrong_envelope_is_refused_whole(report, now, change):
    response = report(msgspec.json.encode(batch([app_open(at=now)], sent_at=now) | change))

    assert (response.status_code, response.json()["code"]) == (400, "malformed_body")
    assert nothing_is_stored()


@pytest.mark.parametrize("name", ["batch_id", "sent_at", "app", "events"])
def test_an_envelope_that_lacks_a_member_is_refused_whole(report, now, name):
    whole = batch([app_open(at=now)], sent_at=now)
    del whole[name]

    response = report(msgspec.json.encode(whole))

    assert (response.status_code, response.json()["code"]) == (400, "malformed_body")
    assert nothing_is_stored()


def test_takes_500_events_in_256_kb(report, now):
    sent = body([app_open(at=now) for _ in range(500)], sent_at=now)

    assert verdicts(report(sent.ljust(256 * 1024))) == ["accepted"] * 500
    refused = report(sent.ljust(256 * 1024 + 1))
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")


def test_a_batch_takes_one_statement(report, now):
    report(body([app_open(at=now)], sent_at=now))
    events = [app_open(at=now), {}, {"type": "x"}, 5] * 20

    with CaptureQueriesContext(
        connection,
    ) as captured:
        reported = report(body(events, sent_at=now))

    assert len(verdicts(reported)) == 80
    assert [query["sql"].split()[:3] for query in captured] == [["WITH", "batch", "AS"]]


def test_an_event_id_is_answered_however_it_was_written(report, now):
    event_id = uuid4()
    written = {**app_open(at=now), "event_id": event_id.hex.upper()}

    assert UUID(report(body([written], sent_at=now)).json()["verdicts"][0]["event_id"]) == event_id
