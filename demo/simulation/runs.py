"""A whole simulation: everybody's visits, day by day, over a running service."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from datetime import time as midnight
from threading import local

from demo.catalog import Serial
from demo.client import FakeAdNetwork, ViewerClient
from demo.simulated_clock import ViewersClock
from demo.simulation import population, subscribers, titles
from demo.simulation.accounts import Account
from demo.simulation.ads import NetworkBooks
from demo.simulation.counts import Counts, Summary
from demo.simulation.fates import Fates
from demo.simulation.phones import Phone
from demo.simulation.titles import Script
from demo.simulation.visits import Tap, Visit
from demo.stores.buying import Store, Stores
from demo.transport import Transport

Headers = Callable[[], Mapping[str, str]]
Connect = Callable[[Headers], Transport]
"""Makes a connection on which every request carries those headers."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to simulate. The days end at `until`, so that all of it lies in the past."""

    until: datetime
    viewers: int = 300
    days: int = 14
    seed: int = 1914
    threads: int = 8


class NothingToWatch(Exception):
    """The service has none of the serials."""


def over_http(url: str) -> Connect:
    """Connections to a service at that address."""
    return lambda headers: Transport(url, timeout_seconds=30, always=headers)


def run(
    *,
    connect: Connect,
    serials: Iterable[Serial],
    plan: Plan,
    stores: Stores | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    tap: Tap = lambda sent: None,
) -> Summary:
    """Sends everybody through the service and says what they did.

    With `stores` they buy and subscribe as their platform would, and the stores' time goes with theirs; without,
    all buy coins in the fake store.

    `on_progress` is told how many visits are done, `tap` sees every batch of events that was
    answered, on the threads that send. Raises NothingToWatch, ClockNotHonoured, and what the client
    raises.
    """
    started = time.monotonic()
    scripts = _scripts(connect, serials, seed=plan.seed)
    people = population.people(seed=plan.seed, count=plan.viewers, days=plan.days, until=plan.until)
    accounts = [Account(person) for person in people]
    total, counts = sum(len(person.visits) for person in people), Counts()
    crowd = _Crowd(connect, scripts, seed=plan.seed, tap=tap, stores=stores)
    with closing(crowd), ThreadPoolExecutor(plan.threads) as pool:
        for todays in _by_day(accounts):
            counts += crowd.begin_day(todays[0].midnight)
            for counted in pool.map(crowd.come, todays):
                counts += counted
                on_progress(counts.visits, total)
        crowd.end()
    report = crowd.books.report(before=plan.until.astimezone(UTC).date())
    truths = {script.external_id: script.truth for script in scripts.values()}
    return Summary(
        counts=counts, truths=truths, ad_report=report, seconds=time.monotonic() - started
    )


@dataclass(frozen=True)
class _Today:
    """One viewer's visits of one day."""

    account: Account
    moments: Sequence[datetime]

    @property
    def midnight(self) -> datetime:
        """When the day begins, in UTC."""
        return datetime.combine(self.moments[0].astimezone(UTC).date(), midnight(), UTC)


def _by_day(accounts: Sequence[Account]) -> Iterator[Sequence[_Today]]:
    """Who comes on each UTC day, in the order of the days."""
    days = {moment.date() for account in accounts for moment in account.person.visits}
    for day in sorted(days):
        visits = [
            _Today(account, [one for one in account.person.visits if one.date() == day])
            for account in accounts
        ]
        yield [today for today in visits if today.moments]


class _Crowd:
    """Lets viewers in on whatever thread is free; each thread has one connection."""

    def __init__(
        self,
        connect: Connect,
        scripts: Mapping[str, Script],
        *,
        seed: int,
        tap: Tap,
        stores: Stores | None,
    ) -> None:
        self._connect, self._scripts, self._seed, self._tap = connect, scripts, seed, tap
        self._stores = stores
        self._fates = Fates(stores) if stores else None
        self.books = NetworkBooks()
        self._own = local()
        self._opened: list[Transport] = []

    def come(self, today: _Today) -> Counts:
        """Everything that one viewer does on one day."""
        account, counts = today.account, Counts()
        transport = self._transport(account)
        for moment in today.moments:
            account.clock.moment = moment
            phone = Phone(account, transport, self._seed, store=self._store_of(account))
            counts += Visit(phone, self._scripts, tap=self._tap).run()
            self.books.add(phone)
            if self._fates is not None:
                self._fates.add(phone.ahead)
        counts.requests, account.clock.requests = account.clock.requests, 0
        return counts

    def begin_day(self, moment: datetime) -> Counts:
        """What the ad network, stores and other phones do before anybody comes."""
        counts = self._call_back(moment)
        if self._fates is None:
            return counts
        for one in self._fates.begin_day(moment):
            clock = ViewersClock(moment)
            number = one.account.person.number
            installation = replace(
                one.account.installation,
                install_id=subscribers.second_install_id(seed=self._seed, number=number),
            )
            with self._connect(clock.headers) as transport:
                app = ViewerClient(transport, installation=installation)
                counts += subscribers.move(one, app, at=moment)
            counts.requests += clock.requests
        return counts

    def _call_back(self, moment: datetime) -> Counts:
        counts, due = Counts(), self.books.due(moment)
        if due:
            clock = ViewersClock(moment)
            with self._connect(clock.headers) as transport:
                for callback in due:
                    FakeAdNetwork(transport).call_back(callback)
            counts.late_callbacks, counts.requests = len(due), clock.requests
        return counts

    def end(self) -> None:
        """The simulated days are over."""
        if self._fates is not None:
            self._fates.end()

    def close(self) -> None:
        """Closes every connection."""
        for transport in self._opened:
            transport.close()

    def _store_of(self, account: Account) -> Store | None:
        return self._stores.of(account.person.platform) if self._stores else None

    def _transport(self, account: Account) -> Transport:
        self._own.clock = account.clock
        if not hasattr(self._own, "transport"):
            self._own.transport = self._connect(lambda: self._own.clock.headers())
            self._opened.append(self._own.transport)
        transport: Transport = self._own.transport
        return transport


def _scripts(connect: Connect, serials: Iterable[Serial], *, seed: int) -> Mapping[str, Script]:
    """The serials that the service has, by its own ids. Raises NothingToWatch."""
    by_title = {serial.texts["en"].title: serial for serial in serials}
    found = {}
    with connect(dict) as transport:
        app = ViewerClient(transport)
        for series in app.series(locale="en"):
            serial = by_title.get(series.title)
            if serial is not None:
                found[series.id] = titles.script(
                    seed, serial, series_id=series.id, episodes=app.episodes(series.id)
                )
    if not found:
        raise NothingToWatch("The service has none of the demo's serials; run the demo first.")
    return found
