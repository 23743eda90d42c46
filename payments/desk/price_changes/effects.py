"""What a change would do, found by making it and taking it back.

The rows of the change are written in a transaction that is rolled back, and prices are asked for in
between by the function that charges: so a preview cannot say anything else than what will be asked.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import accumulate
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from catalog.models import Episode, Series
from payments.desk import plans
from payments.desk.price_changes import applying, contents
from payments.desk.price_changes.contents import NewVersion
from payments.desk.price_changes.samples import Sample, Stranger, introduced
from payments.models import PriceChange, PricePlan
from payments.money import PARTS_PER_MILLION
from payments.prices import pricing
from payments.prices.pricing import Price, Ways
from payments.prices.terms import PriceLadder

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Asked:
    """What somebody is asked for a title in each way to unlock it; None where it is not sold so."""

    alone: PriceLadder
    bundle: PriceLadder | None
    rental: PriceLadder | None


@dataclass(frozen=True)
class Shift:
    """What a sample is asked for a title before and after: a price for each published episode."""

    series_id: UUID
    numbers: Sequence[int]
    before: Asked
    after: Asked

    @cached_property
    def before_coins(self) -> int:
        """The whole title before."""
        return sum(self.before.alone.price_of(number) for number in self.numbers)

    @cached_property
    def after_coins(self) -> int:
        """The whole title after."""
        return sum(self.after.alone.price_of(number) for number in self.numbers)


@dataclass(frozen=True)
class Reach:
    """How far a change goes, over every title that it prices otherwise than before."""

    titles_count: int
    dearer_count: int
    cheaper_count: int
    given_away_count: int
    largest_rise_parts_per_million: int
    largest_rise_series_id: UUID | None
    largest_fall_parts_per_million: int
    largest_fall_series_id: UUID | None


@dataclass(frozen=True)
class Look:
    """How far a change goes, one title for every sample, and some titles for the first."""

    reach: Reach
    series_id: UUID | None
    by_sample: Mapping[Sample | Stranger, Shift]
    by_title: Sequence[Shift]


def moment_of(change: PriceChange, *, now: datetime) -> datetime:
    """When a change would take effect if it were agreed to now."""
    return max(change.effective_from or now, now)


def shifts(
    change: PriceChange,
    *,
    series_ids: Collection[UUID],
    samples: Sequence[Sample | Stranger],
    now: datetime,
    at: datetime | None = None,
) -> Mapping[Sample | Stranger, Sequence[Shift]]:
    """What these titles cost these samples at a moment (when the change takes effect, if none is
    given) without the change and with it. Nothing is kept.

    A stranger of an arm that hardly anybody falls to is left out.
    """
    when = at or moment_of(change, now=now)
    with _taken_back():
        people = _introduced(samples, when)
        before = _asked_of(series_ids, people.values(), when)
        applying.apply(change, now=now)
        after = _asked_of(series_ids, people.values(), when)
    return _shifts(series_ids, people, before, after)


def shifts_kept(
    *,
    series_ids: Collection[UUID],
    samples: Sequence[Sample | Stranger],
    at: datetime,
) -> Mapping[Sample | Stranger, Sequence[Shift]]:
    """What these titles cost these samples just before a moment and from then on, by the rows in
    force: what a change that was made then has done, or one that is agreed to will do."""
    with _taken_back():
        people = _introduced(samples, at)
        before = _asked_of(series_ids, people.values(), at - _INSTANT)
        after = _asked_of(series_ids, people.values(), at)
    return _shifts(series_ids, people, before, after)


def reach(change: PriceChange, *, now: datetime) -> Reach:
    """What the change does to all of its published titles, as one without region or device is asked: for
    their episodes one by one, for all at once, and for renting them.

    A handful of queries whatever their number.
    """
    return look(change, samples=(), titles=0, now=now).reach


def compared(before: Mapping[UUID, Price], after: Mapping[UUID, Price]) -> Reach:
    """How far it is from these prices to those, of the same titles."""
    last = _last_numbers(before)
    coins_before, coins_after = _totals(before, last), _totals(after, last)
    return _reach({one: (coins_before[one], coins_after[one]) for one in last})


def look(
    change: PriceChange,
    *,
    samples: Sequence[Sample | Stranger],
    titles: int,
    now: datetime,
    series_id: UUID | None = None,
) -> Look:
    """How far the change goes, and what some of its titles cost before and after.

    Looked at are `series_id`, if given, for every sample, and up to `titles` others for the first
    sample: where it rises most, where it falls most, then the newest. The change is made once, and as
    many queries are asked for 30,000 titles as for 3.
    """
    when = moment_of(change, now=now)
    series_ids = titles_of(change, at=when)
    last = _last_numbers(series_ids)
    with _taken_back():
        people = _introduced(samples, when)
        before_totals = _totals(pricing.prices_of(series_ids, at=when), last)
        with _taken_back():
            applying.apply(change, now=now)
            after_totals = _totals(pricing.prices_of(series_ids, at=when), last)
            found = _reach({one: (before_totals[one], after_totals[one]) for one in last})
            some = _some(found, series_ids, titles)
            chosen = series_id or next(iter(some), None)
            pairs = _pairs(chosen, some, list(people.values()))
            after = _asked_about(pairs, when)
        before = _asked_about(pairs, when)
    return Look(
        reach=found,
        series_id=chosen,
        by_sample=(
            {
                sample: _shifts([chosen], {sample: person}, before, after)[sample][0]
                for sample, person in people.items()
            }
            if chosen
            else {}
        ),
        by_title=(
            _shifts(some, {samples[0]: people[samples[0]]}, before, after)[samples[0]]
            if samples
            else ()
        ),
    )


def titles_of(change: PriceChange, *, at: datetime) -> Sequence[UUID]:
    """The published titles that a change prices: its own, or those of the plan it changes."""
    published = Series.objects.filter(state=Series.State.PUBLISHED)
    content = contents.read(change.content)
    if not isinstance(content, NewVersion):
        chosen = published.filter(id__in=applying.series_of(change))
        return list(chosen.values_list("id", flat=True))
    return list(
        plans.priced_by(PricePlan.objects.get(id=content.plan_id), at=at).values_list(
            "id", flat=True
        )
    )


@contextmanager
def _taken_back() -> Iterator[None]:
    """Nothing that is written inside stays."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _introduced(
    strangers: Sequence[Sample | Stranger], at: datetime
) -> Mapping[Sample | Stranger, Sample]:
    """A viewer for each, for as long as the transaction lasts."""
    people = {one: introduced(one, at) for one in strangers}
    return {one: person for one, person in people.items() if person}


