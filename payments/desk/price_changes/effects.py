"""What a change would do, found by making it and taking it back.

The rows of the change are written in a transaction that is rolled back, and prices are asked for in
between by the function that charges: so a preview cannot say anything else than what will be asked.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from django.db import transaction
from django.db.models import Max, QuerySet

from catalog.models import Episode
from payments.desk import plans
from payments.desk.price_changes import applying, contents, measuring
from payments.desk.price_changes.contents import Content, MoveSeries, NewVersion, Opened
from payments.desk.price_changes.measuring import Prices, Reach
from payments.desk.price_changes.samples import Sample, Stranger, introduced
from payments.models import PlanAssignment, PriceChange, PricePlan, PriceVersion
from payments.prices import pricing
from payments.prices.terms import PriceLadder

#: Steps within it add up.
A_DAY = timedelta(days=1)
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
        applying.apply(contents.opened(change), now=now)
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


def make(opened: Opened, *, now: datetime) -> Reach:
    """Makes the change and returns what it does to all the titles that it prices, for whomever it does most,
    in every way in which they are sold.

    A handful of queries whatever their number. The caller holds a transaction, and takes it back should
    the change not be made after all.
    """
    standing = _Standing.before(opened, now=now)
    applying.apply(opened, now=now)
    return standing.reach()


def reach(change: PriceChange, *, now: datetime) -> Reach:
    """The same, with nothing made."""
    with _taken_back():
        return make(contents.opened(change), now=now)


def look(
    opened: Opened,
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
    when = moment_of(opened.change, now=now)
    with _taken_back():
        people = _introduced(samples, when)
        with _taken_back():
            standing = _Standing.before(opened, now=now)
            applying.apply(opened, now=now)
            found = standing.reach()
            some = _some(found, standing.series_ids, titles)
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
    """The titles that a change prices at a moment: those that it names, or the published ones of the plan
    that it changes."""
    return _titles(contents.opened(change), at)


def _titles(opened: Opened, at: datetime) -> Sequence[UUID]:
    content = opened.content
    if not isinstance(content, NewVersion):
        return opened.series_ids
    plan = PricePlan.objects.get(id=content.plan_id)
    return list(plans.priced_by(plan, at=at).values_list("id", flat=True))


@dataclass(frozen=True)
class _Standing:
    """What the titles of a change cost without it: at each moment that counts, and a day ago."""

    series_ids: Sequence[UUID]
    moments: Sequence[datetime]
    prices: Sequence[Prices]
    earlier: Prices

    @classmethod
    def before(cls, opened: Opened, *, now: datetime) -> "_Standing":
        when = moment_of(opened.change, now=now)
        coming = _coming(opened.content, when).values_list("series_id", flat=True)
        series_ids = list(dict.fromkeys([*_titles(opened, when), *coming]))
        moments = _moments(opened.content, when)
        *prices, earlier = pricing.everywhere_at(series_ids, moments=[*moments, now - A_DAY])
        return cls(series_ids=series_ids, moments=moments, prices=prices, earlier=earlier)

    def reach(self) -> Reach:
        """How far it is from there to what is asked by now."""
        after = pricing.everywhere_at(self.series_ids, moments=self.moments)
        return measuring.compared(list(zip(self.prices, after, strict=True)), earlier=self.earlier)


def _coming(content: Content, when: datetime) -> QuerySet[PlanAssignment]:
    """The assignments by which titles come to the plan of a new version after it has begun."""
    if not isinstance(content, NewVersion):
        return PlanAssignment.objects.none()
    return PlanAssignment.objects.filter(
        plan=content.plan_id, cancelled_at=None, effective_from__gt=when
    )


def _moments(content: Content, when: datetime) -> Sequence[datetime]:
    """When it begins, and when it has met what is scheduled already: titles that come to its plan, or
    the next price of the plan that titles are moved to."""
    last = _coming(content, when).aggregate(last=Max("effective_from"))["last"]
    ahead: list[datetime] = [last] if last else []
    if isinstance(content, MoveSeries):
        versions = PriceVersion.objects.filter(
            plan=content.plan_id, cancelled_at=None, effective_from__gt=when
        )
        ahead = list(versions.order_by("effective_from").values_list("effective_from", flat=True))
    return [when, *ahead]


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
    _, bundle, rental = measuring.in_each_way(price, pricing.ways(price.version_id))
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
