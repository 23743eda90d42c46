"""What a change would do is what it does: for every title, viewer and moment."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from catalog.models import Series
from payments.access import paywall
from payments.access.paywall import Paywall
from payments.desk import price_versions
from payments.desk.price_changes import approval, effects
from payments.desk.price_changes.contents import (
    AdjustedPrice,
    Campaign,
    Content,
    NewVersion,
    PriceTable,
    RentalContent,
    TermsContent,
    VariantContent,
)
from payments.desk.price_changes.effects import Shift
from payments.desk.price_changes.samples import InArm, Sample, Stranger
from payments.models import PriceChange, PricePlan, PriceVersion, Promotion, Wallet
from payments.prices import pricing
from payments.prices.pricing import Price
from payments.prices.quotes import Quote
from payments.prices.terms import Adjustment, Rental
from payments.unlocking import bundles, rentals, unlocks
from tests.factories import experiments
from tests.factories.payments import fund
from tests.factories.viewers import DeviceFactory
from tests.payments.desk.price_changes.conftest import Draft, price_of
from tests.payments.prices.test_experiments_on_prices import device_in
from tests.proof import Proof
from viewers.experiments import arms
from viewers.models import Device, Platform, Varies

DAY = timedelta(days=1)
WHERE = [("US", Platform.IOS), ("US", Platform.WEB), ("BR", Platform.IOS), ("", Platform.ANDROID)]

FUNDS = 1_000_000

_prices = st.integers(
    14, 590
)  # within ten times of the usual 60, also at seven tenths of four fifths
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
        bundle=draw(st.none() | st.just(AdjustedPrice(scale_parts_per_million=750_000))),
        rental=draw(
            st.none() | st.just(RentalContent(scale_parts_per_million=700_000, seconds=7200))
        ),
    )


def _contents(
    plan: PricePlan, series_ids: Sequence[UUID], *, ends_at: datetime
) -> st.SearchStrategy[Content]:
    """Changes of a plan, of these titles by a table, and of them for a time."""
    return st.one_of(
        st.builds(NewVersion, plan_id=st.just(plan.id), terms=_terms()),
        st.tuples(*(_terms() for _ in series_ids)).map(
            lambda each: PriceTable(rows=dict(zip(series_ids, each, strict=True)))
        ),
        st.builds(
            Campaign,
            ends_at=st.just(ends_at),
            price=st.builds(AdjustedPrice, **_adjusted),
            regions=st.sampled_from([(), ("BR",)]),
            platforms=st.sampled_from([(), ("ios",)]),
        ),
    )


#: Buys something of a title, and returns the coins that it takes by the preview.
Buy = Callable[[Device, Series, Shift, datetime], int]


def buys_one(device: Device, series: Series, shift: Shift, at: datetime) -> int:
    """The first episode that costs something, by itself."""
    number = first_paid(shift)
    if number is None:
        return 0
    unlock(device, series, number, shown_to(device, series, at).quote, at)
    return shift.after.alone.price_of(number)


def rents_one(device: Device, series: Series, shift: Shift, at: datetime) -> int:
    """The first that costs something, for a time."""
    number = first_paid(shift)
    quote = rentals.quote_for(
        viewer_id=device.viewer_id,
        environment="production",
        series=series,
        price=shown_to(device, series, at).quote.price,
        now=at,
    )
    assert (quote is None) == (shift.after.rental is None)
    if quote is None or shift.after.rental is None or number is None:
        return 0
    unlock(device, series, number, quote, at)
    return shift.after.rental.price_of(number)


def buys_the_rest(device: Device, series: Series, shift: Shift, at: datetime) -> int:
    """All that costs something, at once."""
    quote = bundles.quote_for(shown_to(device, series, at))
    assert (quote is None) == (shift.after.bundle is None or first_paid(shift) is None)
    if quote is None or shift.after.bundle is None:
        return 0
    bundles.unlock(
        viewer_id=device.viewer_id,
        environment="production",
        series_id=series.id,
        quote=quote.token(),
        now=at,
        device_id=device.id,
        confirmed_spend_coins=FUNDS,
    )
    return sum(map(shift.after.bundle.price_of, shift.numbers))


def first_paid(shift: Shift) -> int | None:
    return next((one for one in shift.numbers if shift.after.alone.price_of(one)), None)


def shown_to(device: Device, series: Series, at: datetime) -> Paywall:
    return paywall.show(
        viewer_id=device.viewer_id,
        environment="production",
        series_id=series.id,
        device_id=device.id,
        now=at,
    )


def unlock(device: Device, series: Series, number: int, quote: Quote, at: datetime) -> None:
    unlocks.unlock(
        viewer_id=device.viewer_id,
        environment="production",
        episode_id=series.episodes.get(number=number).id,
        quote=quote.token(),
        now=at,
        device_id=device.id,
        confirmed_spend_coins=FUNDS,
    )


def coins(device: Device) -> int:
    wallet = Wallet.objects.get(viewer_id=device.viewer_id)
    return wallet.paid_coins + wallet.bonus_coins


@pytest.fixture
def devices(db: None) -> Sequence[Device]:
    return [DeviceFactory(viewer__region=region, platform=on) for region, on in WHERE]


def put_in_force(change: PriceChange, author: User, second: User, now: datetime) -> None:
    change = approval.propose(change_id=change.id, operator_id=author.id, now=now)
    if change.needs_second:
        approval.decide(
            change_id=change.id, operator_id=second.id, is_agreed=True, note="", now=now
        )


def assert_is_asked(shift: Shift, device: Device, series: Series, at: datetime) -> None:
    """Every episode costs what was shown."""
    asked = pricing.price_for(
        viewer_id=device.viewer_id, device_id=device.id, series_id=series.id, at=at
    )
    assert list(shift.numbers) == list(range(1, 13))
    for number in shift.numbers:
        assert shift.after.alone.price_of(number) == asked.ladder.price_of(number)


def test_a_preview_is_what_is_charged_afterwards(
    titles: Sequence[Series],
    plan: PricePlan,
    devices: Sequence[Device],
    draft: Draft,
    dana: User,
    erin: User,
    now: datetime,
    proof: Proof,
) -> None:
    ids = [one.id for one in titles]
    experiment = experiments.free_counts(now=now - DAY)
    # Whoever is shown as a stranger, and a viewer of whom the same is true.
    like: dict[Sample | Stranger, Device] = {
        Stranger("BR", Platform.IOS, InArm(experiment.id, arm.id)): device_in(
            experiment, arm.code, viewer__region="BR", platform=Platform.IOS
        )
        for arm in experiment.arms.all()
    } | {Sample(device.viewer_id, device.id): device for device in devices}
    for device in like.values():
        fund(device.viewer_id, now=now, paid=FUNDS)

    def judge(
        content: Content,
        moment: datetime | None,
        wait: timedelta,
        shown: Sequence[Sample | Stranger],
        buys: Buy,
    ) -> None:
        about = () if isinstance(content, NewVersion) else titles
        change = draft(content, about, effective_from=moment)
        at = effects.moment_of(change, now=now) + wait
        seen = effects.shifts(change, series_ids=ids, samples=shown, now=now, at=at)
        put_in_force(change, dana, erin, now)
        for sample in shown:
            for series, shift in zip(titles, seen[sample], strict=True):
                assert_is_asked(shift, like[sample], series, at)
        device = like[shown[0]]
        for series, shift in zip(titles, seen[shown[0]], strict=True):
            held = coins(device)
            assert buys(device, series, shift, at) == held - coins(device)

    @settings(
        max_examples=proof.rounds(full=1_000),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        content=_contents(plan, ids, ends_at=now + 2 * DAY),
        moment=st.sampled_from([None, now + DAY]),
        wait=st.sampled_from([timedelta(0), timedelta(hours=30), 5 * DAY]),
        shown=st.lists(st.sampled_from(list(like)), min_size=2, max_size=2, unique=True),
        buys=st.sampled_from([buys_one, buys_the_rest, rents_one]),
    )
    def explore(**given: Any) -> None:
        with transaction.atomic():
            judge(**given)
            transaction.set_rollback(True)

    explore()
    proof.record("P24", "A preview of random price changes against what is charged", violations=0)


def test_a_stranger_without_an_arm_meets_no_experiment(
    titles: Sequence[Series], plan: PricePlan, draft: Draft, now: datetime
) -> None:
    experiments.running(
        {"control": 1, "dear": 999_999}, {"dear": Adjustment(price_coins=90)}, now=now - DAY
    )
    change = draft(
        NewVersion(plan_id=plan.id, terms=TermsContent(free_count=8, base_price_coins=70))
    )

    seen = effects.shifts(change, series_ids=[titles[0].id], samples=[Stranger()], now=now)

    (shift,) = seen[Stranger()]
    assert (shift.before.alone.price_of(9), shift.after.alone.price_of(9)) == (60, 70)


def test_a_stranger_of_one_arm_is_in_no_other_experiments_arm(
    titles: Sequence[Series], plan: PricePlan, draft: Draft, now: datetime
) -> None:
    experiments.running(
        asked={"other": Adjustment(free_count=2)}, varies=Varies.FREE_COUNT, now=now - DAY
    )
    experiment = experiments.running(asked={"other": Adjustment(price_coins=90)}, now=now - DAY)
    change = draft(
        NewVersion(plan_id=plan.id, terms=TermsContent(free_count=9, base_price_coins=70))
    )
    strangers = [
        Stranger(arm=InArm(experiment.id, arm.id)) for arm in experiment.arms.order_by("code")
    ]

    seen = effects.shifts(change, series_ids=[titles[0].id], samples=strangers, now=now)

    asked = [(shift.before.alone, shift.after.alone) for (shift,) in map(seen.get, strangers)]
    assert [(was.price_of(9), will.price_of(9), will.price_of(10)) for was, will in asked] == [
        (60, 0, 70),
        (90, 0, 90),
    ]


def test_an_arm_that_nobody_falls_to_is_left_out(
    titles: Sequence[Series],
    plan: PricePlan,
    draft: Draft,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arms, "DRAWS", 10)  # one in a million would be found one time in fifty
    experiment = experiments.running(
        {"control": 999_999, "rare": 1}, {"rare": Adjustment(price_coins=90)}, now=now - DAY
    )
    rare = Stranger(arm=InArm(experiment.id, experiment.arms.get(code="rare").id))
    change = draft(
        NewVersion(plan_id=plan.id, terms=TermsContent(free_count=9, base_price_coins=70))
    )

    seen = effects.shifts(change, series_ids=[titles[0].id], samples=[Stranger(), rare], now=now)

    assert list(seen) == [Stranger()]


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
