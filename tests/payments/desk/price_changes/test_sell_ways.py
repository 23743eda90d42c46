"""A version says what the rest of a series costs at once and what renting costs, or offers neither."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from pytest_django.fixtures import Settings

from catalog.models import Series
from payments.desk import price_versions
from payments.desk.price_changes import approval
from payments.desk.price_changes.checks import ContentRefused
from payments.desk.price_changes.contents import (
    AdjustedPrice,
    NewVersion,
    PriceTable,
    RentalContent,
    TermsContent,
    VariantContent,
)
from payments.models import ChangeState, PricePlan, PriceVersion
from payments.prices.terms import Adjustment, PriceLadder, Rental
from tests.factories.payments import PAST
from tests.payments.desk.price_changes.conftest import Draft

DAY = timedelta(days=1)
BUNDLE = AdjustedPrice(scale_parts_per_million=700_000)
RENTAL = RentalContent(price_coins=20, seconds=48 * 3600)


def terms(**given: object) -> TermsContent:
    return TermsContent(free_count=8, base_price_coins=70, **given)


def sold(version: PriceVersion) -> tuple[int | None, int | None, int | None]:
    """The bundle's scale, the rental's price and its length."""
    bundle, rental = version.bundle_adjustment, version.rental_adjustment
    return (
        bundle.scale_parts_per_million if bundle else None,
        rental.price_coins if rental else None,
        version.rental_seconds,
    )


def latest(plan: PricePlan) -> PriceVersion:
    return plan.versions.latest("effective_from")


def test_a_change_brings_both_and_taking_it_back_takes_both(
    plan: PricePlan, titles: Sequence[Series], draft: Draft, dana: User, now: datetime
) -> None:
    change = draft(NewVersion(plan_id=plan.id, terms=terms(bundle=BUNDLE, rental=RENTAL)))
    approval.propose(change_id=change.id, operator_id=dana.id, now=now)
    assert sold(latest(plan)) == (700_000, 20, 172_800)

    approval.end(change_id=change.id, operator_id=dana.id, now=now + DAY)

    assert sold(latest(plan)) == (None, None, None)


def test_what_a_version_sold_is_sold_again_when_the_next_is_taken_back(
    plan: PricePlan, titles: Sequence[Series], draft: Draft, dana: User, now: datetime
) -> None:
    price_versions.add(
        plan=plan,
        effective_from=PAST + DAY,
        free_count=8,
        base_price_coins=60,
        bundle=BUNDLE.adjustment,
        rental=RENTAL.rental,
        now=now,
    )
    change = draft(NewVersion(plan_id=plan.id, terms=terms()))
    approval.propose(change_id=change.id, operator_id=dana.id, now=now)
    assert sold(latest(plan)) == (None, None, None)

    approval.end(change_id=change.id, operator_id=dana.id, now=now + DAY)

    assert sold(latest(plan)) == (700_000, 20, 172_800)


def test_a_table_brings_them_for_each_title(
    titles: Sequence[Series], draft: Draft, dana: User, now: datetime
) -> None:
    rows = {one.id: terms(bundle=BUNDLE) for one in titles[:2]} | {titles[2].id: terms()}
    change = draft(PriceTable(rows=rows), titles)
    approval.propose(change_id=change.id, operator_id=dana.id, now=now)

    assert [sold(latest(one.own_plan))[0] for one in titles] == [700_000, 700_000, None]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"bundle": AdjustedPrice()}, "bought with the rest: It changes nothing"),
        ({"bundle": AdjustedPrice(free_count=20)}, "say a price or a percentage"),
        ({"bundle": AdjustedPrice(scale_parts_per_million=0)}, "costs a coin at least"),
        (
            {"bundle": AdjustedPrice(scale_parts_per_million=1_200_000)},
            "Episode 9 would cost more bought with the rest than alone",
        ),
        (
            {"bundle": AdjustedPrice(price_coins=65), "steps": {12: 90}, "overrides": {10: 50}},
            "Episode 10 would cost more bought with the rest",
        ),
        (
            {
                "bundle": AdjustedPrice(price_coins=65),
                "variants": (VariantContent(regions=("BR",), price_coins=60),),
            },
            "Episode 9 would cost more bought with the rest",
        ),
        ({"rental": RentalContent(price_coins=71, seconds=3600)}, "cost more rented than alone"),
        ({"rental": RentalContent(price_coins=20, seconds=3599)}, "an hour at least"),
        ({"rental": RentalContent(price_coins=20, seconds=30 * 86_400 + 1)}, "30 days at most"),
        ({"rental": RentalContent(price_coins=-1, seconds=3600)}, "between 1 and"),
    ],
)
def test_what_no_way_can_be_is_refused_with_what_to_mend(
    plan: PricePlan, draft: Draft, given: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ContentRefused, match=complaint):
        draft(NewVersion(plan_id=plan.id, terms=terms(**given)))


@pytest.mark.parametrize("percent", [3, 5])
def test_a_slip_of_the_hand_in_a_way_is_one_in_a_price(
    plan: PricePlan,
    titles: Sequence[Series],
    draft: Draft,
    dana: User,
    now: datetime,
    percent: int,
) -> None:
    cheap = AdjustedPrice(scale_parts_per_million=percent * 10_000)
    change = draft(NewVersion(plan_id=plan.id, terms=terms(bundle=cheap)))

    with pytest.raises(ContentRefused, match="far from what episodes cost"):
        approval.propose(change_id=change.id, operator_id=dana.id, now=now)
    assert latest(plan).bundle_adjustment is None


def test_a_bundle_alone_counts_towards_what_one_person_may_change(
    plan: PricePlan,
    titles: Sequence[Series],
    draft: Draft,
    dana: User,
    now: datetime,
    settings: Settings,
) -> None:
    settings.PRICE_SOLO_TITLES = 2
    same = TermsContent(free_count=8, base_price_coins=60, bundle=BUNDLE)

    change = approval.propose(
        change_id=draft(NewVersion(plan_id=plan.id, terms=same)).id, operator_id=dana.id, now=now
    )

    assert (change.state, change.titles_count) == (ChangeState.WAITING, 3)
    assert change.largest_rise_parts_per_million == 0


def test_a_bundle_that_becomes_dearer_is_a_rise(
    plan: PricePlan, titles: Sequence[Series], draft: Draft, dana: User, now: datetime
) -> None:
    same = TermsContent(free_count=8, base_price_coins=60, bundle=AdjustedPrice(price_coins=24))
    first = draft(NewVersion(plan_id=plan.id, terms=same))
    approval.propose(change_id=first.id, operator_id=dana.id, now=now)
    dearer = TermsContent(free_count=8, base_price_coins=60, bundle=AdjustedPrice(price_coins=42))

    later = now + timedelta(seconds=1)
    change = draft(NewVersion(plan_id=plan.id, terms=dearer))
    change = approval.propose(change_id=change.id, operator_id=dana.id, now=later)

    assert (change.state, change.largest_rise_parts_per_million) == (ChangeState.WAITING, 750_000)


@pytest.mark.parametrize("seconds", [0, 3599, 30 * 86_400 + 1])
def test_the_database_keeps_no_rental_that_nobody_could_use(
    plan: PricePlan, now: datetime, seconds: int
) -> None:
    rental = Rental(Adjustment(price_coins=20), seconds)
    with pytest.raises(IntegrityError, match="payments_priceversion_rental"), transaction.atomic():
        price_versions.add(
            plan=plan,
            effective_from=now,
            free_count=8,
            base_price_coins=60,
            rental=rental,
            now=now,
        )


def test_capped_is_the_lower_of_two_prices_for_every_episode() -> None:
    one, other = PriceLadder((0, 60), 60), PriceLadder((0, 0, 70, 80), 50)
    assert one.capped(other) == other.capped(one) == PriceLadder((0, 0, 60, 60), 50)
