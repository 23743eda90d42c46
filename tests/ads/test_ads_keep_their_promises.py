"""Whatever viewers, networks and operators do, no ad counts beyond the cap and each goal is granted once."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

from ads import limits, parked
from ads.models import AdSession, Callback, Goal, Placement, Reward
from catalog.models import Series
from config.problems import Problem
from payments.models import Entitlement, Lot
from tests import ledger_rules
from tests.factories.ads import PlacementFactory, ad_session, report, watched
from tests.factories.operators import operator
from tests.factories.viewers import DeviceFactory
from tests.proof import Proof

#: Of each placement: its terms, its cap, and how long its sessions last.
TERMS = (
    {"reward": "episodes", "reward_amount": 2, "ads_needed": 3, "daily_cap": 2},
    {"reward": "minutes", "reward_amount": 90, "ads_needed": 2, "daily_cap": 3},
    {"reward": "coins", "reward_amount": 7, "ads_needed": 2, "daily_cap": 4},
)


@dataclass
class Chaos:
    """Two viewers announce ads, networks call in time, late, twice or in vain, and operators settle."""

    dice: Random
    series: Series
    operator_id: int
    placements: list[Placement]
    viewers: list[UUID]
    now: datetime
    queries: list[str] = field(default_factory=list)

    def act(self) -> None:
        self.now += timedelta(minutes=self.dice.choice([0, 1, 20, 90, 600]))
        deeds = [self._announce, self._announce, self._call, self._call, self._call, self._settle]
        self.dice.choice(deeds)()

    def _announce(self) -> None:
        placement = self.dice.choice(self.placements)
        number = self.dice.randint(9, 14)
        is_coins = placement.reward == "coins"
        try:
            session = ad_session(
                placement,
                viewer_id=self.dice.choice(self.viewers),
                episode_id=None if is_coins else self.series.episodes.get(number=number).id,
                now=self.now,
            )
        except Problem:
            return
        changes = {"custom_data": uuid4().hex} if self.dice.random() < 0.2 else {}
        self.queries.append(watched(session, now=self.now, **changes))

    def _call(self) -> None:
        if self.queries:
            report(self.dice.choice(self.queries[-6:]), now=self.now)

    def _settle(self) -> None:
        waiting = Callback.objects.filter(is_parked=True).order_by("-id").first()
        session = AdSession.objects.filter(closed_at=None).order_by("-id").first()
        if waiting is not None and session is not None:
            parked.settle(
                waiting.id,
                session_id=session.id,
                reason="The console shows it.",
                operator_id=self.operator_id,
                now=self.now,
            )


def test_no_order_of_events_breaks_a_promise_of_ads(series: Series, proof: Proof) -> None:
    chaos = Chaos(
        dice=Random(proof.seed),  # noqa: S311  nothing secret
        series=series,
        operator_id=operator().id,
        placements=[PlacementFactory(session_seconds=3600, **terms) for terms in TERMS],
        viewers=[DeviceFactory().viewer_id for _ in range(2)],
        now=datetime(2026, 3, 14, 12, 0, tzinfo=UTC),
    )
    for _ in range(proof.rounds(full=10_000)):
        chaos.act()

    rewards = list(Reward.objects.select_related("goal", "placement"))
    taken = Counter(
        (one.viewer_id, one.placement_id, limits.reporting_day(one.created_at)) for one in rewards
    )
    caps = {placement.id: placement.daily_cap for placement in chaos.placements}
    assert all(number <= caps[placement_id] for (_, placement_id, _), number in taken.items())
    assert Counter(one.goal_id for one in rewards) == {
        goal.id: goal.ads_watched for goal in Goal.objects.all()
    }
    granted = Goal.objects.exclude(granted_at=None)
    assert all(goal.ads_watched == goal.ads_needed for goal in granted)
    assert Lot.objects.count() == granted.filter(reward="coins").count()
    last = {(one.goal_id, one.created_at) for one in rewards}
    assert all((goal.id, goal.granted_at) in last for goal in granted)
    for opened in Entitlement.objects.filter(source="ad").exclude(ends_at=None):
        assert opened.ends_at == opened.starts_at + timedelta(minutes=90)
    assert ledger_rules.broken() == []
    proof.record("P11", "ads announced, called late and twice, settled by hand", violations=0)
