"""What a viewer watches next: the series of yesterday, or one from the feed."""

import math
from collections.abc import Mapping, Sequence

from demo.answers import Feed, FeedSlot
from demo.simulation import titles
from demo.simulation.accounts import Account
from demo.simulation.dice import happens
from demo.simulation.phones import Phone
from demo.simulation.titles import Script

CARDS = 6
PAGES = 2
GOOD_ENOUGH = -0.4
KNOWN = -0.8
"""What a series loses by having been left before."""

_GOES_ON = 0.75
_LOOKS_UP = 0.3

Scripts = Mapping[str, Script]


def resumed(phone: Phone, scripts: Scripts) -> Script | None:
    """The series of the last visit, for most who had not had enough of it."""
    script = scripts.get(phone.account.current)
    if script is None or not happens(phone.roll, _GOES_ON):
        return None
    if happens(phone.roll, _LOOKS_UP):
        phone.app.history()
    return script


def picked(phone: Phone, scripts: Scripts, *, after: str) -> tuple[Script | None, str]:
    """A series from the feed, and the decision that showed it; None if nothing appeals."""
    for _ in range(PAGES):
        feed = phone.app.feed(limit=CARDS, after=after)
        after = feed.decision_id
        slot = _best(_looked_at(phone, feed), phone, scripts)
        if slot is not None:
            return scripts[slot.series.id], after
        if not feed.has_more:
            break
    return None, after


def _looked_at(phone: Phone, feed: Feed) -> Sequence[FeedSlot]:
    """The cards that were on the screen, from the top."""
    seen = feed.slots[: 2 + int(phone.roll.expovariate(0.4))]
    for slot in seen:
        visible_ms = round(phone.roll.uniform(400, 2_500))
        phone.clock.pass_ms(visible_ms)
        phone.log.note(
            "feed_impression",
            decision_id=feed.decision_id,
            slot=slot.slot,
            series_id=slot.series.id,
            visible_ms=visible_ms,
        )
    return seen


def _best(seen: Sequence[FeedSlot], phone: Phone, scripts: Scripts) -> FeedSlot | None:
    rated = [
        (rating(scripts[slot.series.id], phone.account, seed=phone.seed), slot.slot, slot)
        for slot in seen
        if slot.series.id in scripts
    ]
    best = max(rated, default=None, key=lambda row: row[:2])
    return best[2] if best and best[0] > GOOD_ENOUGH else None


def rating(script: Script, account: Account, *, seed: int) -> float:
    """How much this viewer wants to see a series in this visit, whatever stands beside it."""
    place = account.next_episode.get(script.series_id)
    if place == len(script.episodes):
        return -math.inf
    taste = titles.taste(seed, account.person, script)
    mood = titles.mood(seed, account.person, script, visit=account.visits)
    return taste + mood + (0.0 if place is None else KNOWN)
