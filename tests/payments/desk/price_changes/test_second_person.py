"""Nobody changes alone what many viewers pay, or what anybody pays by much: wherever they are, now or later."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from catalog.models import Series
from payments.desk import experiments, plans, price_versions, promotions
from payments.desk.price_changes import approval, effects
from payments.desk.price_changes.contents import (
    AdjustedPrice,
    Campaign,
    MoveSeries,
    NewVersion,
    PriceTable,
    TermsContent,
    VariantContent,
)
from payments.desk.price_versions import NewVariant
from payments.models import ChangeState, PriceChange, PricePlan
from payments.prices.terms import Adjustment, Terms
from tests.factories import experiments as made
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.payments import PAST
from tests.factories.viewers import DeviceFactory
from tests.payments.desk.price_changes.conftest import Draft, price_of
from viewers.models import Platform

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
NINE = 9
EVERY_PLATFORM = tuple(Platform.values)


def asking(base_price_coins: int = 60, **given: object) -> TermsContent:
    return TermsContent(free_count=8, base_price_coins=base_price_coins, **given)


def propose(change: PriceChange, who: User, at: datetime) -> PriceChange:
    return approval.propose(change_id=change.id, operator_id=who.id, now=at)


def agree(change: PriceChange, who: User, at: datetime) -> PriceChange:
    return approval.decide(change_id=change.id, operator_id=who.id, is_agreed=True, note="", now=at)


def a_plan(name: str, price_coins: int | None = None) -> PricePlan:
    plan = PricePlan.objects.create(name=name, created_at=PAST)
    if price_coins is not None:
        price_versions.add(
            plan=plan,
            effective_from=PAST,
            free_count=8,
            base_price_coins=price_coins,
            now=PAST,
        )
    return plan


@pytest.mark.parametrize(
    "variant",
    [
        VariantContent(platforms=EVERY_PLATFORM, price_coins=500),
        VariantContent(regions=("BR",), price_coins=500),
        VariantContent(regions=("BR",), platforms=("web",), price_coins=500),
    ],
    ids=["every platform", "a region", "a region on a platform"],
)
def test_a_price_that_rises_in_some_places_only_takes_a_second_person(
    titles: Sequence[Series],
    plan: PricePlan,
    draft: Draft,
    dana: User,
    now: datetime,
    variant: VariantContent,
) -> None:
    content = NewVersion(plan_id=plan.id, terms=asking(variants=(variant,)))

    change = propose(draft(content), dana, now)

    assert (change.state, change.titles_count) == (ChangeState.WAITING, 3)
    assert change.largest_rise_parts_per_million == 7_333_333


def test_a_gift_on_every_platform_counts_every_title(
    titles: Sequence[Series], draft: Draft, dana: User, now: datetime, settings: Any
) -> None:
    settings.PRICE_SOLO_TITLES = 2
    free = AdjustedPrice(scale_parts_per_million=0)
    content = Campaign(ends_at=now + 300 * DAY, price=free, platforms=EVERY_PLATFORM)

    change = propose(draft(content, titles), dana, now)

    assert (change.state, change.titles_count) == (ChangeState.WAITING, 3)
    assert (change.given_away_count, change.largest_fall_parts_per_million) == (3, 1_000_000)
    device = DeviceFactory(platform=Platform.IOS)
    assert price_of(titles[0], NINE, now, device) == 60


def test_a_price_that_was_lower_in_some_places_rises_there(
    titles: Sequence[Series], plan: PricePlan, draft: Draft, dana: User, now: datetime
) -> None:
    cheaper_in(plan, NewVariant(["BR"], ["web"], Adjustment(price_coins=20)), now)

    change = propose(draft(NewVersion(plan_id=plan.id, terms=asking())), dana, now)

    assert (change.state, change.titles_count) == (ChangeState.WAITING, 3)
    assert change.largest_rise_parts_per_million == 2_000_000


def test_a_region_of_one_price_and_a_platform_of_the_other_meet(
    titles: Sequence[Series], plan: PricePlan, draft: Draft, dana: User, now: datetime
) -> None:
    """By a half and a third more in each; only in Brazil on the web does it double."""
    cheaper_in(plan, NewVariant(["BR"], [], Adjustment(price_coins=45)), now)
    variant = VariantContent(platforms=("web",), price_coins=90)

    change = propose(
        draft(NewVersion(plan_id=plan.id, terms=asking(variants=(variant,)))), dana, now
    )

    assert (change.state, change.largest_rise_parts_per_million) == (
        ChangeState.WAITING,
        1_000_000,
    )


def cheaper_in(plan: PricePlan, variant: NewVariant, now: datetime) -> None:
    price_versions.add_many(
        [price_versions.NewVersion(plan.id, Terms(8, 60), [variant])],
        effective_from=PAST + DAY,
        now=now,
    )


def test_what_a_promotion_hides_for_now_counts(
    titles: Sequence[Series], plan: PricePlan, draft: Draft, dana: User, now: datetime
) -> None:
    promotions.start(
        name="Sixty for everybody",
        series_ids=[one.id for one in titles],
        starts_at=PAST,
        ends_at=now + DAY,
        adjustment=Adjustment(price_coins=60),
        now=PAST,
    )

    change = propose(draft(NewVersion(plan_id=plan.id, terms=asking(500))), dana, now)

    assert (change.state, change.titles_count) == (ChangeState.WAITING, 3)


def test_an_arm_that_asks_more_than_a_place_was_asked_reaches_as_far(
    titles: Sequence[Series], plan: PricePlan, now: datetime
) -> None:
    cheaper_in(plan, NewVariant(["BR"], [], Adjustment(price_coins=20)), now)
    experiment = made.draft(asked={"other": Adjustment(price_coins=80)}, now=now)

    (reach,) = experiments.reach_of_arms(experiment, now=now).values()

    assert (reach.titles_count, reach.largest_rise_parts_per_million) == (3, 3_000_000)


def test_titles_moved_to_a_plan_meet_the_price_that_is_scheduled_for_it(
    titles: Sequence[Series], draft: Draft, dana: User, now: datetime
) -> None:
    plan = a_plan("Empty")
    later = draft(NewVersion(plan_id=plan.id, terms=asking(500)), effective_from=now + DAY)
    assert propose(later, dana, now).state == ChangeState.SCHEDULED

    change = propose(draft(MoveSeries(plan_id=plan.id), titles), dana, now)

    assert (change.state, change.titles_count) == (ChangeState.WAITING, 3)
    assert change.largest_rise_parts_per_million == 7_333_333
    assert price_of(titles[0], NINE, now + 2 * DAY) == 60


def test_a_price_meets_the_titles_that_are_scheduled_for_its_plan(
    titles: Sequence[Series], draft: Draft, dana: User, erin: User, now: datetime, settings: Any
) -> None:
    settings.PRICE_SOLO_TITLES = 2
    plan = a_plan("Nearly the same", 61)
    move = draft(MoveSeries(plan_id=plan.id), titles, effective_from=now + DAY)
    agree(propose(move, dana, now), erin, now)

    change = propose(draft(NewVersion(plan_id=plan.id, terms=asking(500))), dana, now)

    assert (change.state, change.titles_count) == (ChangeState.WAITING, 3)
    assert price_of(titles[0], NINE, now + 2 * DAY) == 61


def test_the_default_price_reaches_titles_whose_plan_has_none(
    titles: Sequence[Series], plan: PricePlan, draft: Draft, dana: User, now: datetime
) -> None:
    plans.assign(
        plan=a_plan("Empty"), series_ids=[one.id for one in titles], effective_from=PAST, now=PAST
    )

    change = propose(draft(NewVersion(plan_id=plan.id, terms=asking(500))), dana, now)

    assert (change.state, change.titles_count) == (ChangeState.WAITING, 3)


def test_titles_that_are_not_published_yet_count_where_they_are_named(
    titles: Sequence[Series], draft: Draft, dana: User, now: datetime
) -> None:
    Series.objects.update(state=Series.State.DRAFT)
    rows = {one.id: TermsContent(free_count=0, base_price_coins=500) for one in titles}

    change = propose(draft(PriceTable(rows=rows), titles), dana, now)

    assert (change.state, change.titles_count) == (ChangeState.WAITING, 3)


def test_small_rises_of_one_day_add_up(
    titles: Sequence[Series], plan: PricePlan, draft: Draft, dana: User, now: datetime
) -> None:
    first = propose(draft(NewVersion(plan_id=plan.id, terms=asking(80))), dana, now)
    assert first.state == ChangeState.SCHEDULED
    more = NewVersion(plan_id=plan.id, terms=asking(100))

    soon = propose(draft(more), dana, now + MINUTE)
    assert (soon.state, soon.largest_rise_parts_per_million) == (ChangeState.WAITING, 250_000)
    a_day_later = propose(draft(more), dana, now + DAY + MINUTE)
    assert a_day_later.state == ChangeState.SCHEDULED


def test_a_discount_of_yesterday_makes_no_rise_of_today(
    titles: Sequence[Series], plan: PricePlan, draft: Draft, dana: User, now: datetime
) -> None:
    promotions.start(
        name="Half",
        series_ids=[one.id for one in titles],
        starts_at=PAST,
        ends_at=now - MINUTE,
        adjustment=Adjustment(scale_parts_per_million=500_000),
        now=PAST,
    )

    change = propose(draft(NewVersion(plan_id=plan.id, terms=asking(66))), dana, now)

    assert change.state == ChangeState.SCHEDULED


def test_titles_that_one_person_changes_alone_within_a_day_are_counted_together(
    titles: Sequence[Series], draft: Draft, dana: User, erin: User, now: datetime, settings: Any
) -> None:
    settings.PRICE_SOLO_TITLES = 2
    move = MoveSeries(plan_id=a_plan("Nearly the same", 61).id)
    assert propose(draft(move, titles[:2]), dana, now).state == ChangeState.SCHEDULED

    more = propose(draft(move, titles[2:]), dana, now + MINUTE)
    assert (more.state, more.titles_count) == (ChangeState.WAITING, 1)
    of_somebody_else = propose(draft(move, titles[2:]), erin, now + MINUTE)
    assert of_somebody_else.state == ChangeState.SCHEDULED


def test_agreed_to_after_more_would_be_given_away_it_is_refused(
    titles: Sequence[Series], plan: PricePlan, draft: Draft, dana: User, erin: User, now: datetime
) -> None:
    """As many titles and the same rise; but of one more nothing is sold."""
    short = SeriesFactory(state="published")
    episodes_of(short, range(1, 12))
    content = NewVersion(plan_id=plan.id, terms=TermsContent(free_count=11, base_price_coins=500))
    change = propose(draft(content), dana, now)
    assert (change.state, change.given_away_count) == (ChangeState.WAITING, 1)
    titles[0].episodes.filter(number=12).update(state="withdrawn")

    with pytest.raises(approval.Outdated):
        agree(change, erin, now)

    assert price_of(titles[0], NINE, now) == 60


def test_reach_asks_as_much_for_many_places_as_for_none(
    titles: Sequence[Series],
    plan: PricePlan,
    draft: Draft,
    now: datetime,
    django_assert_max_num_queries: Any,
) -> None:
    regions = ("AR", "BR", "CL", "MX", "PE", "US")
    variants = tuple(
        VariantContent(regions=(region,), platforms=(platform,), price_coins=60 + place)
        for place, region in enumerate(regions)
        for platform in EVERY_PLATFORM
    )
    change = draft(NewVersion(plan_id=plan.id, terms=asking(variants=variants)))

    with django_assert_max_num_queries(40):
        reach = effects.reach(change, now=now)

    assert reach.largest_rise_parts_per_million == 83_333


def test_titles_that_are_asked_the_same_count_each(
    titles: Sequence[Series], draft: Draft, now: datetime
) -> None:
    longer = SeriesFactory(state="published")
    episodes_of(longer, range(1, 25))
    dearer, cheaper = asking(66), asking(45, bundle=AdjustedPrice(scale_parts_per_million=500_000))
    table = {titles[0].id: dearer, titles[1].id: dearer, titles[2].id: cheaper, longer.id: dearer}

    reach = effects.reach(draft(PriceTable(rows=table), [*titles, longer]), now=now)

    assert (reach.titles_count, reach.dearer_count, reach.cheaper_count) == (4, 3, 1)
    assert reach.largest_rise_parts_per_million == 100_000
    assert reach.largest_rise_series_id in {titles[0].id, titles[1].id, longer.id}
    assert reach.largest_fall_series_id == titles[2].id


def test_a_long_table_asks_as_much_as_a_short_one(
    plan: PricePlan,
    draft: Draft,
    dana: User,
    erin: User,
    now: datetime,
    settings: Any,
    django_assert_max_num_queries: Any,
) -> None:
    settings.PRICE_SOLO_TITLES = 1

    def tabled(number: int) -> PriceChange:
        series = [SeriesFactory(state="published") for _ in range(number)]
        for one in series:
            episodes_of(one, [9])
        rows = {
            one.id: asking(70 + place % 9, steps={12: 90 + place % 5}, overrides={11: 30})
            for place, one in enumerate(series)
        }
        return draft(PriceTable(rows=rows), series)

    short = tabled(2)
    with django_assert_max_num_queries(45) as proposed:
        propose(short, dana, now)
    with django_assert_max_num_queries(45) as agreed:
        agree(short, erin, now)

    long = tabled(60)
    with django_assert_max_num_queries(len(proposed)):
        propose(long, dana, now)
    with django_assert_max_num_queries(len(agreed)):
        agree(long, erin, now)
    long.refresh_from_db()
    assert (long.state, long.titles_count) == (ChangeState.SCHEDULED, 60)
