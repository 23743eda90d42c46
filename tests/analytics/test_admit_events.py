"""Events come compressed or not, and are kept out where they would take what money needs."""

import gzip
import threading
from uuid import uuid4

import pytest
import zstandard

from analytics.intake import inbox
from analytics.models import EventBatch
from analytics.views import admission
from analytics.views.admission import EventsBusy, Gate, InboxFull
from tests.factories.events import app_open, body
from tests.factories.viewers import viewer_headers


def send(api, device, sent, *, now, encoding=None):
    extra = {"Content-Encoding": encoding} if encoding else {}
    return api.post(
        "/v1/events",
        sent,
        content_type="application/json",
        headers=viewer_headers(device, now=now) | extra,
    )


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)]
)
def test_a_compressed_batch_is_the_same_batch(api, device, now, encoding, pack):
    sent = body([app_open(at=now)], sent_at=now)

    first = send(api, device, pack(sent), now=now, encoding=encoding)
    again = send(api, device, sent, now=now)

    assert first.status_code == 200, first.content
    assert again.json() == first.json()
    assert EventBatch.objects.count() == 1


@pytest.mark.parametrize(
    ("encoding", "sent", "code"),
    [
        ("gzip", gzip.compress(bytes(10_000_000)), "body_too_large"),
        ("zstd", zstandard.compress(bytes(10_000_000)), "body_too_large"),
        ("gzip", b"{}", "malformed_body"),
        ("br", b"{}", "unsupported_media_type"),
    ],
)
def test_a_bomb_is_refused_and_nothing_is_stored(api, device, now, encoding, sent, code):
    answer = send(api, device, sent, now=now, encoding=encoding)

    assert answer.json()["code"] == code
    assert not EventBatch.objects.exists()


def test_a_process_handles_so_many_at_a_time(settings, now, monkeypatch):
    settings.EVENTS_AT_ONCE = 2
    monkeypatch.setattr(inbox, "has_waiting", lambda count: False)
    gate = Gate()
    with (
        gate.passed(now=now),
        gate.passed(now=now),
        pytest.raises(EventsBusy),
        gate.passed(now=now),
    ):
        raise AssertionError("a third is inside")
    with gate.passed(now=now), gate.passed(now=now):
        pass


def test_nobody_waits_at_the_gate_and_none_that_left_is_counted(settings, now, monkeypatch):
    """Callers that race it get in, or are told to come again, and it is empty afterwards."""
    settings.EVENTS_AT_ONCE = 3
    monkeypatch.setattr(inbox, "has_waiting", lambda count: False)
    gate, inside, most, refused = Gate(), [], [0], [0]

    def come():
        for _ in range(300):
            try:
                with gate.passed(now=now):
                    inside.append(1)
                    most[0] = max(most[0], len(inside))
                    inside.pop()
            except EventsBusy:
                refused[0] += 1

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most[0] <= 3
    assert gate._inside == 0


@pytest.mark.django_db
def test_a_full_inbox_takes_nothing_until_it_has_room(settings, api, device, now, monkeypatch):
    monkeypatch.setattr(admission.gate, "_looked_at", None)
    monkeypatch.setattr(admission.gate, "_is_full", False)
    settings.EVENTS_WAITING_BATCHES = 1
    inbox.receive(
        viewer_id=uuid4(),
        environment="production",
        body=body([app_open(at=now)], sent_at=now),
        now=now,
    )
    sent = body([app_open(at=now)], sent_at=now)

    refused = send(api, device, sent, now=now)

    assert (refused.status_code, refused.json()["code"]) == (503, "events_inbox_full")
    assert refused.headers["Retry-After"] == InboxFull.headers["Retry-After"]
    EventBatch.objects.all().delete()
    later = now + admission.LOOK_AGAIN
    assert send(api, device, sent, now=later).status_code == 200


def test_a_gate_that_is_shut_answers_when_to_come_again(settings, api, device, now, monkeypatch):
    monkeypatch.setattr(admission.gate, "_inside", settings.EVENTS_AT_ONCE)

    answer = send(api, device, body([app_open(at=now)], sent_at=now), now=now)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert not EventBatch.objects.exists()


def test_a_gate_that_is_shut_looks_at_nobody(settings, api, monkeypatch):
    monkeypatch.setattr(admission.gate, "_inside", settings.EVENTS_AT_ONCE)

    answer = api.post("/v1/events", b"{", content_type="text/plain")

    assert (answer.status_code, answer.json()["code"]) == (503, "events_busy")
    assert api.post("/v1/purchases/restore", b"{", content_type="text/plain").status_code == 401
