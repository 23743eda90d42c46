"""Events that are reported again are counted, and apart those that told something else under an id that was taken."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from analytics.intake import inbox
from analytics.lake import flushing, repeats
from analytics.models import RepeatCount, RepeatedEvent
from tests.factories.events import app_open, body, event
from tests.factories.operators import operator, signed_in
from tests.factories.viewers import clock_headers

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
ME = UUID(int=1)


def _report(
    events: Sequence[dict[str, Any]], *, at: datetime, viewer_id: UUID = ME, flushed: bool = True
) -> None:
    inbox.receive(
        viewer_id=viewer_id, environment="production", body=body(events, sent_at=at), now=at
    )
    if flushed:
        claim = flushing.claim(now=at)
        assert claim is not None
        flushing.finish(flushing.write(claim), now=at)


def _found() -> tuple[int, int]:
    found = RepeatCount.objects.get()
    return found.repeat_count, found.conflict_count


def _another(opened: dict[str, Any], *, at: datetime) -> dict[str, Any]:
    return event("offer_shown", at=at, placement="paywall") | {"event_id": opened["event_id"]}


def test_within_a_flush(now: datetime) -> None:
    opened = app_open(at=now)
    _report([opened, opened], at=now, flushed=False)
    _report([opened, _another(opened, at=now)], at=now + SECOND, flushed=False)
    _report([opened], at=now + 2 * SECOND, viewer_id=uuid4())

    assert _found() == (4, 2), "one of another kind, one of another viewer"


def test_between_flushes_each_copy_once_however_often_files_are_compared(now: datetime) -> None:
    opened = app_open(at=now)
    _report([opened], at=now)
    for number in range(1, 3):
        _report([opened], at=now + number * SECOND)
        repeats.settle(now=now)
    assert _found() == (2, 0)

    _report([_another(opened, at=now)], at=now + 3 * SECOND)
    _report([opened], at=now + 4 * SECOND, viewer_id=uuid4())
    repeats.settle(now=now)
    repeats.settle(now=now)

    assert _found() == (4, 2)
    assert RepeatedEvent.objects.count() == 4


def test_a_flush_that_another_has_taken_over_counts_nothing(now: datetime) -> None:
    opened = app_open(at=now)
    _report([opened, opened], at=now, flushed=False)
    slow = flushing.claim(now=now)
    assert slow is not None
    written = flushing.write(slow)
    quick = flushing.claim(now=now + DAY)
    assert quick is not None
    flushing.finish(flushing.write(quick), now=now)
    with pytest.raises(flushing.LeaseLost):
        flushing.finish(written, now=now)

    assert _found() == (1, 0)


def test_many_that_told_something_else_are_an_alarm_on_the_first_page(now: datetime) -> None:
    analyst = signed_in(operator(role="analyst"))
    taken = str(uuid4())
    for count, rings in ((100, False), (101, True)):
        RepeatCount.objects.all().delete()
        events = [app_open(at=now - n * SECOND) | {"event_id": taken} for n in range(count)]
        _report(events, at=now)
        page = analyst.get("/admin/", headers=clock_headers(now)).content.decode()
        assert ("an app makes its event ids badly" in page) is rings

    inbox_page = analyst.get("/admin/analytics/eventbatch/", headers=clock_headers(now))
    assert "100 told something else" in inbox_page.content.decode()
    later = analyst.get("/admin/", headers=clock_headers(now + 2 * DAY)).content.decode()
    assert "event ids badly" not in later