def _shifts(
    series_ids: Collection[UUID],
    people: Mapping[Sample | Stranger, Sample],
    before: Mapping[tuple[Sample, UUID], Asked],
    after: Mapping[tuple[Sample, UUID], Asked],
) -> Mapping[Sample | Stranger, Sequence[Shift]]:
    numbers = _numbers(series_ids)
    return {
        sample: [
            Shift(one, numbers.get(one, ()), before[person, one], after[person, one])
            for one in series_ids
        ]
        for sample, person in people.items()
    }


Totals = tuple[int | None, ...]
"""What a title costs one by one, at once and rented; None where it is not sold so."""


def _reach(totals: Mapping[UUID, tuple[Totals, Totals]]) -> Reach:
    moved = {one: pair for one, pair in totals.items() if pair[0] != pair[1]}
    steps = {one: _steps(*pair) for one, pair in moved.items()}
    rises = {one: max(by) for one, by in steps.items() if max(by) > 0}
    falls = {one: -min(by) for one, by in steps.items() if min(by) < 0}
    steepest = max(rises, key=lambda one: rises[one], default=None)
    deepest = max(falls, key=lambda one: falls[one], default=None)
    return Reach(
        titles_count=len(moved),
        dearer_count=len(rises),
        cheaper_count=len(moved) - len(rises),
        given_away_count=sum(after[0] == 0 for _, after in moved.values()),
        largest_rise_parts_per_million=rises[steepest] if steepest else 0,
        largest_rise_series_id=steepest,
        largest_fall_parts_per_million=falls[deepest] if deepest else 0,
        largest_fall_series_id=deepest,
    )


