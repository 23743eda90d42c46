"""How far prices move, for whomever they move most.

A title counts if it costs anybody something else: in any place that its prices name, by itself, at once or
rented, while a promotion is on and when it is over.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, product
from uuid import UUID

from django.db.models import Max

from catalog.models import Episode
from payments.money import PARTS_PER_MILLION
from payments.prices import pricing
from payments.prices.places import Adjusting, Place
from payments.prices.pricing import Everywhere, Price, Ways
from payments.prices.terms import PriceLadder

Prices = Mapping[UUID, Everywhere]
"""What some series cost at a moment."""

Totals = tuple[int | None, ...]
"""What a title costs one by one, at once and rented; None where it is not sold so."""

Step = tuple[Price, Price]
"""What somebody is asked before and after."""

_Ids = tuple[UUID, ...]


@dataclass(frozen=True)
class Reach:
    """How far a change goes, over every title that it prices otherwise than before for anybody.

    Titles are dearer if they become so for anybody, and cheaper if for nobody. What becomes dearer has
    risen in a day from what it cost then, without promotions: small steps add up.
    """

    titles_count: int
    dearer_count: int
    cheaper_count: int
    given_away_count: int
    largest_rise_parts_per_million: int
    largest_rise_series_id: UUID | None
    largest_fall_parts_per_million: int
    largest_fall_series_id: UUID | None
    rise_in_a_day_parts_per_million: int

    @property
    def figures(self) -> tuple[int, int, int, int]:
        """Titles, those given away, largest rise and fall: what is asked for, shown and agreed to."""
        return (
            self.titles_count,
            self.given_away_count,
            self.largest_rise_parts_per_million,
            self.largest_fall_parts_per_million,
        )


def compared(moments: Sequence[tuple[Prices, Prices]], *, earlier: Prices | None = None) -> Reach:
    """How far it is from the first to the second prices of each moment, over all of them; and from what
    they were a day `earlier`, if that is given."""
    series_ids = {one for before, after in moments for one in before.keys() & after.keys()}
    last = _last_numbers(series_ids)
    moved = {one: set(_steps(moments, one)) for one in last}
    since = {one: set(_steps_since(earlier or {}, moments, one)) for one in last}
    priced = ((one, price) for of in (moved, since) for one in last for price in _prices(of[one]))
    totals = _totals(priced, last)
    return _reach(
        {one: {(totals[one, was], totals[one, will]) for was, will in moved[one]} for one in last},
        {one: {(totals[one, was], totals[one, will]) for was, will in since[one]} for one in last},
    )


def in_each_way(price: Price, ways: Ways) -> Sequence[Price | None]:
    """The price of an episode by itself, in a bundle and rented."""
    others = (ways.bundle_adjustment_id, ways.rental_adjustment_id)
    return price, *(replace(price, way_adjustment_id=way) if way else None for way in others)


def _steps(moments: Sequence[tuple[Prices, Prices]], series_id: UUID) -> Iterator[Step]:
    for before, after in moments:
        was, will = before.get(series_id), after.get(series_id)
        if was is None or will is None:
            continue
        for adjusted, otherwise in _met(was.adjusting, will.adjusting):
            yield Price(was.version_id, adjusted), Price(will.version_id, otherwise)


def _steps_since(
    earlier: Prices, moments: Sequence[tuple[Prices, Prices]], series_id: UUID
) -> Iterator[Step]:
    was = earlier.get(series_id)
    for _, after in moments:
        will = after.get(series_id)
        if was is None or will is None:
            continue
        for adjusted, otherwise in _met_since(was.adjusting, will.adjusting):
            yield Price(was.version_id, adjusted), Price(will.version_id, otherwise)


@lru_cache(maxsize=4096)
def _met(before: Adjusting, after: Adjusting) -> frozenset[tuple[_Ids, _Ids]]:
    """How prices are adjusted before and after, wherever somebody is, now and without promotions."""
    pairs = ((before, after), (before.unpromoted, after.unpromoted))
    places = _places(before, after)
    return frozenset((was.at(place), will.at(place)) for was, will in pairs for place in places)


@lru_cache(maxsize=4096)
def _met_since(earlier: Adjusting, after: Adjusting) -> frozenset[tuple[_Ids, _Ids]]:
    """The same from what was asked without promotions."""
    places = _places(earlier, after)
    return frozenset(
        (earlier.unpromoted.at(place), will.at(place))
        for will in (after, after.unpromoted)
        for place in places
    )


def _places(*adjusting: Adjusting) -> Sequence[Place]:
    """A place for each way in which regions and platforms that are named can meet, and for none of
    them: whoever is elsewhere is asked what somebody in one of these is asked."""
    named = [variant for one in adjusting for variant in one.named]
    regions = {"", *(region for variant in named for region in variant.regions)}
    platforms = {"", *(platform for variant in named for platform in variant.platforms)}
    return [Place(*place) for place in product(regions, platforms)]


def _prices(steps: Collection[Step]) -> Iterator[Price]:
    for step in steps:
        yield from step


def _last_numbers(series_ids: Collection[UUID]) -> Mapping[UUID, int]:
    episodes = Episode.objects.filter(series_id__in=series_ids, state=Episode.State.PUBLISHED)
    counted = episodes.values("series_id").annotate(last=Max("number"))
    return dict(counted.values_list("series_id", "last"))


def _totals(
    priced: Iterable[tuple[UUID, Price]], last: Mapping[UUID, int]
) -> Mapping[tuple[UUID, Price], Totals]:
    """What every episode up to the last costs together, in each way, by series and price."""
    wanted = set(priced)
    ways = pricing.ways_of({price.version_id for _, price in wanted})
    asked = {price: in_each_way(price, ways[price.version_id]) for _, price in wanted}
    ladders = pricing.ladders(
        {way for each in asked.values() for way in each if way},
        until=max(last.values(), default=0),
    )
    sums: dict[PriceLadder, Sequence[int]] = {}

    def total(ladder: PriceLadder, number: int) -> int:
        if ladder not in sums:
            sums[ladder] = [0, *accumulate(ladder.prices)]
        spelled = min(number, len(ladder.prices))
        return sums[ladder][spelled] + (number - spelled) * ladder.price_after

    return {
        (one, price): tuple(total(ladders[way], last[one]) if way else None for way in asked[price])
        for one, price in wanted
    }


def _reach(
    steps_of: Mapping[UUID, set[tuple[Totals, Totals]]],
    since: Mapping[UUID, set[tuple[Totals, Totals]]],
) -> Reach:
    moved = {
        one: changed
        for one, steps in steps_of.items()
        if (changed := [(was, will) for was, will in steps if was != will])
    }
    rises, falls = {}, {}
    for one, changed in moved.items():
        by = _by(changed)
        if max(by) > 0:
            rises[one] = max(by)
        if min(by) < 0:
            falls[one] = -min(by)
    steepest = max(rises, key=lambda one: rises[one], default=None)
    deepest = max(falls, key=lambda one: falls[one], default=None)
    return Reach(
        titles_count=len(moved),
        dearer_count=len(rises),
        cheaper_count=len(moved) - len(rises),
        given_away_count=sum(any(will[0] == 0 for _, will in each) for each in moved.values()),
        largest_rise_parts_per_million=rises[steepest] if steepest else 0,
        largest_rise_series_id=steepest,
        largest_fall_parts_per_million=falls[deepest] if deepest else 0,
        largest_fall_series_id=deepest,
        rise_in_a_day_parts_per_million=max(
            (rise for one in rises for rise in _by(since[one]) if rise > 0), default=0
        ),
    )


def _by(steps: Iterable[tuple[Totals, Totals]]) -> Sequence[int]:
    """By how much it becomes dearer in each way. One that is sold from now on or no more is none that
    becomes dearer."""
    return [
        _rise(before, after)
        for was, will in steps
        for before, after in zip(was, will, strict=True)
        if before is not None and after is not None
    ]


def _rise(before_coins: int, after_coins: int) -> int:
    """In parts per million of what was asked; from nothing it is as if from one coin."""
    return (after_coins - before_coins) * PARTS_PER_MILLION // max(before_coins, 1)
