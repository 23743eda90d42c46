"""What a bot watched leaves dashboards when it is flagged, and comes back when the flag is lifted."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from analytics.intake import inbox
from analytics.lake import flushing
from analytics.models import CountedFlag, FillState, RollupHour
from analytics.rollups import hours
from tests.analytics import rolled
from tests.factories.events import Playback, app_open, body
from tests.factories.operators import operator
from tests.factories.viewers import ViewerFactory
from viewers import flags
from viewers.flags import Evidence
from viewers.models import Flag, FlagReason, Viewer

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
METRICS = ("events", "new_viewers", "active_viewers", "returning_viewers", "starts", "watch_time")


def _viewer() -> Viewer:
    viewer: Viewer = ViewerFactory()
    return viewer


def _watches(viewer: Viewer, at: datetime) -> Playback:
    """Opens the app and plays for ten seconds, of which the lake knows at once."""
    playback = Playback(viewer_id=viewer.id, started_at=at)
    events = [app_open(at=at), playback.event("playback_start"), playback.progress(0, 10_000)]
    told_at = at + timedelta(minutes=1)
    inbox.receive(
        viewer_id=viewer.id,
        environment="production",
        body=body(events, sent_at=told_at),
        now=told_at,
    )
    claim = flushing.claim(now=told_at)
    assert claim is not None
    flushing.finish(flushing.write(claim), now=told_at)
    return playback


def _figures() -> dict[str, int]:
    sums = dict.fromkeys(METRICS, 0)
    for (metric, *_), value in rolled.held().items():
        if metric in sums:
            sums[metric] += value
    return sums


def _flag(viewers: Sequence[Viewer], *, now: datetime, playback: Playback | None = None) -> None:
    flags.raise_on(
        [
            Evidence(
                viewer_id=viewer.id,
                reason=FlagReason.MORE_THAN_TIME,
                detail="More than there was time for",
                since=now,
                until=now,
                playback_session_id=playback.session_id if playback else None,
            )
            for viewer in viewers
        ],
        now=now,
    )


def test_a_flag_empties_hours_that_were_filled_and_its_lifting_fills_them_again(
    now: datetime,
) -> None:
    person, bot = _viewer(), _viewer()
    _watches(person, now)
    rolled.fill(now + 2 * HOUR)
    honest = _figures()
    _watches(bot, now)
    _watches(bot, now + DAY)
    rolled.fill(now + 2 * DAY)
    with_bot = _figures()
    assert with_bot["starts"] > honest["starts"] > 0

    _flag([bot], now=now + 2 * DAY)
    rolled.fill(now + 3 * DAY)
    assert _figures() == honest

    flag = Flag.objects.get()
    flags.lift(flag_id=flag.id, operator_id=operator().id, because="A person", now=now + 3 * DAY)
    rolled.fill(now + 4 * DAY)
    assert _figures() == with_bot


def test_of_a_flagged_playback_the_hours_lose_that_alone(now: datetime) -> None:
    viewer = _viewer()
    playback = _watches(viewer, now)
    _watches(viewer, now + DAY)
    rolled.fill(now + 2 * DAY)
    before = _figures()

    _flag([viewer], now=now + 2 * DAY, playback=playback)
    rolled.fill(now + 3 * DAY)

    after = _figures()
    assert (before["events"] - after["events"], before["watch_time"] - after["watch_time"]) == (
        2,
        10_000,
    )
    assert after["active_viewers"] == before["active_viewers"]


def test_hours_hear_of_a_flag_once_and_of_its_lifting_once(now: datetime) -> None:
    bot, nobody = _viewer(), _viewer()
    _watches(bot, now)
    rolled.fill(now + 2 * HOUR)
    assert hours.take_flags(now=now + 3 * HOUR) == 0

    _flag([bot, nobody], now=now + 3 * HOUR)
    assert [hours.take_flags(now=now + 3 * HOUR) for _ in range(2)] == [1, 0]

    flag = Flag.objects.get(viewer=bot)
    flags.lift(flag_id=flag.id, operator_id=operator().id, because="A person", now=now + 4 * HOUR)
    assert [hours.take_flags(now=now + 4 * HOUR) for _ in range(2)] == [1, 0]
    assert dict(CountedFlag.objects.values_list("flag__viewer", "is_lifted")) == {
        bot.id: True,
        nobody.id: False,
    }


def test_the_sweep_makes_the_hours_of_a_flagged_viewer_due(now: datetime) -> None:
    bot = _viewer()
    _watches(bot, now)
    rolled.fill(now + 2 * HOUR)
    _flag([bot], now=now + 3 * HOUR)

    hours.sweep(now=now + 3 * HOUR)

    reopened = RollupHour.objects.filter(hour=now, state=FillState.REOPENED)
    assert {"events", "starts", "watch_time"} <= set(reopened.values_list("metric", flat=True))
