"""Before a locked episode: pay, watch an ad, or leave."""

import math
from datetime import timedelta
from random import Random

from demo.answers import Offer, Option, Paywall, PaywallEpisode, Purchase, Unlocked
from demo.client import FakeStoreSdk, StillWaits, Watched, new_key
from demo.simulation import ads, subscribers
from demo.simulation.dice import happens
from demo.simulation.phones import Phone
from demo.simulation.titles import Script
from demo.transport import Refused

AD_MS = 25_000
LONGEST_WAIT = timedelta(seconds=30)
"""How long one waits for the next ad who means to watch one."""

RELUCTANCE_WITH_COINS = 0.35
"""Of the reluctance to pay, what is left while there are coins in hand."""

SMALLEST_PACK = 0.65
"""How likely a viewer takes the smallest pack that helps, and not the next."""


class Wall:
    """One viewer's way past the locks of one series, in one visit."""

    def __init__(self, phone: Phone, script: Script) -> None:
        self._phone, self._script = phone, script
        self._fake = FakeStoreSdk(phone.transport)
        self._shown: Paywall | None = None

    def open(self, episode_id: str, *, watched: Watched | None, roll: Random) -> bool:
        """Whether the episode is open now. Each way of one is tried at most once."""
        episode = self._stand_before(episode_id)
        if episode is None:
            return False
        if happens(roll, self._readiness(episode)):
            return self._pay(episode, watched, roll)
        if happens(roll, self._drawn(self._phone.person.ad_tolerance)):
            return self._watch_ad(episode, watched)
        return False

    def _readiness(self, episode: PaywallEpisode) -> float:
        """How readily they pay. Coins that were bought already are spent more lightly."""
        readiness = self._drawn(self._phone.person.generosity)
        if readiness and self._phone.account.coins >= episode.price_coins:
            return 1 - (1 - readiness) * RELUCTANCE_WITH_COINS
        return readiness

    def _drawn(self, probability: float) -> float:
        """A probability as the title's cliffhangers move it."""
        return min(probability * math.sqrt(self._script.truth.pull), 0.97)

    def _stand_before(self, episode_id: str) -> PaywallEpisode | None:
        """The episode as the paywall shows it, None if it is not locked there."""
        moment = self._phone.clock.moment
        if self._shown is None or self._shown.quote_expires_at <= moment:
            self._look()
        assert self._shown is not None  # noqa: S101  just looked
        locked = self._shown.in_state("locked")
        episode = next((one for one in locked if one.episode_id == episode_id), None)
        if episode is not None:
            self._phone.counts.paywalls += 1
            self._phone.log.note(
                "paywall_shown",
                series_id=self._script.series_id,
                episode_id=episode_id,
                price_coins=episode.price_coins,
            )
            self._phone.clock.pass_ms(2_500)
        return episode

    def _look(self) -> None:
        self._shown = self._phone.app.paywall(self._script.series_id)
        self._phone.account.coins = self._shown.balance.coins

    def _pay(self, episode: PaywallEpisode, watched: Watched | None, roll: Random) -> bool:
        if self._phone.account.coins < episode.price_coins and not self._top_up(roll):
            return False
        assert self._shown is not None  # noqa: S101  one stands before it
        if self._phone.account.coins < episode.price_coins:
            return False
        unlocked = self._unlock(episode.episode_id, quote=self._shown.quote, watched=watched)
        self._phone.account.coins = unlocked.balance.coins
        if unlocked.outcome == "unlocked":
            self._phone.counts.coin_unlocks += 1
            self._phone.counts.coins_spent += unlocked.price_coins
        return True

    def _unlock(self, episode_id: str, *, quote: str, watched: Watched | None) -> Unlocked:
        """The unlock; whoever is asked whether so much is meant for one day means it."""
        key = new_key()
        try:
            return self._phone.app.unlock(episode_id, quote=quote, key=key, watched=watched).answer
        except Refused as refusal:
            if refusal.code != "spend_confirmation_needed":
                raise
            confirmed = int(refusal.members["confirm_spend_coins"])
        return self._phone.app.unlock(
            episode_id, quote=quote, key=key, watched=watched, confirmed_spend_coins=confirmed
        ).answer

    def _top_up(self, roll: Random) -> bool:
        self._look()
        offer = self._affordable(roll)
        if offer is None:
            return False
        self._phone.log.note("offer_shown", placement="paywall", series_id=self._script.series_id)
        self._phone.clock.pass_ms(9_000)
        self._phone.account.spent_micros += offer.price.amount_micros
        self._phone.counts.top_ups += 1
        try:
            bought = self._buy(offer)
        except StillWaits:
            self._phone.counts.waiting += 1
            return False
        self._phone.account.coins += bought.coins
        self._phone.counts.coins_bought += bought.coins
        return True

    def _buy(self, offer: Offer) -> Purchase:
        """In the store of the viewer's platform. Raises StillWaits."""
        phone, store = self._phone, self._phone.store
        if store is None:
            return phone.app.submit(self._fake.buy(phone.app.intent(offer.pack_id))).answer
        intent = phone.app.intent(offer.pack_id, provider=store.provider)
        sold = store.buy(phone.app, intent, at=phone.clock.moment)
        subscribers.regret(phone, sold)
        return phone.app.submit(sold.handed_in, provider=store.provider).answer

    def _affordable(self, roll: Random) -> Offer | None:
        assert self._shown is not None  # noqa: S101  one stands before it
        budget = self._phone.account.budget_micros
        offers = [one for one in self._shown.offers if one.price.amount_micros <= budget]
        offers.sort(key=lambda one: one.price.amount_micros)
        if len(offers) > 1 and not happens(roll, SMALLEST_PACK):
            return offers[1]
        return offers[0] if offers else None

    def _watch_ad(self, episode: PaywallEpisode, watched: Watched | None) -> bool:
        option = self._ad_for(episode)
        if option is None:
            return False
        try:
            session = self._phone.app.open_ad(option.placement, episode.episode_id, watched=watched)
        except Refused:
            return False  # the day's cap or the pause between two ads: as good as no ad
        self._phone.log.note(
            "ad_shown", ad_session_id=session.ad_session_id, placement=option.placement
        )
        self._phone.clock.pass_ms(AD_MS)
        ads.watch(self._phone, session, placement=option.placement)
        is_open = self._phone.app.ad(session.ad_session_id).state == "rewarded"
        self._phone.counts.ad_unlocks += is_open
        self._shown = None
        return is_open

    def _ad_for(self, episode: PaywallEpisode) -> Option | None:
        assert self._shown is not None  # noqa: S101  one stands before it
        option = self._shown.option("ad")
        if option is None or option.episode_id != episode.episode_id:
            return None
        clock = self._phone.clock
        available_at = option.available_at or clock.moment
        if available_at > clock.moment + LONGEST_WAIT:
            return None
        clock.moment = max(clock.moment, available_at)
        return option
