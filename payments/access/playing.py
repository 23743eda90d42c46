"""Opening an episode: the last door before the video's URL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from catalog import playback
from catalog.models import Episode, EpisodeVersion, Series
from catalog.playback import Playback
from config.problems import NotFound, Problem
from payments.access import entitlements
from payments.access.entitlements import Held
from payments.prices import exposing, pricing, quotes

#: How many openable episodes beyond the asked one are opened too, so that a swipe never stalls.
AHEAD = 2


class EpisodeLocked(Problem):
    code = "episode_locked"
    title = "This episode has to be unlocked first"


@dataclass(frozen=True)
class Opened:
    """An episode that may be watched, and where its video is. `access_ends_at` is None where it may be watched
    for good, or costs nothing."""

    episode: Episode
    playback: Playback
    access_ends_at: datetime | None


def play(
    *,
    viewer_id: UUID,
    environment: str,
    episode_id: UUID,
    now: datetime,
    device_id: UUID | None = None,
) -> Sequence[Opened]:
    """Playback URLs for an episode and the next few that the viewer may open, in order.

    The URL is made only after a committed entitlement was read and marked as played, or the price in
    force is 0. What a subscription or pass covers is opened on the way. What was unlocked stays playable
    when its episode or series is withdrawn. Raises NotFound, and EpisodeLocked with the price and a
    quote, both None where ads alone open the title.
    """
    asked = (
        Episode.objects.filter(id=episode_id, current_version__isnull=False)
        .select_related("series", "current_version__media")
        .first()
    )
    if asked is None:
        raise NotFound
    door = _Door(
        viewer_id=viewer_id,
        device_id=device_id,
        environment=environment,
        series=asked.series,
        now=now,
    )
    if asked.id not in door.owned and not _is_published(asked):
        raise NotFound
    episodes = [asked, *_following(asked)]
    door.expose(episodes)
    door.open_covered([episode for episode in episodes if _is_published(episode)])
    openable = [episode for episode in episodes if door.may_open(episode)]
    # Where the asked one is locked nothing is answered, so nothing is marked either.
    if asked in openable:
        door.mark_played(openable)
    if asked not in openable or not door.may_open(asked):
        raise door.locked(asked)
    return [door.opened(episode) for episode in openable if door.may_open(episode)]


class _Whose(TypedDict):
    viewer_id: UUID
    environment: str


class _Door:
    """What one viewer may open of one series at this moment."""

    def __init__(
        self,
        *,
        viewer_id: UUID,
        device_id: UUID | None,
        environment: str,
        series: Series,
        now: datetime,
    ) -> None:
        self._whose = _Whose(viewer_id=viewer_id, environment=environment)
        self._series, self._now = series, now
        self._price = pricing.price_for(
            viewer_id=viewer_id, device_id=device_id, series_id=series.id, at=now
        )
        self._ladder = self._price.ladder
        self.owned = self._live()

    def may_open(self, episode: Episode) -> bool:
        return episode.id in self.owned or self._ladder.price_of(episode.number) == 0

    def expose(self, episodes: Sequence[Episode]) -> None:
        """The answer differs with the price of each of these, the ones ahead too: in an arm in which
        they are free the viewer may go on without asking, and would be missed there alone."""
        exposing.expose(
            self._price,
            **self._whose,
            numbers=[episode.number for episode in episodes if episode.id not in self.owned],
            now=self._now,
        )

    def open_covered(self, episodes: Sequence[Episode]) -> None:
        """Opens what is locked and covered."""
        locked = [episode.id for episode in episodes if not self.may_open(episode)]
        if not locked:
            return
        opened = entitlements.open_covered(
            **self._whose, series_id=self._series.id, episode_ids=locked, now=self._now
        )
        if opened:
            self.owned = self._live()

    def mark_played(self, episodes: Sequence[Episode]) -> None:
        """Marks what will be played. What was taken back meanwhile is no longer owned."""
        used = [self.owned[episode.id] for episode in episodes if episode.id in self.owned]
        standing = entitlements.mark_played(used, now=self._now)
        self.owned = {key: held for key, held in self.owned.items() if held.id in standing}

    def opened(self, episode: Episode) -> Opened:
        """The way to an episode that may be opened, as long as it may be."""
        held = self.owned.get(episode.id)
        is_free = self._ladder.price_of(episode.number) == 0
        ends_at = None if held is None or is_free else held.ends_at
        way = playback.issue(
            version=_version(episode),
            viewer_id=self._whose["viewer_id"],
            now=self._now,
            ends_at=ends_at,
        )
        return Opened(episode, way, ends_at)

    def locked(self, episode: Episode) -> EpisodeLocked:
        """The refusal, with what the episode costs now, where coins open it."""
        if self._series.access_mode == Series.AccessMode.AD:
            return EpisodeLocked(price_coins=None, series_id=self._series.id, quote=None)
        quote = quotes.make(
            **self._whose,
            series_id=self._series.id,
            numbering=self._series.numbering,
            price=self._price,
            now=self._now,
        )
        return EpisodeLocked(
            price_coins=self._ladder.price_of(episode.number),
            series_id=self._series.id,
            quote=quote.token(),
        )

    def _live(self) -> Mapping[UUID, Held]:
        return entitlements.live(**self._whose, series_id=self._series.id, at=self._now)


def _following(asked: Episode) -> Sequence[Episode]:
    return list(
        Episode.objects.filter(
            series_id=asked.series_id,
            series__state=Series.State.PUBLISHED,
            state=Episode.State.PUBLISHED,
            number__range=(asked.number + 1, asked.number + AHEAD),
            current_version__isnull=False,
        )
        .select_related("series", "current_version__media")
        .order_by("number")
    )


def _version(episode: Episode) -> EpisodeVersion:
    version = episode.current_version
    assert version is not None  # noqa: S101  the query asked for it
    version.episode = episode  # the same row, which would be read again otherwise
    return version


def _is_published(episode: Episode) -> bool:
    return (
        episode.state == Episode.State.PUBLISHED and episode.series.state == Series.State.PUBLISHED
    )
