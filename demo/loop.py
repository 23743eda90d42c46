"""The loop, closed: what one viewer did ten days ago, and what the reports make of it, to the coin.

The days are simulated, so that the windows which reports wait for are over: the viewer comes first,
watches, opens one episode with an ad and one with coins, and comes back the next day.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from demo.answers import Paywall, Playing, Reported
from demo.client import FakeAdNetwork, FakeStoreSdk, ViewerClient, Watched, new_key
from demo.event_log import EventLog
from demo.facts import WrongFact, fact, refused
from demo.journey import Step, Walk
from demo.simulated_clock import ViewersClock
from demo.transport import Transport

AGO = timedelta(days=10)
APP = {"platform": "ios", "version": "1.0", "locale": "en", "country": "US"}
AD_MS, PAUSE_MS = 25_000, 20_000

Connect = Callable[[Callable[[], Mapping[str, str]]], Transport]
"""Makes a connection on which every request carries those headers."""


@dataclass(frozen=True, kw_only=True)
class Bargain:
    """What is known of a series beforehand: free episodes, then one that an ad opens, then one that
    coins of that pack do, at the same price.
    """

    series_id: str
    external_id: str
    free_count: int
    price_coins: int
    pack_code: str


def walk(connect: Connect, bargain: Bargain, *, now: datetime) -> Walk:
    """The viewer's two visits. Raises WrongFact at the first answer that is wrong."""
    viewer = _Viewer(connect, ViewersClock(now - AGO), bargain)
    with viewer.transport:
        yield viewer.come()
        yield viewer.watch_what_is_free()
        yield viewer.open_by_ad()
        yield viewer.open_by_coins()
        yield viewer.report()
        yield viewer.come_back()


class _Viewer:
    """One person with the app, and what the app notes of what they do."""

    def __init__(self, connect: Connect, clock: ViewersClock, bargain: Bargain) -> None:
        self.transport = connect(clock.headers)
        self._clock, self._bargain = clock, bargain
        self._app = ViewerClient(self.transport)
        self._network = FakeAdNetwork(self.transport)
        self._log = EventLog(app=APP, clock=lambda: clock.moment)
        self._watched: Watched | None = None

    def come(self) -> Step:
        self._app.guest()
        self._log.note("app_open", channel="tiktok")
        feed = self._app.feed(limit=20)
        for shown in feed.slots:
            fact("a propensity is a probability", 0 < shown.propensity <= 1, True)
            self._log.note(
                "feed_impression",
                decision_id=feed.decision_id,
                slot=shown.slot,
                series_id=shown.series.id,
                visible_ms=1_500,
            )
        drawn = {shown.series.id for shown in feed.slots}
        fact("the feed draws the series", self._bargain.series_id in drawn, True)
        self._clock.pass_ms(3_000)
        return Step("ten days ago", f"a guest, and a feed of {len(feed.slots)} logged slots")

    def watch_what_is_free(self) -> Step:
        free = self._app.paywall(self._bargain.series_id).in_state("free")
        fact("free episodes", len(free), self._bargain.free_count)
        for episode in free:
            self._watch(self._app.play(episode.episode_id))
        return Step("watched", f"{len(free)} free episodes, every second noted")

    def open_by_ad(self) -> Step:
        episode_id, wall = self._stand_before_the_lock()
        option = wall.option("ad")
        if option is None:
            raise WrongFact("the paywall offers no ad")
        session = self._app.open_ad(option.placement, episode_id, watched=self._watched)
        self._log.note("ad_shown", ad_session_id=session.ad_session_id, placement=option.placement)
        self._clock.pass_ms(AD_MS)
        callback = self._network.show(session)
        altered = callback.replace(session.custom_data, session.custom_data[::-1])
        refused(
            "an altered callback",
            lambda: self._network.call_back(altered),
            status=403,
            code="callback_forged",
        )
        fact("the session", self._app.ad(session.ad_session_id).state, "open")
        self._network.call_back(callback)
        fact("the session", self._app.ad(session.ad_session_id).state, "rewarded")
        self._network.call_back(callback)
        owned = self._app.paywall(self._bargain.series_id).in_state("owned")
        fact("opened by the ad, once", [one.episode_id for one in owned], [episode_id])
        self._watch(self._app.play(episode_id))
        return Step("ad unlock", "by the network's signed word; altered: 403, replayed: nothing")

    def open_by_coins(self) -> Step:
        episode_id, wall = self._stand_before_the_lock()
        offer = next(one for one in self._app.offers() if one.code == self._bargain.pack_code)
        self._log.note("offer_shown", placement="paywall", series_id=self._bargain.series_id)
        self._app.submit(FakeStoreSdk(self.transport).buy(self._app.intent(offer.pack_id)))
        unlocked = self._app.unlock(
            episode_id, quote=wall.quote, key=new_key(), watched=self._watched
        ).answer
        fact("the price", unlocked.price_coins, self._bargain.price_coins)
        fact("the balance", unlocked.balance.coins, offer.coins - self._bargain.price_coins)
        self._watch(self._app.play(episode_id))
        return Step("coin unlock", f"{unlocked.price_coins} of {offer.coins} coins")

    def report(self) -> Step:
        """Everything until now, with an event in between that means nothing; each batch twice."""
        self._log.note("playback_progress", episode_id="of no playback")
        noted = len(self._log)
        self._clock.pass_ms(1_000)
        answers: list[Reported] = []

        def send(batch: bytes) -> Reported:
            answers.append(self._app.report(batch))
            fact("the same batch again", self._app.report(batch), answers[-1])
            return answers[-1]

        self._log.send(send)
        accepted = sum(answer.accepted for answer in answers)
        quarantined = sum(answer.quarantined for answer in answers)
        fact("accepted and quarantined", (accepted, quarantined), (noted - 1, 1))
        return Step("events", f"{accepted} accepted, a malformed one quarantined; sent twice")

    def come_back(self) -> Step:
        self._clock.pass_ms(timedelta(days=1).total_seconds() * 1000)
        self._log.note("app_open")
        self._log.send(self._app.report)
        return Step("the next day", "the app is opened again")

    def _stand_before_the_lock(self) -> tuple[str, Paywall]:
        wall = self._app.paywall(self._bargain.series_id)
        locked = wall.in_state("locked")[0]
        fact("the lock", locked.price_coins, self._bargain.price_coins)
        self._log.note(
            "paywall_shown",
            series_id=self._bargain.series_id,
            episode_id=locked.episode_id,
            price_coins=locked.price_coins,
        )
        self._clock.pass_ms(PAUSE_MS)
        return locked.episode_id, wall

    def _watch(self, playing: Playing) -> None:
        """Plays an episode to its end, without a break."""
        playback = playing.playback
        ids = {
            "playback_session_id": playback.playback_session_id,
            "series_id": self._bargain.series_id,
            "episode_id": playback.episode_id,
            "version_id": playback.version_id,
        }
        length_ms = playback.duration_ms
        self._log.note("playback_start", **ids)
        self._clock.pass_ms(length_ms)
        self._log.note("playback_progress", **ids, from_ms=0, to_ms=length_ms, actual_ms=length_ms)
        self._log.note("playback_end", **ids, position_ms=length_ms, reason="completed")
        self._watched = Watched(playback.playback_session_id, length_ms)
