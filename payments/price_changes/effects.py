"""What a change would do, found by making it and taking it back.

The rows of the change are written in a transaction that is rolled back, and prices are asked for in
between by the function that charges: so a preview cannot say anything else than what will be asked.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import accumulate
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from catalog.models import Episode, Series
from payments import plans, pricing
from payments.models import PriceChange, PricePlan
from payments.money import PARTS_PER_MILLION
from payments.price_changes import applying, contents
from payments.price_changes.contents import NewVersion
from payments.terms import PriceLadder

#: A viewer with an empty region and no device: what a change does for everybody.
NOBODY = UUID(int=0)


@dataclass(frozen=True)
class Sample:
    """Somebody who is shown before and after: a viewer, on one of their devices."""

    viewer_id: UUID
    device_id: UUID | None = None


@dataclass(frozen=True)
class Shift:
    """What a sample is asked for a title before and after: a price for each published episode."""

    series_id: UUID
    numbers: Sequence[int]
    before: PriceLadder
    after: PriceLadder

    @cached_property
    def before_coins(self) -> int:
        """The whole title before."""
        return sum(self.before.price_of(number) for number in self.numbers)

    @cached_property
    def after_coins(self) -> int:
        """The whole title after."""
        return sum(self.after.price_of(number) for number in self.numbers)


@dataclass(frozen=True)
class Reach:
    """How far a change goes, over every title that it prices otherwise than before."""

    titles_count: int
    dearer_count: int
    cheaper_count: int
    largest_rise_parts_per_million: int
    largest_rise_series_id: UUID | None


def moment_of(change: PriceChange, *, now: datetime) -> datetime:
    """When a change would take effect if it were agreed to now."""
    return max(change.effective_from or now, now)


def shifts(
    change: PriceChange,
    *,
    series_ids: Collection[UUID],
    samples: Sequence[Sample],
    now: datetime,
    at: datetime | None = None,
) -> Mapping[Sample, Sequence[Shift]]:
    """What these titles cost these samples at a moment (when the change takes effect, if none is
    given) without the change and with it. Nothing is kept."""
    when = at or moment_of(change, now=now)
    numbers = _numbers(series_ids)
    before = _ladders(series_ids, samples, when)
    with transaction.atomic():
        applying.apply(change, now=now)
        after = _ladders(series_ids, samples, when)
        transaction.set_rollback(True)
    return {
        sample: [
            Shift(one, numbers.get(one, ()), before[sample, one], after[sample, one])
            for one in series_ids
        ]
        for sample in samples
    }


def reach(change: PriceChange, *, now: datetime) -> Reach:
    """What the change does to all of its published titles, as one without region or device is asked:
    for their episodes one by one, for all at once, and for renting them.

    A handful of queries whatever their number.
    """
    when = moment_of(change, now=now)
    series_ids = titles_of(change, at=when)
    last = _last_numbers(series_ids)
    before = _totals(pricing.prices_of(series_ids, at=when), last)
    with transaction.atomic():
        applying.apply(change, now=now)
        after = _totals(pricing.prices_of(series_ids, at=when), last)
        transaction.set_rollback(True)
    moved = {one: (before[one], after[one]) for one in last if before[one] != after[one]}
    rises = {one: rise for one, pair in moved.items() if (rise := _steepest(*pair)) > 0}
    steepest = max(rises, key=lambda one: rises[one], default=None)
    return Reach(
        titles_count=len(moved),
        dearer_count=len(rises),
        cheaper_count=len(moved) - len(rises),
        largest_rise_parts_per_million=rises[steepest] if steepest else 0,
        largest_rise_series_id=steepest,
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


def _ladders(
    series_ids: Collection[UUID], samples: Sequence[Sample], at: datetime
) -> Mapping[tuple[Sample, UUID], PriceLadder]:
    return {
        (sample, one): pricing.price_for(
            viewer_id=sample.viewer_id, device_id=sample.device_id, series_id=one, at=at
        ).ladder
        for sample in samples
        for one in series_ids
    }


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


Totals = tuple[int | None, ...]
"""What a title costs in each way; None where it is not sold so."""


def _totals(
    prices: Mapping[UUID, pricing.Price], last: Mapping[UUID, int]
) -> Mapping[UUID, Totals]:
    """What every episode up to the last costs together, in each way, by series."""
    ways = pricing.ways_of({prices[series_id].version_id for series_id in last})
    sums: dict[PriceLadder, Sequence[int]] = {}

    def total(price: pricing.Price, number: int) -> int:
        ladder = price.ladder
        if ladder not in sums:
            sums[ladder] = [0, *accumulate(ladder.prices)]
        spelled = min(number, len(ladder.prices))
        return sums[ladder][spelled] + (number - spelled) * ladder.price_after

    def in_each_way(price: pricing.Price, number: int) -> Totals:
        sold = ways[price.version_id]
        others = (
            total(replace(price, way_adjustment_id=way), number) if way else None
            for way in (sold.bundle_adjustment_id, sold.rental_adjustment_id)
        )
        return (total(price, number), *others)

    return {one: in_each_way(prices[one], number) for one, number in last.items()}


def _steepest(before: Totals, after: Totals) -> int:
    """How much dearer it becomes, in the way in which it becomes dearest. A way that is sold from now on
    or no more is none that becomes dearer."""
    pairs = zip(before, after, strict=True)
    return max(
        _rise(was, becomes) for was, becomes in pairs if was is not None and becomes is not None
    )


def _rise(before_coins: int, after_coins: int) -> int:
    """In parts per million of what was asked; from nothing it is as if from one coin."""
    return (after_coins - before_coins) * PARTS_PER_MILLION // max(before_coins, 1)
