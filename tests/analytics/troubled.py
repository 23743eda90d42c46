"""Money, ads for more than an episode, what networks report of them, and flags: all that moves a title's figures."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID, uuid4

from ads.models import AdSession, Placement
from ads.revenue import settling
from payments.models import Unlock
from tests.factories.ads import PlacementFactory, bring_report, tell, told
from tests.payments.ledger.days.story import DAY, MINUTE, spend
from tests.payments.ledger.days.test_money_ladder import Chaos
from viewers import flags
from viewers.flags import FlagRefused
from viewers.models import Flag


def placements() -> list[Placement]:
    """Ads for coins, for two episodes after two of them, and for a title for a time."""
    free = {"daily_cap": 100, "cooldown_seconds": 0}
    coins: Placement = PlacementFactory(
        reward="coins", reward_amount=60, estimated_net_micros=7_001, **free
    )
    two: Placement = PlacementFactory(
        reward_amount=2, ads_needed=2, estimated_net_micros=101, **free
    )
    minutes: Placement = PlacementFactory(
        reward="minutes", reward_amount=30, estimated_net_micros=31, **free
    )
    return [coins, two, minutes]


@dataclass
class Trouble(Chaos):
    """And what ads and flags do besides."""

    deeds: ClassVar[tuple[str, ...]] = (
        *Chaos.deeds,
        *("ad_for_more", "ad_for_more", "play", "tell", "report", "flag", "lift"),
    )
    more: list[Placement] = field(default_factory=placements)
    seen: list[tuple[AdSession, str, datetime]] = field(default_factory=list)
    reports: int = 0

    def see(
        self,
        placement: Placement,
        episode_id: UUID | None,
        viewer_id: UUID,
        environment: str,
        at: datetime,
    ) -> AdSession | None:
        session = super().see(placement, episode_id, viewer_id, environment, at)
        if session is not None:
            self.seen.append((session, environment, at))
        return session

    def _ad_for_more(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        placement = self.dice.choice(self.more)
        episode = self.series.episodes.get(number=self.dice.randint(9, 12))
        of = None if placement.reward == "coins" else episode.id
        self.see(placement, of, viewer_id, environment, at)

    def _play(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        spend(viewer_id, self.series, self.dice.randint(9, 12), at, environment, uuid4())

    def _tell(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        if self.seen:
            session, where, watched_at = self.dice.choice(self.seen)
            said = told(session, at=watched_at, revenue_micros=self.dice.randrange(90_000))
            tell(said, viewer_id=session.viewer_id, now=watched_at + MINUTE, environment=where)

    def _report(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        """Of the day of an ad, and days later; each report after the one before."""
        if self.seen:
            session, _, watched_at = self.dice.choice(self.seen)
            self.reports += 1
            came_at = self.start + 5 * DAY + self.reports * MINUTE
            amount = f"0.{self.dice.randrange(1_000_000):06}"
            bring_report((watched_at.date(), session.ad_unit_id, "US", amount), now=came_at)
            settling.settle_due(now=came_at + timedelta(seconds=1))

    def _flag(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        played = Unlock.objects.filter(
            viewer_id=viewer_id, playback_session_id__isnull=False
        ).first()
        of_playback = played is not None and self.dice.random() < 0.5
        session_id = played.playback_session_id if played and of_playback else None
        try:
            flags.raise_by_hand(
                viewer_id=viewer_id,
                playback_session_id=session_id,
                operator_id=self.operator_id,
                detail="A bot",
                now=at,
            )
        except FlagRefused:  # it is flagged
            return

    def _lift(self, viewer_id: UUID, environment: str, at: datetime) -> None:
        flag = Flag.objects.filter(lifted_at=None).order_by("id").first()
        if flag:
            flags.lift(flag_id=flag.id, operator_id=self.operator_id, because="No bot", now=at)
