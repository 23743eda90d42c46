"""What the simulated viewers did, counted by themselves."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Self

from demo.simulation.titles import Truth


@dataclass
class Counts:
    """Of one visit, or of many added up. Events are counted as often as they were answered."""

    arrivals: int = 0
    visits: int = 0
    starts: int = 0
    """Series that a viewer began."""

    episodes: int = 0
    """Playbacks that were started."""

    events_sent: int = 0
    events_accepted: int = 0
    events_quarantined: int = 0
    events_repeated: int = 0
    """Of the accepted, those that an earlier batch had brought already."""

    paywalls: int = 0
    top_ups: int = 0
    coins_bought: int = 0
    waiting: int = 0
    """Purchases that the service could not book at once, as their store did not answer."""

    subscriptions: int = 0
    restored: int = 0
    """Subscriptions that went on on another phone."""

    coins_spent: int = 0
    coin_unlocks: int = 0
    ads_watched: int = 0
    ad_unlocks: int = 0
    late_callbacks: int = 0
    """Of watched ads, that the network told of when it was too late to pay."""

    orphaned_callbacks: int = 0
    """Of watched ads, that the network told of without their session."""

    requests: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(self))
        )

    @property
    def returns(self) -> int:
        """Visits that were not the first."""
        return self.visits - self.arrivals


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The whole run. `truths` are what the titles were worth, by external id."""

    counts: Counts
    truths: Mapping[str, Truth]
    ad_report: bytes
    """What the ad network's file says of the days before the last; empty without ads."""

    seconds: float

    @property
    def requests_per_second(self) -> float:
        return self.counts.requests / self.seconds if self.seconds else 0.0

    def rows(self) -> Mapping[str, str]:
        """Labels and figures for people."""
        counts = self.counts
        shown = {name: f"{value:,}" for name, value in asdict(counts).items()}
        return {
            "viewers": shown["arrivals"],
            "visits": f"{shown['visits']}, {counts.returns:,} of them returns",
            "watched": f"{shown['starts']} series begun, {shown['episodes']} episodes",
            "events": f"{shown['events_sent']} sent: {shown['events_accepted']} accepted, "
            f"{shown['events_quarantined']} quarantined, {shown['events_repeated']} repeated",
            "paywall": f"{shown['paywalls']} times: {shown['coin_unlocks']} unlocks by coins, "
            f"{shown['ad_unlocks']} by ads",
            "coins": f"{shown['coins_bought']} bought in {shown['top_ups']} top-ups, "
            f"{shown['coins_spent']} spent",
            "subscribed": f"{shown['subscriptions']} times, {shown['restored']} restored elsewhere",
            "ads": f"{shown['ads_watched']} watched; {shown['late_callbacks']} callbacks came late, "
            f"{shown['orphaned_callbacks']} without a session",
            "speed": f"{shown['requests']} requests in {self.seconds:.0f} s, "
            f"{self.requests_per_second:.0f}/s",
        }
