"""What a change would do, found by making it and taking it back.

The rows of the change are written in a transaction that is rolled back, and prices are asked for in
between by the function that charges: so a preview cannot say anything else than what will be asked.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
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
from payments.pricing import Price
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
    """How far a change goes, over every title that it prices otherwise than before.

    Of those, `given_away_count` cost nothing afterwards.
    """

    titles_count: int
    dearer_count: int
    cheaper_count: int
    given_away_count: int
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
    """What the change does to all of its published titles, as one without region or device is asked.

    A handful of queries whatever their number.
    """
    when = moment_of(change, now=now)
    series_ids = titles_of(change, at=when)
    before = pricing.prices_of(series_ids, at=when)
    with transaction.atomic():
        applying.apply(change, now=now)
        # Before it is taken back: what prices consist of is read here.
        reached = compared(before, pricing.prices_of(series_ids, at=when))
        transaction.set_rollback(True)
    return reached


def compared(before: Mapping[UUID, Price], after: Mapping[UUID, Price]) -> Reach:
    """How far it is from these prices to those, of the same titles."""
    last = _last_numbers(before)
    coins_before, coins_after = _totals(before, last), _totals(after, last)
    pairs = {one: (coins_before[one], coins_after[one]) for one in last}
    moved = {one: pair for one, pair in pairs.items() if pair[0] != pair[1]}
    rises = {one: _rise(*pair) for one, pair in moved.items() if pair[1] > pair[0]}
    steepest = max(rises, key=lambda one: rises[one], default=None)
    return Reach(
        titles_count=len(moved),
        dearer_count=len(rises),
        cheaper_count=len(moved) - len(rises),
        given_away_count=sum(coins == 0 for _, coins in moved.values()),
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


def _totals(prices: Mapping[UUID, Price], last: Mapping[UUID, int]) -> Mapping[UUID, int]:
    """What every episode up to the last costs together, by series."""
    sums: dict[PriceLadder, Sequence[int]] = {}
    totals = {}
    for series_id, number in last.items():
        ladder = prices[series_id].ladder
        if ladder not in sums:
            sums[ladder] = [0, *accumulate(ladder.prices)]
        spelled = min(number, len(ladder.prices))
        totals[series_id] = sums[ladder][spelled] + (number - spelled) * ladder.price_after
    return totals


def _rise(before_coins: int, after_coins: int) -> int:
    """In parts per million of what was asked; from nothing it is as if from one coin."""
    return (after_coins - before_coins) * PARTS_PER_MILLION // max(before_coins, 1)
