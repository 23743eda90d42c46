"""Events: over HTTP into the inbox, and from the inbox into the lake."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from analytics.lake import flushing
from analytics.models import EventBatch
from config import clock
from tests.benchmarks import load
from tests.factories.events import Playback, body, event
from viewers import tokens
from viewers.models import Device, Viewer

EVENTS_PER_BATCH = 50
STRETCH_MS = 10_000

#: Where each request puts a number of its own into the ids of its batch and its events.
_NUMBER = "badcafe0"


def http_events_per_second(
    *, port: int, clients: int, seconds: float, per_batch: int = EVENTS_PER_BATCH
) -> float:
    """Accepted events a second in batches, each new, and committed before it is answered."""
    before = EventBatch.objects.count()
    now = clock.read()
    run = load.run(
        port=port,
        requests=lambda client: _requests(now=now, per_batch=per_batch),
        clients=clients,
        seconds=seconds,
    ).only(200)
    stored = EventBatch.objects.filter(refusals=[]).count() - before
    if stored < run.statuses[200]:
        raise AssertionError(f"{run.statuses[200]} batches answered, {stored} stored and accepted")
    return run.per_second * per_batch


def flush_events_per_second() -> float:
    """Events a second from waiting in the inbox to being named by the manifest."""
    began, total = time.monotonic(), 0
    while claim := flushing.claim(now=clock.read()):
        written = flushing.write(claim)
        flushing.finish(written, now=clock.read())
        total += written.event_count
    return total / (time.monotonic() - began)


def _requests(*, now: datetime, per_batch: int) -> Iterator[bytes]:
    """One viewer's batches. Making one is a replacement of bytes, to leave the cores to the server."""
    viewer_id = uuid4()
    device = Device(viewer=Viewer(id=viewer_id, environment="production"))
    token, _ = tokens.sign(device, now=now)
    ids = (f"{_NUMBER}-{viewer_id.hex[:4]}-7000-8000-{n:012x}" for n in count())
    events = [
        {**each, "event_id": next(ids)}
        for each in _events(Playback(viewer_id, now - timedelta(hours=1)), per_batch)
    ]
    sent = body(events, sent_at=now, batch_id=next(ids))
    request = (
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(sent)}\r\n\r\n"
    ).encode() + sent
    for number in count():
        yield request.replace(_NUMBER.encode(), b"%08x" % number)


def _events(playback: Playback, per_batch: int) -> list[dict[str, Any]]:
    """What an app reports of browsing a little and watching an episode."""
    shown = [
        event(
            "feed_impression",
            at=playback.started_at,
            decision_id=str(uuid4()),
            slot=slot,
            series_id=str(uuid4()),
            visible_ms=1500,
        )
        for slot in range(8)
    ]
    stretches = per_batch - len(shown) - 2
    return [
        *shown,
        playback.event("playback_start", first_frame_ms=240),
        *(playback.progress(n * STRETCH_MS, (n + 1) * STRETCH_MS) for n in range(stretches)),
        playback.event(
            "playback_end",
            after=timedelta(milliseconds=stretches * STRETCH_MS),
            position_ms=stretches * STRETCH_MS,
            reason="next",
        ),
    ]
