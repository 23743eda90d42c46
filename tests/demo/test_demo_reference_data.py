"""The demo's packs, terms and plans are made once, and what an operator changed stays."""

from datetime import timedelta

import pytest
from django.db import models

from demo import reference_data
from payments.desk import plans
from payments.models import (
    CoinPack,
    EpisodePrice,
    OfferPolicy,
    PassProduct,
    PlanAssignment,
    PolicyState,
    PricePlan,
    PriceVersion,
    StoreProduct,
    StoreTerms,
)
from payments.prices import pricing
from payments.store import purchases
from tests.factories.catalog import SeriesFactory
from tests.factories.operators import operator

TABLES: tuple[type[models.Model], ...] = (
    CoinPack,
    PassProduct,
    StoreProduct,
    StoreTerms,
    PricePlan,
    PriceVersion,
    EpisodePrice,
    PlanAssignment,
)


def rows() -> dict[str, list[tuple[object, ...]]]:
    return {table.__name__: sorted(table.objects.values_list(), key=repr) for table in TABLES}


@pytest.fixture
def short_series(db):
    return SeriesFactory(external_id=reference_data.SHORT_SERIALS[0])


def test_changes_nothing_the_second_time(short_series, now) -> None:
    reference_data.load(now=now)
    first = rows()
    reference_data.load(now=now + timedelta(days=1))

    assert rows() == first
    assert {name: len(found) for name, found in first.items()} == {
        "CoinPack": 4,
        "PassProduct": 5,
        "StoreProduct": 36,
        "StoreTerms": 4,
        "PricePlan": 2,
        "PriceVersion": 2,
        "EpisodePrice": 1,
        "PlanAssignment": 1,
    }


def test_assigns_a_plan_to_a_series_that_came_later(db, now) -> None:
    reference_data.load(now=now)
    assert not PlanAssignment.objects.exists()
    series = SeriesFactory(external_id=reference_data.SHORT_SERIALS[0])
    reference_data.load(now=now)

    version = pricing.version_in_force(series_id=series.id, at=now)
    ladder = pricing.ladder(version.id)
    assert [ladder.price_of(number) for number in range(1, 7)] == [0, 0, 40, 40, 100, 40]


def test_leaves_the_other_series_to_the_standard_plan(short_series, now) -> None:
    reference_data.load(now=now)
    version = pricing.version_in_force(series_id=SeriesFactory().id, at=now)

    assert version.plan.is_default


def test_keeps_what_an_operator_changed(short_series, now) -> None:
    reference_data.load(now=now)
    CoinPack.objects.filter(code="coins-500").update(title="Starter", price_micros=2_990_000)
    assigned = list(PlanAssignment.objects.values_list("series_id", flat=True))
    default = PricePlan.objects.get(is_default=True)
    plans.assign(plan=default, series_ids=assigned, effective_from=now, now=now)
    changed = rows()
    reference_data.load(now=now)

    assert rows() == changed


def test_takes_the_fake_stores_fee_from_every_sale(db, now) -> None:
    reference_data.load(now=now)
    terms = purchases.divide(provider="fake", gross_micros=9_990_000, at=now)

    assert (terms.tax_micros, terms.fee_micros, terms.net_micros) == (0, 1_498_500, 8_491_500)


def test_puts_a_policy_of_offers_in_force_once(db, now) -> None:
    putter = operator()
    for _ in range(2):
        reference_data.load_offer_policy(operator_id=putter.id, now=now)

    policy = OfferPolicy.objects.get()
    assert (policy.state, policy.put_by) == (PolicyState.IN_FORCE, putter)
    shown = {arm.code: "ad" in arm.shown for rule in policy.rules.all() for arm in rule.arms.all()}
    assert shown == {"ad-first": True, "no-ad": False}


def test_leaves_an_operators_policy_alone(db, now) -> None:
    OfferPolicy.objects.create(name="Ours", created_at=now)
    reference_data.load_offer_policy(operator_id=operator().id, now=now)

    assert OfferPolicy.objects.get().state == PolicyState.DRAFT
