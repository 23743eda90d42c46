"""What a simulated viewer's phone keeps between two visits."""

from dataclasses import dataclass, field
from datetime import datetime

from demo.answers import Tokens
from demo.client import Installation
from demo.event_log import EventLog
from demo.simulated_clock import ViewersClock
from demo.simulation.population import Person


@dataclass
class Account:
    """One viewer: who they are, what they hold, and where they stand."""

    person: Person
    clock: ViewersClock = field(init=False)
    log: EventLog = field(init=False)
    installation: Installation = field(init=False)
    tokens: Tokens | None = None
    visits: int = 0
    coins: int = 0
    spent_micros: int = 0
    is_subscriber: bool = False
    next_episode: dict[str, int] = field(default_factory=dict)
    """Of each series that was begun, the place of the episode to go on with."""

    favorites: set[str] = field(default_factory=set)
    current: str = ""
    """The series that was watched last, while they want to go on with it."""

    def __post_init__(self) -> None:
        person = self.person
        self.clock = ViewersClock(person.visits[0])
        self.installation = Installation(
            install_id=str(person.install_id),
            platform=person.platform,
            app_version=person.app_version,
            locale=person.locale,
            region=person.country,
        )
        self.log = EventLog(
            app={
                "platform": person.platform,
                "version": person.app_version,
                "locale": person.locale,
                "country": person.country,
            },
            clock=self._by_the_phone,
        )

    @property
    def budget_micros(self) -> int:
        """What they would still spend."""
        return self.person.budget_micros - self.spent_micros

    def _by_the_phone(self) -> datetime:
        """The phone's clock, which may be wrong."""
        return self.clock.moment + self.person.clock_error
