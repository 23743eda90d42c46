"""How far prices move, for whomever they move most.

A title counts if it costs anybody something else: in any place that its prices name, by itself, at once or
rented, while a promotion is on and when it is over.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from operator import itemgetter
from uuid import UUID

from django.db.models import Max

from catalog.models import Episode
from config import many_rows
from payments.money import PARTS_PER_MILLION
from payments.prices import alike, pricing
from payments.prices.places import Adjusting, Place
from payments.prices.pricing import Everywhere, Price, Ways

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


@dataclass(frozen=True)
class _Alike:
    """Titles of one length, `last` episodes, that are asked the same as each other at every moment."""

    first_id: UUID
    count: int
    last: int
    steps: Collection[Step]
    since: Collection[Step]


@dataclass(frozen=True)
class _Moved:
    """Titles that are alike and cost somebody something else, and what: at once, and since a day ago."""

    first_id: UUID
    count: int
    steps: Sequence[tuple[Totals, Totals]]
    since: Sequence[tuple[Totals, Totals]]


def compared(moments: Sequence[tuple[Prices, Prices]], *, earlier: Prices | None = None) -> Reach:
    """How far it is from the first to the second prices of each moment, over all of them; and from what
    they were a day `earlier`, if that is given.

    Titles of one length that are asked the same are reckoned once. A handful of queries whatever their
    number.
    """
    groups = _grouped(moments, earlier or {})
    totals = _totals({(price, of.last) for of in groups for price in _prices(of)})
    return _reach([moved for of in groups if (moved := _moved(of, totals)).steps])


def in_each_way(price: Price, ways: Ways) -> Sequence[Price | None]:
    """The price of an episode by itself, in a bundle and rented."""
    others = (ways.bundle_adjustment_id, ways.rental_adjustment_id)
    return price, *(replace(price, way_adjustment_id=way) if way else None for way in others)


def _grouped(moments: Sequence[tuple[Prices, Prices]], earlier: Prices) -> Sequence[_Alike]:
    sides = [*(side for moment in moments for side in moment), earlier]
    one_for = alike.standing_for({price for side in sides for price in side.values()})
    asked = [{one: one_for[price] for one, price in side.items()} for side in sides]
    last = _last_numbers({one for before, after in moments for one in before.keys() & after.keys()})
    titles: dict[tuple[int, tuple[Everywhere | None, ...]], list[UUID]] = {}
    for one, number in last.items():
        titles.setdefault((number, tuple(side.get(one) for side in asked)), []).append(one)
    return [
        _Alike(
            first_id=series_ids[0],
            count=len(series_ids),
            last=number,
            steps=set(_steps(prices[:-1:2], prices[1::2])),
            since=set(_steps_since(prices[-1], prices[1::2])),
        )
        for (number, prices), series_ids in titles.items()
    ]


def _steps(
    before: Sequence[Everywhere | None], after: Sequence[Everywhere | None]
) -> Iterator[Step]:
    for was, will in zip(before, after, strict=True):
        if was is None or will is None:
            continue
        for adjusted, otherwise in _met(was.adjusting, will.adjusting):
            yield Price(was.version_id, adjusted), Price(will.version_id, otherwise)


def _steps_since(earlier: Everywhere | None, after: Sequence[Everywhere | None]) -> Iterator[Step]:
    for will in after:
        if earlier is None or will is None:
            continue
        for adjusted, otherwise in _met_since(earlier.adjusting, will.adjusting):
            yield Price(earlier.version_id, adjusted), Price(will.version_id, otherwise)


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


def _prices(titles: _Alike) -> Iterator[Price]:
    for step in (*titles.steps, *titles.since):
        yield from step


def _last_numbers(series_ids: Collection[UUID]) -> Mapping[UUID, int]:
    episodes = Episode.objects.filter(
        many_rows.among("series_id", series_ids), state=Episode.State.PUBLISHED
    )
    counted = episodes.values("series_id").annotate(last=Max("number"))
    return dict(counted.values_list("series_id", "last"))


def _totals(priced: Collection[tuple[Price, int]]) -> Mapping[tuple[Price, int], Totals]:
    """What every episode up to the last costs together, in each way, by price and last episode."""
    ways = pricing.ways_of({price.version_id for price, _ in priced})
    asked = {price: in_each_way(price, ways[price.version_id]) for price, _ in priced}
    ladders = pricing.ladders(
        {way for each in asked.values() for way in each if way},
        until=max((last for _, last in priced), default=0),
    )
    return {
        (price, last): tuple(ladders[way].total(last) if way else None for way in asked[price])
        for price, last in priced
    }


def _moved(titles: _Alike, totals: Mapping[tuple[Price, int], Totals]) -> _Moved:
    def coins(steps: Collection[Step]) -> set[tuple[Totals, Totals]]:
        return {(totals[was, titles.last], totals[will, titles.last]) for was, will in steps}

    return _Moved(
        first_id=titles.first_id,
        count=titles.count,
        steps=[(was, will) for was, will in coins(titles.steps) if was != will],
        since=list(coins(titles.since)),
    )


def _reach(moved: Sequence[_Moved]) -> Reach:
    by = [_by(of.steps) for of in moved]
    rises = [(max(each), of) for each, of in zip(by, moved, strict=True) if max(each) > 0]
    falls = [(-min(each), of) for each, of in zip(by, moved, strict=True) if min(each) < 0]
    rise, steepest = max(rises, key=itemgetter(0), default=(0, None))
    fall, deepest = max(falls, key=itemgetter(0), default=(0, None))
    titles_count = sum(of.count for of in moved)
    dearer_count = sum(of.count for _, of in rises)
    return Reach(
        titles_count=titles_count,
        dearer_count=dearer_count,
        cheaper_count=titles_count - dearer_count,
        given_away_count=sum(of.count for of in moved if any(will[0] == 0 for _, will in of.steps)),
        largest_rise_parts_per_million=rise,
        largest_rise_series_id=steepest.first_id if steepest else None,
        largest_fall_parts_per_million=fall,
        largest_fall_series_id=deepest.first_id if deepest else None,
        rise_in_a_day_parts_per_million=max(
            (rise for _, of in rises for rise in _by(of.since) if rise > 0), default=0
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
