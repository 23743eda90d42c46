"""Who comes, from where and when, and what they are like: all of it by the seed alone.

The numbers are of the size that the trade reports (paying viewers under a tenth, a third back on the
next day, most installs through two video networks); they are not measurements of anything.
"""

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from random import Random

from demo.simulation import dice
from demo.simulation.dice import chosen, happens

NAMESPACE = uuid.UUID("5d1f7c52-9a52-5b0e-8c3f-1b7f3a0c1914")


@dataclass(frozen=True)
class Channel:
    """A way of finding the app: its share of arrivals, and how its viewers differ from the rest."""

    share: float
    loyalty: float
    spending: float
    campaign: str = ""


@dataclass(frozen=True)
class Market:
    """A country: its language, its hours from UTC, and what its viewers hold in their hands."""

    share: float
    locale: str
    hours: int
    platforms: Mapping[str, float]


CHANNELS: Mapping[str, Channel] = {
    "organic": Channel(0.24, loyalty=1.35, spending=1.3),
    "tiktok": Channel(0.34, loyalty=0.8, spending=0.8, campaign="tt-cliffhanger-07"),
    "facebook": Channel(0.22, loyalty=0.95, spending=1.2, campaign="fb-lookalike-2"),
    "google": Channel(0.10, loyalty=1.0, spending=1.0, campaign="uac-serials"),
    "wechat": Channel(0.10, loyalty=1.15, spending=0.9),
}
PHONES = {"ios": 0.46, "android": 0.34, "web": 0.2}
MARKETS: Mapping[str, Market] = {
    "US": Market(0.46, "en", -5, PHONES),
    "MX": Market(0.16, "es", -6, {"ios": 0.2, "android": 0.6, "web": 0.2}),
    "ES": Market(0.08, "es", 1, PHONES),
    "GB": Market(0.12, "en", 0, PHONES),
    "FR": Market(0.10, "fr", 1, PHONES),
    "SG": Market(0.08, "zh", 8, PHONES),
}
WECHAT_MARKET = "CN", Market(1.0, "zh", 8, {"wechat": 1.0})
APP_VERSIONS = {"2.3.1": 0.7, "2.2.0": 0.26, "2.4.0-beta": 0.04}
FAULTY_VERSION = "2.4.0-beta"
"""It also reports a kind of event that no service knows."""

#: Viewers by hour of their day: few at night, many in the evening.
HOURS = (2, 1, 1, 1, 1, 1, 2, 4, 5, 4, 4, 5, 7, 6, 5, 5, 5, 6, 8, 11, 13, 14, 11, 6)


@dataclass(frozen=True)
class Person:
    """One viewer to be. Probabilities are of one occasion; `impatience` multiplies every hazard."""

    number: int
    channel: str
    campaign: str
    country: str
    locale: str
    platform: str
    app_version: str
    visits: Sequence[datetime]
    """When they open the app, first to last."""

    appetite: float
    """Episodes that they want in one visit, on average."""

    impatience: float
    skips: float
    replays: float
    swipes: float
    """Of those who leave an episode, how many go on to the next instead of away."""

    speed: float
    budget_micros: int
    """What they will spend in all; most will spend nothing."""

    generosity: float
    """How readily they pay while they can."""

    ad_tolerance: float
    clock_error: timedelta
    lateness: float
    """How likely the events of a visit are reported in the next one only."""

    install_id: uuid.UUID
    """What their app made on its first start."""


def install_id(*, seed: int, number: int) -> uuid.UUID:
    """Of the simulated viewer by that number. It tells later that the seed has been run."""
    return uuid.uuid5(NAMESPACE, f"{seed}/{number}")


def people(*, seed: int, count: int, days: int, until: datetime) -> Sequence[Person]:
    """Everybody who comes in the `days` before `until`, in the order of their first visit.

    The later days bring a few more than the first: the campaigns are running in.
    """
    begin = _midnight(until) - timedelta(days=days)
    found = [_person(seed, number, begin=begin, until=until) for number in range(count)]
    return sorted((one for one in found if one.visits), key=lambda one: one.visits[0])


