"""A viewer with the app in their hand: what all they do in one visit goes through."""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from demo.answers import AdSession
from demo.client import Impression, ViewerClient
from demo.event_log import EventLog
from demo.simulated_clock import ViewersClock
from demo.simulation import dice
from demo.simulation.accounts import Account
from demo.simulation.counts import Counts
from demo.simulation.fates import Ahead
from demo.simulation.population import Person
from demo.stores.buying import Store
from demo.transport import Transport


@dataclass(frozen=True, kw_only=True)
class SeenAd:
    """An ad that was watched to its end, and what the network's SDK said that it earned."""

    impression_id: str
    session: AdSession
    placement: str
    at: datetime
    country: str
    revenue_micros: int

    def impression(self) -> Impression:
        """As the app tells of it."""
        return Impression(
            impression_id=self.impression_id,
            network=self.session.network,
            ad_unit_id=self.session.ad_unit_id,
            revenue_micros=self.revenue_micros,
            occurred_at=self.at.isoformat(),
            country=self.country,
            placement=self.placement,
            ad_session_id=self.session.ad_session_id,
        )


@dataclass
class Phone:
    """One visit's dealings. What outlasts it is in the account."""

    account: Account
    transport: Transport
    seed: int
    store: Store | None = None
    """Where they buy; without one, in the fake store."""

    ahead: list[Ahead] = field(default_factory=list)
    """What will become of what they bought in this visit."""

    ads: list[SeenAd] = field(default_factory=list)
    """Those that were watched in this visit."""

    callbacks: list[str] = field(default_factory=list)
    """Of these ads, what the network has yet to send."""

    counts: Counts = field(init=False)
    app: ViewerClient = field(init=False)
    roll: Random = field(init=False)
    """For what nothing else depends on."""

    def __post_init__(self) -> None:
        account = self.account
        self.counts = Counts(visits=1)
        self.roll = self.dice("visit")
        self.app = ViewerClient(
            self.transport, installation=account.installation, tokens=account.tokens
        )

    @property
    def person(self) -> Person:
        return self.account.person

    @property
    def clock(self) -> ViewersClock:
        return self.account.clock

    @property
    def log(self) -> EventLog:
        return self.account.log

    def dice(self, *purpose: object) -> Random:
        """Dice of this viewer in this visit, for one purpose."""
        return dice.named(self.seed, self.person.number, self.account.visits, *purpose)
