"""What a change would do is what it does: for every title, viewer and moment."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from catalog.models import Series
from payments.desk import price_versions
from payments.desk.price_changes import approval, effects
from payments.desk.price_changes.contents import (
    AdjustedPrice,
    Campaign,
    Content,
    NewVersion,
    PriceTable,
    TermsContent,
    VariantContent,
)
from payments.desk.price_changes.effects import Sample
from payments.models import PricePlan, PriceVersion, Promotion
from payments.prices import pricing
from payments.prices.pricing import Price
from payments.prices.terms import Adjustment, Rental
from tests.factories.viewers import DeviceFactory
from tests.payments.desk.price_changes.conftest import Draft, price_of
from tests.proof import Proof
from viewers.models import Device, Platform

DAY = timedelta(days=1)
WHERE = [("US", Platform.IOS), ("US", Platform.WEB), ("BR", Platform.IOS), ("", Platform.ANDROID)]

_prices = st.integers(9, 590)  # within ten times of the usual 60, also at four fifths
_adjusted: dict[str, Any] = {
    "free_count": st.none() | st.integers(0, 12),
    "price_coins": st.none() | _prices,
    "scale_parts_per_million": st.just(800_000),
}
_variants = st.builds(
    VariantContent,
    regions=st.sampled_from([("US",), ("BR", "US"), ("BR",)]),
    platforms=st.sampled_from([(), ("web",), ("ios", "web")]),
    **_adjusted,
)
_rising = st.lists(
    st.tuples(st.integers(2, 12), st.integers(1, 40)), max_size=3, unique_by=lambda pair: pair[0]
)


@st.composite
def _terms(draw: st.DrawFn) -> TermsContent:
    base = price = draw(st.integers(40, 200))
    steps = {}
    for number, more in sorted(draw(_rising)):
        price += more
        steps[number] = price
    return TermsContent(
        free_count=draw(st.integers(0, 10)),
        base_price_coins=base,
        steps=steps,
        overrides=draw(st.dictionaries(st.integers(1, 12), st.just(0) | _prices, max_size=3)),
        variants=tuple(draw(st.lists(_variants, max_size=3))),
    )


@pytest.fixture
def devices(db: None) -> Sequence[Device]:
    return [DeviceFactory(viewer__region=region, platform=on) for region, on in WHERE]


def test_a_preview_is_what_is_asked_afterwards(
    titles: Sequence[Series],
    plan: PricePlan,
    devices: Sequence[Device],
    draft: Draft,
    dana: User,
    erin: User,
    now: datetime,
    proof: Proof,
) -> None:
    samples = [Sample(device.viewer_id, device.id) for device in devices]
    ids = [one.id for one in titles]

    def judge(content: Content, moment: datetime | None, wait: timedelta) -> None:
        about = () if isinstance(content, NewVersion) else titles
        change = draft(content, about, effective_from=moment)
        at = effects.moment_of(change, now=now) + wait
        seen = effects.shifts(change, series_ids=ids, samples=samples, now=now, at=at)
        change = approval.propose(change_id=change.id, operator_id=dana.id, now=now)
        if change.needs_second:
            approval.decide(
                change_id=change.id, operator_id=erin.id, is_agreed=True, note="", now=now
            )
        for device, sample in zip(devices, samples, strict=True):
            for series, shift in zip(titles, seen[sample], strict=True):
                asked = [price_of(series, number, at, device) for number in range(1, 13)]
                assert [shift.after.price_of(number) for number in shift.numbers] == asked

    contents = st.one_of(
        st.builds(NewVersion, plan_id=st.just(plan.id), terms=_terms()),
        st.tuples(_terms(), _terms(), _terms()).map(
            lambda each: PriceTable(rows=dict(zip(ids, each, strict=True)))
        ),
        st.builds(
            Campaign,
            ends_at=st.just(now + 2 * DAY),
            price=st.builds(AdjustedPrice, **_adjusted),
            regions=st.sampled_from([(), ("BR",)]),
            platforms=st.sampled_from([(), ("ios",)]),
        ),
    )

    @settings(
        max_examples=proof.rounds(full=1_000),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        content=contents,
        moment=st.sampled_from([None, now + DAY]),
        wait=st.sampled_from([timedelta(0), timedelta(hours=30), 5 * DAY]),
    )
    def explore(content: Content, moment: datetime | None, wait: timedelta) -> None:
        with transaction.atomic():
            judge(content, moment, wait)
            transaction.set_rollback(True)

    explore()
    proof.record("P24", "A preview of random price changes against what is asked", violations=0)


def test_looking_keeps_nothing(
    titles: Sequence[Series], plan: PricePlan, draft: Draft, now: datetime
) -> None:
    changes = [
        draft(NewVersion(plan_id=plan.id, terms=TermsContent(free_count=1, base_price_coins=70))),
        draft(Campaign(ends_at=now + DAY, price=AdjustedPrice(price_coins=70)), titles),
    ]
    versions = PriceVersion.objects.count()

    for change in changes:
        effects.reach(change, now=now)
        effects.shifts(change, series_ids=[titles[0].id], samples=[], now=now)

    assert (PriceVersion.objects.count(), Promotion.objects.count()) == (versions, 0)
    assert price_of(titles[0], 9, now) == 60


def test_reach_counts_what_becomes_dearer_and_cheaper(
    titles: Sequence[Series], draft: Draft, now: datetime
) -> None:
    dear, cheap, same = titles
    rows = {
        dear.id: TermsContent(free_count=8, base_price_coins=90),
        cheap.id: TermsContent(free_count=10, base_price_coins=60),
        same.id: TermsContent(free_count=8, base_price_coins=60),
    }

    reach = effects.reach(draft(PriceTable(rows=rows), titles), now=now)

    assert (reach.titles_count, reach.dearer_count, reach.cheaper_count) == (2, 1, 1)
    assert reach.largest_rise_parts_per_million == 500_000
    assert reach.largest_rise_series_id == dear.id


def test_reach_asks_as_much_for_many_titles_as_for_few(
    titles: Sequence[Series], draft: Draft, now: datetime, django_assert_num_queries: Any
) -> None:
    def rows(chosen: Sequence[Series]) -> PriceTable:
        terms = TermsContent(free_count=8, base_price_coins=90)
        return PriceTable(rows={one.id: terms for one in chosen})

    few, many = draft(rows(titles[:1]), titles[:1]), draft(rows(titles), titles)
    effects.reach(few, now=now)
    with django_assert_num_queries(28, exact=False) as asked:
        effects.reach(few, now=now)
    with django_assert_num_queries(len(asked), exact=False):
        effects.reach(many, now=now)


def test_ladders_of_many_prices_are_those_of_each(
    plan: PricePlan, now: datetime, django_assert_max_num_queries: Any
) -> None:
    versions = [
        price_versions.add(
            plan=plan,
            effective_from=now + place * DAY,
            free_count=place,
            base_price_coins=50 + place,
            steps={11: 90},
            overrides={5: 0, 7: 33},
            bundle=Adjustment(scale_parts_per_million=750_000),
            rental=Rental(Adjustment(price_coins=20), seconds=7200),
            now=now,
        )
        for place in range(8)
    ]
    adjusting = [version.bundle_adjustment_id for version in versions[:2]]
    prices = [
        Price(version.id, adjustments, way_adjustment_id=way)
        for version in versions
        for adjustments in ((), tuple(adjusting))
        for way in (None, version.bundle_adjustment_id, version.rental_adjustment_id)
    ]
    with django_assert_max_num_queries(4):
        ladders = pricing.ladders(prices)
    assert ladders == {price: price.ladder for price in prices}
