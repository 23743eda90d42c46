"""An app's log of events: nothing is lost, nothing is altered, and nothing counts twice."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from demo.answers import Reported
from demo.event_log import BATCH_EVENTS, EventLog
from demo.transport import Unreachable

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


class Device:
    """A clock that ticks when it is read, and a service that may be away."""

    def __init__(self) -> None:
        self.now = NOON
        self.received: list[bytes] = []
        self.is_away = False

    def clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def report(self, batch: bytes) -> Reported:
        self.received.append(batch)
        if self.is_away:
            raise Unreachable("no answer")
        return Reported(batch_id="", accepted=0, quarantined=0, verdicts=[])

    def events(self) -> list[dict[str, Any]]:
        return [event for batch in self.received for event in json.loads(batch)["events"]]


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def log(device: Device) -> EventLog:
    return EventLog(app={"platform": "ios"}, clock=device.clock)


def test_sends_what_was_noted_in_order_and_once(device, log):
    noted = [log.note("app_open", channel="organic") for _ in range(2 * BATCH_EVENTS + 3)]
    log.send(device.report)
    log.send(device.report)

    assert device.events() == noted
    assert len({event["event_id"] for event in noted}) == len(noted)
    assert [len(json.loads(batch)["events"]) for batch in device.received] == [50, 50, 3]
    first = json.loads(device.received[0])
    assert first["app"] == {"platform": "ios"}
    assert noted[0] == {
        "type": "app_open",
        "event_id": noted[0]["event_id"],
        "created_at": "2026-03-14T12:00:01+00:00",
        "channel": "organic",
    }
    assert first["sent_at"] > noted[-1]["created_at"]


def test_repeats_a_batch_until_it_is_answered_and_reads_the_clock_at_each_try(device, log):
    log.note("app_open")
    device.is_away = True
    for _ in range(2):
        with pytest.raises(Unreachable):
            log.send(device.report)
        log.note("app_open")
    device.is_away = False
    log.send(device.report)

    *tries, last = map(json.loads, device.received)
    moments = [each.pop("sent_at") for each in tries]
    assert tries[0] == tries[1] == tries[2]
    assert moments == sorted(set(moments))
    assert len(last["events"]) == 2


def test_ids_are_in_the_order_of_time(log):
    ids = [uuid.UUID(log.note("app_open")["event_id"]) for _ in range(20)]

    assert {each.version for each in ids} == {7}
    milliseconds = [each.int >> 80 for each in ids]
    assert milliseconds == sorted(milliseconds)


def test_an_event_noted_again_keeps_its_id(device, log):
    event = log.note("app_open")
    log.send(device.report)
    log.note_again(event)
    log.send(device.report)

    assert device.events() == [event, event]
    ids = {json.loads(batch)["batch_id"] for batch in device.received}
    assert len(ids) == 2
