"""Ad sessions: opened before the ad, settled by the network's callback."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import QuerySet

from ads import adapters, limits, origins
from ads.limits import Standing
from ads.models import AdSession, Placement
from ads.networks.base import HandOver
from catalog.models import Episode, Series
from config.compiled_queries import CompiledQuery
from config.problems import NotFound, Problem
from payments.access import meeting
from payments.prices import pricing
from payments.unlocking.unlocks import EpisodeUnavailable

_OPEN = "SELECT ads_open_session(%s, %s, %s, %s, %s, %s, %s, %s, %s)::text"


class PlacementUnknown(Problem):
    code = "placement_unknown"
    title = "No ads are shown at this placement"


class EpisodeNotLocked(Problem):
    code = "episode_not_locked"
    title = "This episode is open to the viewer already; no ad is needed"


class AdSessionElsewhere(Problem):
    code = "ad_session_elsewhere"
    title = "The viewer has an open session for this episode at another placement; go on with that"


class AdCapReached(Problem):
    code = "ad_cap_reached"
    title = "The viewer has watched as many ads as one day allows here"


class AdCoolingDown(Problem):
    code = "ad_cooling_down"
    title = "The next ad may be watched only later"


class _Outcome(msgspec.Struct, frozen=True):
    """What the SQL function decided."""

    outcome: str
    session_id: UUID | None = None
    expires_at: datetime | None = None
    placement: str | None = None


@dataclass(frozen=True)
class Opened:
    """A session to watch an ad under, and what its network's SDK is given. `is_new` is False for one that
    was open already."""

    session_id: UUID
    viewer_id: UUID
    placement: Placement
    hand_over: HandOver
    expires_at: datetime
    is_new: bool


def placements() -> Sequence[Placement]:
    """Every placement that ads are shown at, by code."""
    return [one for one in _ACTIVE.objects() if one.network in adapters.names()]


def open_one(
    *,
    viewer_id: UUID,
    environment: str,
    placement_code: str,
    episode_id: UUID,
    now: datetime,
    device_id: UUID | None = None,
    address: str | None = None,
    playback_session_id: UUID | None = None,
    position_ms: int | None = None,
) -> Opened:
    """A session for one ad that will open one episode; an open one for it is lengthened instead.

    Refuses before the ad whatever could not pay after it. Raises PlacementUnknown,
    EpisodeUnavailable, EpisodeNotLocked, AdSessionElsewhere (with that `placement` and
    `expires_at`), AdCapReached (with `resets_at`), AdCoolingDown (with `available_at`), and
    AdAccountsCrowded (with `where` and `resets_at`); none of them leaves anything behind.
    """
    placement = _active().filter(code=placement_code, network__in=adapters.names()).first()
    if placement is None:
        raise PlacementUnknown
    episode = _episode(episode_id)
    price = pricing.price_for(
        viewer_id=viewer_id, device_id=device_id, series_id=episode.series_id, at=now
    )
    meeting.expose(price, viewer_id=viewer_id, environment=environment, episode=episode, now=now)
    if price.ladder.price_of(episode.number) == 0:
        raise EpisodeNotLocked
    with transaction.atomic():
        origins.take(
            viewer_id=viewer_id,
            environment=environment,
            device_id=device_id,
            address=address,
            now=now,
        )
        session_id, expires_at, is_new = _open(
            placement,
            episode,
            viewer_id=viewer_id,
            environment=environment,
            playback_session_id=playback_session_id,
            position_ms=position_ms,
            now=now,
        )
    return Opened(
        session_id=session_id,
        viewer_id=viewer_id,
        placement=placement,
        hand_over=adapters.find(placement.network).hand_over(
            session=session_id.hex,
            viewer=viewer_id.hex,
            ad_unit_id=placement.ad_unit_id,
            now=now,
        ),
        expires_at=expires_at,
        is_new=is_new,
    )


def _open(
    placement: Placement,
    episode: Episode,
    *,
    viewer_id: UUID,
    environment: str,
    playback_session_id: UUID | None,
    position_ms: int | None,
    now: datetime,
) -> tuple[UUID, datetime, bool]:
    """The session's id, its end, and whether it is new."""
    with connection.cursor() as cursor:
        cursor.execute(
            _OPEN,
            [
                viewer_id,
                environment,
                placement.id,
                episode.series_id,
                episode.id,
                playback_session_id,
                position_ms,
                limits.reporting_day(now),
                now,
            ],
        )
        (text,) = cursor.fetchone()
    decided = msgspec.json.decode(text, type=_Outcome)
    if decided.session_id is None or decided.expires_at is None:
        raise _refusal(
            decided,
            viewer_id=viewer_id,
            environment=environment,
            placement=placement,
            now=now,
        )
    return decided.session_id, decided.expires_at, decided.outcome == "opened"


def find(*, viewer_id: UUID, environment: str, session_id: UUID) -> AdSession:
    """A session of this viewer. Raises NotFound for anybody else's."""
    session = (
        AdSession.objects.filter(id=session_id, viewer_id=viewer_id, environment=environment)
        .select_related("placement", "reward")
        .first()
    )
    if session is None:
        raise NotFound
    return session


def open_for(
    *, viewer_id: UUID, environment: str, episode_id: UUID, now: datetime
) -> AdSession | None:
    """The viewer's open session for an episode; the latest, should its placement have been edited
    since."""
    found: Sequence[AdSession] = _OPEN_FOR.objects(
        viewer_id=viewer_id, environment=environment, episode_id=episode_id, now=now
    )
    return next(iter(found), None)


def standings(*, viewer_id: UUID, environment: str, now: datetime) -> Sequence[Standing]:
    """How the viewer stands before every placement that ads are shown at."""
    return limits.standings(
        viewer_id=viewer_id, environment=environment, placements=placements(), now=now
    )


def _active() -> QuerySet[Placement]:
    return Placement.objects.filter(is_active=True)


def _open_for(
    *, viewer_id: UUID, environment: str, episode_id: UUID, now: datetime
) -> QuerySet[AdSession]:
    return AdSession.objects.filter(
        viewer_id=viewer_id,
        environment=environment,
        episode_id=episode_id,
        closed_at__isnull=True,
        expires_at__gt=now,
    ).order_by("-id")[:1]


def _episode(episode_id: UUID) -> Episode:
    episode = Episode.objects.filter(
        id=episode_id, state=Episode.State.PUBLISHED, series__state=Series.State.PUBLISHED
    ).first()
    if episode is None:
        raise EpisodeUnavailable
    return episode


def _refusal(
    decided: _Outcome, *, viewer_id: UUID, environment: str, placement: Placement, now: datetime
) -> Problem:
    if decided.outcome == "already_open":
        return EpisodeNotLocked()
    if decided.outcome == "elsewhere":
        return AdSessionElsewhere(placement=decided.placement, expires_at=decided.expires_at)
    (standing,) = limits.standings(
        viewer_id=viewer_id, environment=environment, placements=[placement], now=now
    )
    at = standing.available_at or now
    refusal = (
        AdCapReached(resets_at=at)
        if decided.outcome == "cap_reached"
        else AdCoolingDown(available_at=at)
    )
    refusal.headers = {"Retry-After": str(max(int((at - now).total_seconds() + 0.999), 1))}
    return refusal


_ACTIVE = CompiledQuery(_active)
_OPEN_FOR = CompiledQuery(_open_for, viewer_id=UUID, environment=str, episode_id=UUID, now=datetime)