def _some(reach: Reach, series_ids: Sequence[UUID], number: int) -> Sequence[UUID]:
    most = [reach.largest_rise_series_id, reach.largest_fall_series_id]
    newest = sorted(series_ids, reverse=True)[:number]
    return list(dict.fromkeys(one for one in (*most, *newest) if one is not None))[:number]


def _pairs(
    chosen: UUID | None, some: Sequence[UUID], people: Sequence[Sample]
) -> Sequence[tuple[Sample, UUID]]:
    """Everybody about the chosen title, and the first of them about the others too."""
    if not people:
        return []
    of_all = [(person, chosen) for person in people if chosen is not None]
    return list(dict.fromkeys([*of_all, *((people[0], one) for one in some)]))


def _asked_of(
    series_ids: Collection[UUID], people: Collection[Sample], at: datetime
) -> Mapping[tuple[Sample, UUID], Asked]:
    return _asked_about([(person, one) for person in people for one in series_ids], at)


def _asked_about(
    pairs: Sequence[tuple[Sample, UUID]], at: datetime
) -> Mapping[tuple[Sample, UUID], Asked]:
    return {(person, series_id): _asked(person, series_id, at) for person, series_id in pairs}


def _asked(person: Sample, series_id: UUID, at: datetime) -> Asked:
    price = pricing.price_for(
        viewer_id=person.viewer_id, device_id=person.device_id, series_id=series_id, at=at
    )
    _, bundle, rental = _in_each_way(price, pricing.ways(price.version_id))
    return Asked(
        alone=price.ladder,
        bundle=bundle.ladder if bundle else None,
        rental=rental.ladder if rental else None,
    )


def _numbers(series_ids: Collection[UUID]) -> Mapping[UUID, Sequence[int]]:
    found: dict[UUID, list[int]] = {}
    episodes = Episode.objects.filter(series_id__in=series_ids, state=Episode.State.PUBLISHED)
    for series_id, number in episodes.order_by("number").values_list("series_id", "number"):
        found.setdefault(series_id, []).append(number)
    return found


def _last_numbers(series_ids: Collection[UUID]) -> Mapping[UUID, int]:
    episodes = Episode.objects.filter(series_id__in=series_ids, state=Episode.State.PUBLISHED)
    counted = episodes.values("series_id").annotate(last=Max("number"))
    return dict(counted.values_list("series_id", "last"))


def _totals(prices: Mapping[UUID, Price], last: Mapping[UUID, int]) -> Mapping[UUID, Totals]:
    """What every episode up to the last costs together, in each way, by series."""
    ways = pricing.ways_of({prices[one].version_id for one in last})
    asked = {one: _in_each_way(prices[one], ways[prices[one].version_id]) for one in last}
    ladders = pricing.ladders({price for prices in asked.values() for price in prices if price})
    sums: dict[PriceLadder, Sequence[int]] = {}

    def total(ladder: PriceLadder, number: int) -> int:
        if ladder not in sums:
            sums[ladder] = [0, *accumulate(ladder.prices)]
        spelled = min(number, len(ladder.prices))
        return sums[ladder][spelled] + (number - spelled) * ladder.price_after

    return {
        one: tuple(total(ladders[price], number) if price else None for price in asked[one])
        for one, number in last.items()
    }


def _in_each_way(price: Price, ways: Ways) -> Sequence[Price | None]:
    others = (ways.bundle_adjustment_id, ways.rental_adjustment_id)
    return price, *(replace(price, way_adjustment_id=way) if way else None for way in others)


def _steps(before: Totals, after: Totals) -> Sequence[int]:
    """By how much it becomes dearer, in each way. One that is sold from now on or no more is none that
    becomes dearer."""
    pairs = zip(before, after, strict=True)
    return [
        _rise(was, becomes) for was, becomes in pairs if was is not None and becomes is not None
    ]


def _rise(before_coins: int, after_coins: int) -> int:
    """In parts per million of what was asked; from nothing it is as if from one coin."""
    return (after_coins - before_coins) * PARTS_PER_MILLION // max(before_coins, 1)