def _person(seed: int, number: int, *, begin: datetime, until: datetime) -> Person:
    roll = dice.named(seed, "person", number)
    channel_name = chosen(roll, {name: channel.share for name, channel in CHANNELS.items()})
    channel = CHANNELS[channel_name]
    country, market = WECHAT_MARKET
    if channel_name != "wechat":
        country = chosen(roll, {name: market.share for name, market in MARKETS.items()})
        market = MARKETS[country]
    is_payer = happens(roll, min(0.11 * channel.spending, 0.9))
    loyalty = roll.lognormvariate(-0.25, 0.7) * channel.loyalty + (0.5 if is_payer else 0)
    return Person(
        number=number,
        channel=channel_name,
        campaign=channel.campaign,
        country=country,
        locale=market.locale,
        platform=chosen(roll, market.platforms),
        app_version=chosen(roll, APP_VERSIONS),
        visits=_visits(roll, market, loyalty=loyalty, begin=begin, until=until),
        appetite=roll.lognormvariate(1.9, 0.5) * (2.2 if is_payer else 1),
        impatience=roll.lognormvariate(0.0, 0.35) * (0.7 if is_payer else 1),
        skips=roll.choice((0.0, 0.0, 0.05, 0.25)),
        replays=roll.choice((0.0, 0.02, 0.08)),
        swipes=roll.uniform(0.1, 0.35),
        speed=chosen(roll, {1.0: 0.8, 1.5: 0.13, 2.0: 0.07}),
        budget_micros=int(roll.lognormvariate(2.9, 0.9) * 1_000_000) if is_payer else 0,
        generosity=roll.uniform(0.5, 0.95) if is_payer else 0.0,
        ad_tolerance=roll.choice((0.0, 0.35, 0.8)) if not is_payer else 0.1,
        clock_error=timedelta(seconds=_clock_error_seconds(roll)),
        lateness=roll.choice((0.0, 0.0, 0.0, 0.1)),
        install_id=install_id(seed=seed, number=number),
    )


def _clock_error_seconds(roll: Random) -> float:
    """Most clocks are right; one in twelve is minutes or, rarely, days off."""
    if not happens(roll, 0.08):
        return roll.uniform(-1, 1)
    return roll.choice((-1, 1)) * math.exp(roll.uniform(math.log(60), math.log(3 * 86_400)))


def _visits(
    roll: Random, market: Market, *, loyalty: float, begin: datetime, until: datetime
) -> Sequence[datetime]:
    """A first visit, and later ones ever more rarely."""
    days = (until - begin).days
    first_day = int(days * roll.random() ** 0.9)
    moments = []
    for day in range(first_day, days + 1):
        age = day - first_day
        if age and not happens(roll, min(0.42 * loyalty * (age + 0.4) ** -0.62, 0.95)):
            continue
        opens = 1 + happens(roll, 0.25)
        moments += [_moment(roll, market, begin + timedelta(days=day)) for _ in range(opens)]
    return _apart(sorted(moment for moment in moments if begin <= moment < until))


def _apart(moments: Sequence[datetime]) -> Sequence[datetime]:
    """Two visits within the hour are one."""
    kept: list[datetime] = []
    for moment in moments:
        if not kept or moment - kept[-1] > timedelta(hours=1):
            kept.append(moment)
    return kept


def _moment(roll: Random, market: Market, midnight: datetime) -> datetime:
    hour = roll.choices(range(24), weights=HOURS)[0]
    local = midnight + timedelta(hours=hour, seconds=roll.uniform(0, 3600))
    return (local - timedelta(hours=market.hours)).replace(microsecond=roll.randrange(1_000_000))


def _midnight(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(UTC).date(), time.min, UTC)
