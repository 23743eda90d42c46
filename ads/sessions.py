"""Ad sessions: opened before the ad, settled by the network's callback."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import QuerySet

from ads import adapters, goals, limits, origins, policies
from ads.goals import Progress
from ads.limits import Standing
from ads.models import AdSession, Placement, PlacementReward
from ads.networks.base import HandOver
from ads.policies import Onlooker
from catalog.models import Episode, Series
from config.compiled_queries import CompiledQuery
from config.problems import NotFound, Problem
from payments.access import meeting
from payments.prices import pricing
from payments.prices.terms import PriceLadder
from payments.unlocking.unlocks import EpisodeUnavailable

_OPEN = "SELECT ads_open_session(%s, %s, %s, %s, %s, %s::integer[], %s, %s, %s, %s)::text"


class PlacementUnknown(Problem):
    code = "placement_unknown"
    title = "No ads are shown at this placement"


class EpisodeNotLocked(Problem):
    code = "episode_not_locked"
    title = "This episode is open to the viewer already; no ad is needed"


class AdsNotHere(Problem):
    """`because` is one of `policies.Against`."""

    code = "ads_not_here"
    title = "This placement shows no ads for this title, or to this viewer"


class AdTargetWrong(Problem):
    """`reward` is what ads are watched for at the placement."""

    code = "ad_target_wrong"
    title = "Ads for coins are of no episode, all others are of one"


class AdSessionElsewhere(Problem):
    """Carries `placement`, `episode_id` and `expires_at` of the session that is open."""

    code = "ad_session_elsewhere"
    title = "Another open session of the viewer would open this episode; go on with that"


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
    episode_id: UUID | None = None


@dataclass(frozen=True)
class Target:
    """What an ad is watched for: an episode of a title, whose `free_numbers` cost the viewer nothing."""

    series: Series
    episode_id: UUID
    free_numbers: Sequence[int]


@dataclass(frozen=True)
class OnOffer:
    """A placement that is for a viewer, how they stand before it, and what their ads come to there."""

    standing: Standing
    progress: Progress

    @property
    def placement(self) -> Placement:
        return self.standing.placement


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
    episode_id: UUID | None,
    now: datetime,
    device_id: UUID | None = None,
    address: str | None = None,
    playback_session_id: UUID | None = None,
    position_ms: int | None = None,
) -> Opened:
    """A session for one ad, watched for an episode or, where that is None, for coins; an open one for the same
    is lengthened instead.

    Refuses before the ad whatever could not pay after it. Raises PlacementUnknown, AdTargetWrong,
    AdsNotHere (with `because`), EpisodeUnavailable, EpisodeNotLocked, AdSessionElsewhere (with that
    `placement`, `episode_id` and `expires_at`), AdCapReached (with `resets_at`), AdCoolingDown (with
    `available_at`), and AdAccountsCrowded (with `where` and `resets_at`); none of them leaves anything behind.
    """
    placement = _active().filter(code=placement_code, network__in=adapters.names()).first()
    if placement is None:
        raise PlacementUnknown
    if (placement.reward == PlacementReward.COINS) != (episode_id is None):
        raise AdTargetWrong(reward=placement.reward)
    target = None
    if episode_id is not None:
        target = _target(
            episode_id, viewer_id=viewer_id, environment=environment, device_id=device_id, now=now
        )
    onlooker = Onlooker(viewer_id=viewer_id, environment=environment, now=now)
    speaks = policies.against(
        placement, series=target.series if target else None, onlooker=onlooker
    )
    if speaks is not None:
        raise AdsNotHere(because=speaks)
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
            target,
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
    target: Target | None,
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
                target.series.id if target else None,
                target.episode_id if target else None,
                list(target.free_numbers) if target else [],
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
        .select_related("placement", "earned__goal")
        .first()
    )
    if session is None:
        raise NotFound
    return session


def open_in(
    *, viewer_id: UUID, environment: str, series_id: UUID, now: datetime
) -> Sequence[AdSession]:
    """The viewer's open sessions for episodes of a title, the latest first."""
    found: Sequence[AdSession] = _OPEN_IN.objects(
        viewer_id=viewer_id, environment=environment, series_id=series_id, now=now
    )
    return found


def on_offer(onlooker: Onlooker, *, series_id: UUID | None = None) -> Sequence[OnOffer]:
    """Every placement that is for the viewer, by code; for a title only those whose ads open it, which is not
    to say that ads open it at all."""
    meant: Iterable[Placement] = placements()
    if series_id is not None:
        meant = policies.serving(list(meant), series_id=series_id)
    meant = [one for one in meant if onlooker.is_meant_by(one)]
    if not meant:
        return []
    standings = limits.standings(
        viewer_id=onlooker.viewer_id,
        environment=onlooker.environment,
        placements=meant,
        now=onlooker.now,
    )
    begun = goals.begun(viewer_id=onlooker.viewer_id, environment=onlooker.environment)
    return [
        OnOffer(
            one,
            goals.towards(
                one.placement, series_id=series_id, goals=begun, open_sessions=one.open_sessions
            ),
        )
        for one in standings
    ]


def _active() -> QuerySet[Placement]:
    return Placement.objects.filter(is_active=True)


def _open_in(
    *, viewer_id: UUID, environment: str, series_id: UUID, now: datetime
) -> QuerySet[AdSession]:
    return AdSession.objects.filter(
        viewer_id=viewer_id,
        environment=environment,
        series_id=series_id,
        closed_at__isnull=True,
        expires_at__gt=now,
    ).order_by("-id")


def _target(
    episode_id: UUID, *, viewer_id: UUID, environment: str, device_id: UUID | None, now: datetime
) -> Target:
    """An episode that costs this viewer something. Raises EpisodeUnavailable, EpisodeNotLocked."""
    episode = (
        Episode.objects.filter(
            id=episode_id, state=Episode.State.PUBLISHED, series__state=Series.State.PUBLISHED
        )
        .select_related("series")
        .defer("series__search")
        .first()
    )
    if episode is None:
        raise EpisodeUnavailable
    price = pricing.price_for(
        viewer_id=viewer_id, device_id=device_id, series_id=episode.series_id, at=now
    )
    meeting.expose(price, viewer_id=viewer_id, environment=environment, episode=episode, now=now)
    ladder = price.ladder
    if ladder.price_of(episode.number) == 0:
        raise EpisodeNotLocked
    return Target(series=episode.series, episode_id=episode.id, free_numbers=_free_numbers(ladder))


def _free_numbers(ladder: PriceLadder) -> Sequence[int]:
    """The episodes that cost nothing. Those past the ladder's steps all cost the same."""
    return [number for number, coins in enumerate(ladder.prices, 1) if coins == 0]


def _refusal(
    decided: _Outcome, *, viewer_id: UUID, environment: str, placement: Placement, now: datetime
) -> Problem:
    if decided.outcome == "already_open":
        return EpisodeNotLocked()
    if decided.outcome == "wrong_target":
        return AdTargetWrong(reward=placement.reward)
    if decided.outcome == "elsewhere":
        return AdSessionElsewhere(
            placement=decided.placement,
            episode_id=decided.episode_id,
            expires_at=decided.expires_at,
        )
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
_OPEN_IN = CompiledQuery(_open_in, viewer_id=UUID, environment=str, series_id=UUID, now=datetime)
