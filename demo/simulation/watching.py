"""One series in one visit: episode after episode, until they leave or meet a lock they will not open."""

from collections.abc import Mapping
from functools import partial

from demo.answers import Episode, Playback
from demo.client import Watched
from demo.simulation import titles
from demo.simulation.dice import happens
from demo.simulation.phones import Phone
from demo.simulation.titles import Script
from demo.simulation.viewing import Viewing, view
from demo.simulation.walls import Wall
from demo.transport import Refused

LIKED_EPISODES = 4
"""Who has seen so many may make the series a favorite."""

_FAVORS = 0.2
_NOTED_AGAIN = 0.02


class Sitting:
    """A viewer before a series. `watch` runs once."""

    def __init__(self, phone: Phone, script: Script, *, decision_id: str) -> None:
        self._phone, self._script, self._decision_id = phone, script, decision_id
        self._wall = Wall(phone, script)
        self._ready: dict[str, Playback] = {}
        self._watched: Watched | None = None
        self._place = phone.account.next_episode.get(script.series_id, 0)

    def watch(self, *, wanted: int) -> int:
        """How many of the `wanted` episodes are still wanted afterwards."""
        account, series_id = self._phone.account, self._script.series_id
        self._phone.counts.starts += series_id not in account.next_episode
        account.current = series_id
        while wanted and self._place < len(self._script.episodes):
            playback = self._opened(self._script.episodes[self._place])
            if playback is None:
                break
            wanted -= 1
            goes_on = self._play(playback)
            account.next_episode[series_id] = self._place
            if not goes_on:
                break
        self._settle()
        return wanted

    def _opened(self, episode: Episode) -> Playback | None:
        """A playback of the episode, unlocked on the way if they will; None if they will not."""
        if playback := self._ready.pop(episode.id, None):
            return playback
        try:
            return self._asked(episode)
        except Refused as refusal:
            if refusal.code != "episode_locked":
                raise
        roll = self._phone.dice("wall", self._script.external_id, episode.number)
        if not self._wall.open(episode.id, watched=self._watched, roll=roll):
            return None
        return self._asked(episode)

    def _asked(self, episode: Episode) -> Playback:
        playing = self._phone.app.play(episode.id)
        self._ready |= {playback.episode_id: playback for playback in playing.next}
        return playing.playback

    def _play(self, playback: Playback) -> bool:
        """Plays an episode; whether they go on to the next one."""
        phone, script, number = self._phone, self._script, playback.number
        viewing = view(
            script.beats[self._place],
            phone.person,
            hazard=partial(titles.hazard, script, phone.person, number=number),
            roll=phone.dice("view", script.external_id, number),
        )
        onwards = phone.dice("onwards", script.external_id, number)
        stays = titles.resolve(script) if viewing.is_complete else phone.person.swipes
        goes_on = happens(onwards, stays)
        self._note(playback, viewing, swiped=goes_on and not viewing.is_complete)
        self._watched = Watched(
            playback.playback_session_id, min(viewing.position_ms, playback.duration_ms - 1)
        )
        self._place += viewing.is_complete or goes_on
        return goes_on

    def _note(self, playback: Playback, viewing: Viewing, *, swiped: bool) -> None:
        """What a player reports of a viewing, at the pace at which it happens."""
        phone = self._phone
        about = {
            "playback_session_id": playback.playback_session_id,
            "series_id": self._script.series_id,
            "episode_id": playback.episode_id,
            "version_id": playback.version_id,
        }
        self._note_start(about)
        for step in viewing.steps:
            span = {"from_ms": step.from_ms, "to_ms": step.to_ms}
            if step.is_played:
                actual_ms = round((step.to_ms - step.from_ms) / phone.person.speed)
                phone.clock.pass_ms(actual_ms)
                phone.log.note("playback_progress", **about, **span, actual_ms=actual_ms)
            else:
                phone.log.note("playback_seek", **about, **span)
        reason = "next" if swiped else "completed" if viewing.is_complete else "exit"
        ended = phone.log.note(
            "playback_end", **about, position_ms=viewing.position_ms, reason=reason
        )
        if happens(phone.roll, _NOTED_AGAIN):
            phone.log.note_again(ended)
            phone.counts.events_repeated += 1
        phone.clock.pass_ms(phone.roll.uniform(500, 2_000))

    def _note_start(self, about: Mapping[str, object]) -> None:
        phone = self._phone
        first_frame_ms = round(phone.roll.lognormvariate(5.9, 0.4))
        phone.clock.pass_ms(first_frame_ms)
        # Only the first playback is what the feed led to.
        led = {"decision_id": self._decision_id} if self._decision_id else {}
        self._decision_id = ""
        phone.log.note(
            "playback_start", **about, **led, position_ms=0, first_frame_ms=first_frame_ms
        )
        phone.counts.episodes += 1

    def _settle(self) -> None:
        """Keeps where they stand, and remembers what they liked."""
        account, app, script = self._phone.account, self._phone.app, self._script
        last = len(script.episodes) - 1
        if self._place > last:
            account.current = ""
        if self._watched is None:
            return
        app.put_history(
            series_id=script.series_id,
            episode_id=script.episodes[min(self._place, last)].id,
            position_ms=self._watched.position_ms,
        )
        is_liked = self._place >= LIKED_EPISODES and script.series_id not in account.favorites
        if is_liked and happens(self._phone.roll, _FAVORS):
            app.put_favorite(script.series_id)
            account.favorites.add(script.series_id)
