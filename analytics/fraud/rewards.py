"""Rewards of ads that nobody saw: networks confirmed them, and nobody said that one was shown.

An ad was shown where its session has an impression, by the app's word or by the network's server's, or the app's
event of it. Now and then a report is lost; of a day's many rewards most are there, or something else than the
app has earned them. Where a placement or a network tells of too few of all its rewards of a day, that says
something of the integration and nothing of its viewers: they are judged by their other rewards.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pyarrow as pa
from django.conf import settings

from ads.limits import reporting_day
from analytics.fraud import impressions
from analytics.models import AdAlarm, AlarmScope
from analytics.reports import local_days
from analytics.reports.local_days import Period
from analytics.reports.sources import Source
from viewers.flags import Evidence
from viewers.models import FlagReason

#: How long before its reward an ad was shown at most.
SHOWN_BEFORE = timedelta(days=2)


@dataclass(frozen=True)
class Unshown:
    """Of one day and one viewer, device, address block, placement or network: rewards, the first and the last of
    them, and how many were shown and asked for. Of a viewer only rewards at placements and networks that tell."""

    day: date
    scope: AlarmScope
    subject: str
    rewards: int
    shown: int
    requested: int
    began_at: datetime
    ended_at: datetime

    def sentence(self) -> str:
        """What an operator reads."""
        return (
            f"{self.rewards:,} ads rewarded on {self.day:%Y-%m-%d}, {self.shown:,} of them shown and"
            f" {self.requested:,} asked for"
        )


def unshown(
    *,
    source: Source,
    since: datetime,
    read_impressions: Callable[..., Iterable[pa.Table]] = impressions.read,
) -> Sequence[Unshown]:
    """Every day from that of `since` on, and whom and what it is of, with too few of the rewards shown."""
    source.load("ad_sessions", "ad_origins")
    source.fill(
        "ad_impressions", read_impressions(since=since - SHOWN_BEFORE, until=source.watermark)
    )
    found = source.rows(
        "unshown_rewards",
        watermark=source.watermark,
        since=since - SHOWN_BEFORE,
        first_day=local_days.day_number(reporting_day(since)),
        last_day=local_days.day_number(reporting_day(source.watermark)),
        least_rewards=settings.FRAUD_LEAST_REWARDS,
        least_shown_percent=settings.FRAUD_LEAST_SHOWN_PERCENT,
    )
    return [
        Unshown(
            day=local_days.starts_on(day, Period.DAY),
            scope=AlarmScope(scope),
            subject=subject,
            rewards=count,
            shown=shown,
            requested=requested,
            began_at=began_at.replace(tzinfo=UTC),
            ended_at=ended_at.replace(tzinfo=UTC),
        )
        for day, scope, subject, count, shown, requested, began_at, ended_at in found
    ]


def evidence(found: Sequence[Unshown]) -> Iterator[Evidence]:
    """What speaks against single viewers of it."""
    for one in found:
        if one.scope is AlarmScope.VIEWER:
            yield Evidence(
                viewer_id=UUID(one.subject),
                reason=FlagReason.UNSHOWN_ADS,
                detail=one.sentence(),
                since=one.began_at,
                until=one.ended_at,
            )


def alarm(found: Sequence[Unshown], *, now: datetime) -> int:
    """Keeps an alarm for each, one a day; returns how many are new. One that was looked at stays so while
    no reward is added to it, whatever else becomes known."""
    known = {
        (row.day, row.scope, row.subject): row
        for row in AdAlarm.objects.filter(day__in={one.day for one in found})
    }
    new = 0
    for one in found:
        row = known.get((one.day, one.scope, one.subject))
        counts = {"rewards": one.rewards, "shown": one.shown, "requested": one.requested}
        if row is None:
            AdAlarm.objects.create(
                day=one.day, scope=one.scope, subject=one.subject, found_at=now, **counts
            )
            new += 1
        elif one.rewards > row.rewards:
            AdAlarm.objects.filter(id=row.id).update(
                **counts, found_at=now, seen_at=None, seen_by=None
            )
        elif (row.shown, row.requested) != (one.shown, one.requested):
            AdAlarm.objects.filter(id=row.id).update(shown=one.shown, requested=one.requested)
    return new
