"""Prices that ask the same are told from those that do not, whatever rows they are made of."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from payments.desk import price_versions
from payments.desk.price_versions import NewVariant, NewVersion, adjustment_row
from payments.models import PriceAdjustment, PricePlan, PriceVersion
from payments.prices import alike
from payments.prices.places import Adjusting, Variant
from payments.prices.pricing import Everywhere
from payments.prices.terms import Adjustment, Rental, Terms

pytestmark = pytest.mark.django_db

A_FIFTH_OFF = Adjustment(scale_parts_per_million=800_000)
HALF_OFF = Adjustment(scale_parts_per_million=500_000)
TERMS = Terms(8, 60, steps={40: 80}, overrides={3: 0, 50: 10})
SOLD = {"terms": TERMS, "bundle": A_FIFTH_OFF, "rental": Rental(HALF_OFF, seconds=7200)}


def versions(*sold: dict[str, Any], now: datetime) -> Sequence[UUID]:
    plans = [
        PricePlan.objects.create(name=f"Plan {place}", created_at=now) for place in range(len(sold))
    ]
    return price_versions.add_many(
        [NewVersion(plan.id, **each) for plan, each in zip(plans, sold, strict=True)],
        effective_from=now,
        now=now,
    )


def adjustment(how: Adjustment, now: datetime) -> PriceAdjustment:
    row = adjustment_row(how, now=now)
    row.save()
    return row


def test_one_version_stands_for_all_that_say_the_same(now: datetime) -> None:
    prices = [Everywhere(one, Adjusting()) for one in versions(SOLD, SOLD, SOLD, now=now)]

    stands = alike.standing_for(prices)

    assert set(stands.values()) == {prices[0]}


@pytest.mark.parametrize(
    "otherwise",
    [
        {"terms": replace(TERMS, free_count=9)},
        {"terms": replace(TERMS, base_price_coins=61)},
        {"terms": replace(TERMS, steps={41: 80})},
        {"terms": replace(TERMS, steps={40: 81})},
        {"terms": replace(TERMS, steps={})},
        {"terms": replace(TERMS, overrides={3: 0, 50: 11})},
        {"terms": replace(TERMS, overrides={3: 0})},
        {"bundle": None},
        {"bundle": HALF_OFF},
        {"bundle": Adjustment(price_coins=800_000)},
        {"rental": None},
        {"rental": Rental(A_FIFTH_OFF, seconds=7200)},
        {"rental": Rental(HALF_OFF, seconds=3600)},
        {"bundle": HALF_OFF, "rental": Rental(A_FIFTH_OFF, seconds=7200)},
    ],
    ids=str,
)
def test_a_version_that_says_anything_else_stands_for_itself(
    otherwise: dict[str, Any], now: datetime
) -> None:
    prices = [Everywhere(one, Adjusting()) for one in versions(SOLD, SOLD | otherwise, now=now)]

    assert alike.standing_for(prices) == {price: price for price in prices}


def test_what_adjusts_the_same_in_the_same_places_is_the_same(now: datetime) -> None:
    (version_id,) = versions(SOLD, now=now)
    one, same, other = (adjustment(how, now).id for how in (HALF_OFF, HALF_OFF, A_FIFTH_OFF))

    def price(in_us: UUID, in_arm: UUID, promoted: UUID, region: str = "US") -> Everywhere:
        variants = (Variant(frozenset({region}), frozenset(), in_us),)
        promotions = (Variant(frozenset(), frozenset(), promoted),)
        return Everywhere(version_id, Adjusting(variants, in_arm, promotions))

    alike_ones = [price(one, same, one), price(same, one, same)]
    others = [
        price(other, one, one),
        price(one, other, one),
        price(one, one, other),
        price(one, one, one, region="BR"),
        Everywhere(version_id, Adjusting()),
    ]

    stands = alike.standing_for([*alike_ones, *others])

    assert stands[alike_ones[0]] == stands[alike_ones[1]]
    assert len(set(stands.values())) == 1 + len(others)


def test_a_thousand_versions_take_as_many_questions_as_two(
    now: datetime, django_assert_num_queries: Any
) -> None:
    sold = [SOLD | {"terms": replace(TERMS, base_price_coins=1 + n % 7)} for n in range(1000)]
    variants = [NewVariant(["US"], [], HALF_OFF)]
    made = versions(*(one | {"variants": variants} for one in sold), now=now)

    with django_assert_num_queries(2):
        stands = alike.standing_for([Everywhere(one, Adjusting()) for one in made])

    assert len(set(stands.values())) == 7


def test_nothing_that_a_version_may_ask_by_is_forgotten() -> None:
    """A field that is new is one more that versions of one price have to share."""
    told_apart = {"free_count", "base_price_coins", "rental_seconds"}
    told_apart |= {"bundle_adjustment", "rental_adjustment"}
    of_no_price = {"id", "plan", "effective_from", "cancelled_at", "created_at"}
    of_no_price |= {"created_by", "note", "change", "instead_of"}
    named = {field.name for field in PriceVersion._meta.concrete_fields}
    assert named - of_no_price == told_apart
    assert {field.name for field in PriceAdjustment._meta.concrete_fields} == {
        "id", "free_count", "price_coins", "scale_parts_per_million", "created_at",
    }  # fmt: skip
