"""A flush tells how long viewers have watched: once, and never longer than time has passed."""

from datetime import datetime, timedelta

import pytest

from ads.growth import claims
from ads.models import TaskClaim, WatchDay
from analytics.intake import inbox
from analytics.lake import flushing
from tests.factories.events import Playback, body
from tests.factories.growth import TaskFactory, caller, claim

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_lake")]


def seconds_of(viewer_id: object) -> dict[str, int]:
    rows = WatchDay.objects.filter(viewer_id=viewer_id).order_by("day")
    return {str(row.day): row.seconds for row in rows}


def flush(*, at: datetime) -> flushing.Written:
    claimed = flushing.claim(now=at)
    assert claimed is not None
    written = flushing.write(claimed)
    flushing.finish(written, now=at)
    return written


def test_a_flush_counts_what_was_watched_once_however_often_it_comes(now: datetime) -> None:
    who = caller()
    first = Playback(who.viewer.id, now)
    second = Playback(who.viewer.id, now + timedelta(seconds=10))
    events = [
        # It began before the session did, by the second that clocks are allowed to differ.
        first.event(
            "playback_progress",
            after=timedelta(milliseconds=500),
            from_ms=0,
            to_ms=1_500,
            actual_ms=1_500,
        ),
        first.progress(0, 10_000),
        first.progress(10_000, 20_000),
        # Twice as fast: ten seconds of the clock. A stall: no story in it.
        first.event(
            "playback_progress",
            after=timedelta(seconds=40),
            from_ms=20_000,
            to_ms=40_000,
            actual_ms=10_000,
        ),
        first.event(
            "playback_progress",
            after=timedelta(seconds=60),
            from_ms=40_000,
            to_ms=41_000,
            actual_ms=15_000,
        ),
        # Another device beside it: its seconds are the same ones but for two.
        second.progress(0, 12_000),
    ]
    later = now + timedelta(seconds=70)
    for told in (events, events[::-1]):
        inbox.receive(
            viewer_id=who.viewer.id,
            environment="production",
            body=body(told, sent_at=later),
            now=later,
        )
    flush(at=later)
    inbox.receive(
        viewer_id=who.viewer.id,
        environment="production",
        body=body(events, sent_at=later),
        now=later,
    )
    claimed = flushing.claim(now=later)
    assert claimed is not None
    written = flushing.write(claimed)
    # A worker that was too slow records nothing; whoever took over does, once.
    much_later = later + timedelta(hours=1)
    taken_over = flushing.claim(now=much_later)
    with pytest.raises(flushing.LeaseLost):
        flushing.finish(written, now=much_later)
    assert taken_over is not None
    flushing.finish(flushing.write(taken_over), now=much_later)

    assert seconds_of(who.viewer.id) == {"2026-03-14": 22 + 10 + 1}


def test_a_bot_with_a_thousand_completions_earns_nothing_beyond_the_clock(now: datetime) -> None:
    """It opens a thousand playbacks within a minute, and says of each that it was watched to the end."""
    bot, task = caller(), TaskFactory(target_count=120)
    later = now + timedelta(seconds=61)
    told = []
    for place in range(1000):
        playback = Playback(bot.viewer.id, now + timedelta(milliseconds=50 * place))
        told.append(playback.progress(0, 60_000 - 50 * place, actual_ms=60_000 - 50 * place))
    # Sessions that it made up, or that are somebody else's, are refused before.
    stolen = Playback(caller().viewer.id, now - timedelta(hours=1))
    told.append(stolen.progress(0, 3_600_000))
    for place in range(0, len(told), 500):
        inbox.receive(
            viewer_id=bot.viewer.id,
            environment="production",
            body=body(told[place : place + 500], sent_at=later),
            now=later,
        )
    written = flush(at=later)

    assert written.event_count == 1000
    assert seconds_of(bot.viewer.id) == {"2026-03-14": 60}
    with pytest.raises(claims.TaskNotReached):
        claim(bot, task, now=later)
    assert not TaskClaim.objects.exists()
