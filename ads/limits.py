"""How many more ads a viewer may watch today, and when the next.

`ads_open_session` decides, under a lock; this tells what it will say. A day is one of the reporting
zone, and an open session takes a place of the cap as a reward does. Where the app is believed, what was had
of all placements of the network counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from ads.models import AdSession, Placement, Reward
from ads.models.placements import PROVISIONAL
from config.compiled_queries import CompiledQuery

#: How far back a cooldown can reach, whatever the length of the days.
LOOK_BACK = timedelta(days=2)


@dataclass(frozen=True)
class Standing:
    """A viewer in front of a placement. `available_at` is None when an ad may be opened now; `open_sessions` take
    a place of its cap."""

    placement: Placement
    remaining_today: int
    available_at: datetime | None
    open_sessions: Sequence[AdSession] = ()


@dataclass(frozen=True)
class Used:
    """What a viewer has had that counts at a placement: rewards as (day, moment), open sessions."""

    rewards: Sequence[tuple[date, datetime]]
    sessions: Sequence[AdSession]


def reporting_day(moment: datetime) -> date:
    """The day of the reporting zone that a moment falls in."""
    return moment.astimezone(settings.REPORTING_ZONE).date()


def next_midnight(moment: datetime) -> datetime:
    """When the reporting zone's next day begins, be this one 23, 24 or 25 hours long."""
    tomorrow = reporting_day(moment) + timedelta(days=1)
    begins = datetime.combine(tomorrow, time.min, settings.REPORTING_ZONE)
    return begins.astimezone(moment.tzinfo)


def standings(
    *, viewer_id: UUID, environment: str, placements: Sequence[Placement], now: datetime
) -> Sequence[Standing]:
    """How the viewer stands before each placement, in two queries."""
    if not placements:
        return []
    used = _used(viewer_id=viewer_id, environment=environment, placements=placements, now=now)
    return [_standing(placement, used[placement.id], now) for placement in placements]


def _used(
    *, viewer_id: UUID, environment: str, placements: Sequence[Placement], now: datetime
) -> Mapping[UUID, Used]:
    since = reporting_day(now) - LOOK_BACK
    rewards = _REWARDED.rows(viewer_id=viewer_id, environment=environment, since=since)
    sessions = _OPEN.objects(viewer_id=viewer_id, environment=environment, now=now)
    return {
        placement.id: Used(
            rewards=[
                (day, moment)
                for of, network, day, moment in rewards
                if _counts(placement, of, network)
            ],
            sessions=[one for one in sessions if _counts(placement, one.placement_id, one.network)],
        )
        for placement in placements
    }


def _counts(placement: Placement, placement_id: UUID, network: str) -> bool:
    """Whether what was had of one placement counts at another."""
    if placement_id == placement.id:
        return True
    return network == placement.network and network in PROVISIONAL


def _standing(placement: Placement, used: Used, now: datetime) -> Standing:
    today = reporting_day(now)
    taken = sum(day == today for day, _ in used.rewards) + len(used.sessions)
    available_at = max(
        _below_cap_at(placement, used, now), _cooled_down_at(placement, used, now), now
    )
    return Standing(
        placement=placement,
        remaining_today=max(placement.daily_cap - taken, 0),
        available_at=available_at if available_at > now else None,
        open_sessions=used.sessions,
    )


def _below_cap_at(placement: Placement, used: Used, now: datetime) -> datetime:
    """The first moment at which rewards of the day and open sessions leave a place."""
    midnight, today = next_midnight(now), reporting_day(now)
    rewards = sum(day == today for day, _ in used.rewards)
    expiries = [session.expires_at for session in used.sessions]

    def taken(moment: datetime) -> int:
        still_open = sum(expires_at > moment for expires_at in expiries)
        return still_open + (rewards if moment < midnight else 0)

    moments = sorted({now, midnight, *expiries})
    return next(moment for moment in moments if taken(moment) < placement.daily_cap)


def _cooled_down_at(placement: Placement, used: Used, now: datetime) -> datetime:
    begun = [moment for _, moment in used.rewards]
    begun += [session.opened_at for session in used.sessions]
    if not begun:
        return now
    return max(begun) + timedelta(seconds=placement.cooldown_seconds)


def _rewarded(*, viewer_id: UUID, environment: str, since: date) -> QuerySet[Any, Any]:
    found = Reward.objects.filter(viewer_id=viewer_id, environment=environment, day__gte=since)
    return found.values_list("placement_id", "network", "day", "created_at")


def _open(*, viewer_id: UUID, environment: str, now: datetime) -> QuerySet[AdSession]:
    return AdSession.objects.filter(
        viewer_id=viewer_id,
        environment=environment,
        closed_at__isnull=True,
        expires_at__gt=now,
    )


_REWARDED = CompiledQuery(_rewarded, viewer_id=UUID, environment=str, since=date)
_OPEN = CompiledQuery(_open, viewer_id=UUID, environment=str, now=datetime)
