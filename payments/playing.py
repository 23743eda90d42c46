"""Opening an episode: the last door before the video's URL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from catalog import playback
from catalog.models import Episode, EpisodeVersion, Series
from catalog.playback import Playback
from config.problems import NotFound, Problem
from payments import entitlements, pricing, quotes
from payments.models import Entitlement
from payments.pricing import PriceLadder

#: How many openable episodes beyond the asked one are opened too, so that a swipe never stalls.
AHEAD = 2


class EpisodeLocked(Problem):
    code = "episode_locked"
    title = "This episode has to be unlocked first"


@dataclass(frozen=True)
class Opened:
    """An episode that may be watched, and where its video is."""

    episode: Episode
    playback: Playback


def play(*, viewer_id: UUID, environment: str, episode_id: UUID, now: datetime) -> Sequence[Opened]:
    """Playback URLs for an episode and the next few that the viewer may open, in order.

    The URL is made only after a committed entitlement was read, or the price in force is 0. What
    was unlocked stays playable when its episode or series is withdrawn. Raises NotFound, and
    EpisodeLocked with the price and a quote.
    """
    asked = (
        Episode.objects.filter(id=episode_id, current_version__isnull=False)
        .select_related("series", "current_version__media")
        .first()
    )
    if asked is None:
        raise NotFound
    owned = entitlements.live(
        viewer_id=viewer_id, environment=environment, series_id=asked.series_id, at=now
    )
    if asked.id not in owned and not _is_published(asked):
        raise NotFound
    version = pricing.version_in_force(series_id=asked.series_id, at=now)
    ladder = pricing.ladder(version.id)
    if not _may_open(asked, owned, ladder):
        raise EpisodeLocked(
            price_coins=ladder.price_of(asked.number),
            series_id=asked.series_id,
            quote=quotes.make(
                viewer_id=viewer_id,
                environment=environment,
                series_id=asked.series_id,
                numbering=asked.series.numbering,
                price_version_id=version.id,
                now=now,
            ).token(),
        )
    openable = [asked, *(e for e in _following(asked) if _may_open(e, owned, ladder))]
    entitlements.mark_played([owned[e.id] for e in openable if e.id in owned], now=now)
    return [
        Opened(episode, playback.issue(version=_version(episode), viewer_id=viewer_id, now=now))
        for episode in openable
    ]


def _following(asked: Episode) -> Sequence[Episode]:
    return list(
        Episode.objects.filter(
            series_id=asked.series_id,
            series__state=Series.State.PUBLISHED,
            state=Episode.State.PUBLISHED,
            number__range=(asked.number + 1, asked.number + AHEAD),
            current_version__isnull=False,
        )
        .select_related("current_version__media")
        .order_by("number")
    )


def _version(episode: Episode) -> EpisodeVersion:
    version = episode.current_version
    assert version is not None  # noqa: S101  the query asked for it
    version.episode = episode  # the same row, which would be read again otherwise
    return version


def _may_open(episode: Episode, owned: dict[UUID, Entitlement], ladder: PriceLadder) -> bool:
    return episode.id in owned or ladder.price_of(episode.number) == 0


def _is_published(episode: Episode) -> bool:
    return (
        episode.state == Episode.State.PUBLISHED and episode.series.state == Series.State.PUBLISHED
    )
