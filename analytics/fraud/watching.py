"""Watching that nobody can have done: more than there was time for, or on one device by a crowd of accounts.

By what players report of playbacks that we allowed; each event by itself was plausible, or it would be in
quarantine. Rules find evidence, `viewers.flags` keeps it.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from django.conf import settings

from analytics.intake.verdicts import FASTEST_SPEED
from analytics.reports.sources import Source
from viewers.flags import Evidence
from viewers.models import FlagReason

#: What clocks and late reports may be apart in one playback.
SLACK = timedelta(minutes=1)
#: Players report every ten seconds. A longer stretch may have been played at any time before it was told.
LONGEST_STRETCH = timedelta(minutes=10)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: One person, on two devices, whose clocks differ.
MOST_IN_AN_HOUR = 2 * HOUR + timedelta(minutes=15)
MOST_IN_A_DAY = DAY
#: Whose playbacks are implausible so often is left out wholly.
MOST_SESSIONS = 5

_MILLISECOND = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)


def evidence(*, source: Source, since: datetime) -> Sequence[Evidence]:
    """What speaks against whom, of what was watched from `since` to the watermark."""
    by_viewer = sorted(_sessions(source, since), key=attrgetter("viewer_id"))
    return [
        *(one for _, group in groupby(by_viewer, attrgetter("viewer_id")) for one in _few(group)),
        *_crammed(source, since, bucket=HOUR, limit=MOST_IN_AN_HOUR),
        *_crammed(source, since, bucket=DAY, limit=MOST_IN_A_DAY),
        *_crowds(source, since),
    ]


def _sessions(source: Source, since: datetime) -> Iterator[Evidence]:
    found = source.rows(
        "implausible_sessions",
        watermark=source.watermark,
        since=since,
        slack_ms=SLACK // _MILLISECOND,
        fastest=FASTEST_SPEED,
    )
    for viewer_id, session_id, actual_ms, story_ms, wall_ms, began_at, ended_at in found:
        yield Evidence(
            viewer_id=UUID(viewer_id),
            playback_session_id=UUID(session_id),
            reason=FlagReason.MORE_THAN_TIME,
            detail=f"{_seconds(actual_ms)} played, {_seconds(story_ms)} of story, in {_seconds(wall_ms)}",
            since=began_at.replace(tzinfo=UTC),
            until=ended_at.replace(tzinfo=UTC),
        )


def _few(found: Iterator[Evidence]) -> Sequence[Evidence]:
    """Of one viewer: the playbacks, or the viewer where it is not a few."""
    sessions = list(found)
    if len(sessions) <= MOST_SESSIONS:
        return sessions
    return [
        Evidence(
            viewer_id=sessions[0].viewer_id,
            reason=FlagReason.MORE_THAN_TIME,
            detail=f"In {len(sessions):,} playbacks more was played than there was time for",
            since=min(one.since for one in sessions),
            until=max(one.until for one in sessions),
        )
    ]


def _crammed(
    source: Source, since: datetime, *, bucket: timedelta, limit: timedelta
) -> Iterator[Evidence]:
    found = source.rows(
        "implausible_viewers",
        watermark=source.watermark,
        since=since,
        bucket_us=bucket // _MICROSECOND,
        longest_ms=LONGEST_STRETCH // _MILLISECOND,
        limit_ms=limit // _MILLISECOND,
    )
    name = "an hour" if bucket == HOUR else "a day"
    for viewer_id, actual_ms, began_at, ended_at in found:
        yield Evidence(
            viewer_id=UUID(viewer_id),
            reason=FlagReason.MORE_THAN_TIME,
            detail=f"{_seconds(actual_ms)} played in {name}",
            since=began_at.replace(tzinfo=UTC),
            until=ended_at.replace(tzinfo=UTC),
        )


def _crowds(source: Source, since: datetime) -> Iterator[Evidence]:
    source.load("shared_devices")
    found = source.rows(
        "shared_installs",
        watermark=source.watermark,
        since=since,
        limit=settings.FRAUD_ACCOUNTS_PER_INSTALL,
    )
    for viewer_id, accounts, began_at, ended_at in found:
        yield Evidence(
            viewer_id=UUID(viewer_id),
            reason=FlagReason.SHARED_INSTALL,
            detail=f"One of {accounts:,} accounts that watched on one device within an hour",
            since=began_at.replace(tzinfo=UTC),
            until=ended_at.replace(tzinfo=UTC),
        )


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:,.0f} s"
