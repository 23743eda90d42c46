"""Whatever the experiments: a viewer is shown, promised and charged the price of their arm."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from catalog.models import Series
from payments.access import paywall
from payments.desk import experiments as price_experiments
from payments.models import Unlock
from payments.prices import pricing, quotes
from payments.prices.terms import Adjustment, Terms
from payments.unlocking import unlocks
from tests.factories import experiments
from tests.factories.payments import fund
from tests.factories.viewers import DeviceFactory
from tests.proof import Proof
from viewers.experiments import hashing
from viewers.models import Device, Experiment, Exposure, Varies
from viewers.models.experiments import (
    ARM_CODE_CHARACTERS,
    EXPERIMENT_CODE_CHARACTERS,
    WHOLE,
)

NUMBERS = range(1, 13)
PLAN = Terms(8, 60)

# What no start refuses: within ten times of the usual 60, and something is left to pay for.
_prices = st.builds(Adjustment, price_coins=st.integers(7, 599).filter(lambda coins: coins != 60))
_scales = st.builds(
    Adjustment,
    scale_parts_per_million=st.integers(110_000, 9_900_000).filter(
        lambda scale: not 990_000 < scale < 1_010_000
    ),
)
_counts = st.builds(Adjustment, free_count=st.integers(0, 11).filter(lambda count: count != 8))


@st.composite
def _experiments(draw: st.DrawFn) -> Mapping[str, Any]:
    """An experiment of two to four arms, in a slice of its layer."""
    varies = draw(st.sampled_from([Varies.PRICE, Varies.FREE_COUNT]))
    asked = draw(
        st.lists(
            _counts if varies == Varies.FREE_COUNT else _prices | _scales,
            min_size=1,
            max_size=3,
            unique=True,
        )
    )
    cuts = draw(
        st.lists(st.integers(1, WHOLE - 1), min_size=len(asked), max_size=len(asked), unique=True)
    )
    ends = [0, *sorted(cuts), WHOLE]
    codes = ["control", *(f"arm-{place}" for place in range(len(asked)))]
    start = draw(st.sampled_from([0, 200_000]))
    return {
        "varies": varies,
        "asked": dict(zip(codes[1:], asked, strict=True)),
        "shares": {code: ends[n + 1] - ends[n] for n, code in enumerate(codes)},
        "slice_from": start,
        "slice_to": draw(st.sampled_from([WHOLE, start + 300_000])),
    }


def expected_arm(experiment: Experiment, shares: Mapping[str, int], viewer_id: UUID) -> str | None:
    """As the documentation says it, and not as the code does."""
    place = hashing.part_of(experiment.layer.salt, viewer_id)
    if not experiment.slice_from <= place < experiment.slice_to:
        return None
    part, end = hashing.part_of(experiment.salt, viewer_id), 0
    for code, share in sorted(shares.items()):
        end += share
        if part < end:
            return code
    raise AssertionError


def check(drafts: Sequence[Mapping[str, Any]], series: Series, now: datetime) -> None:
    made = [experiments.running(now=now, **draft) for draft in drafts]
    for _ in range(3):
        viewer_id = DeviceFactory().viewer_id
        mine = [
            (experiment, draft, arm)
            for experiment, draft in zip(made, drafts, strict=True)
            if (arm := expected_arm(experiment, draft["shares"], viewer_id))
        ]
        adjustments = [draft["asked"][arm] for _, draft, arm in mine if arm in draft["asked"]]
        expected = PLAN.adjusted(adjustments).ladder()
        label = ",".join(f"{experiment.code}:{arm}" for experiment, _, arm in mine)

        shown = paywall.show(
            viewer_id=viewer_id, environment="production", series_id=series.id, now=now
        )
        assert [shown.ladder.price_of(n) for n in NUMBERS] == [
            expected.price_of(n) for n in NUMBERS
        ]
        promise = quotes.verify(
            shown.quote.token(), viewer_id=viewer_id, environment="production", now=now
        )
        assert (promise.price.ladder, promise.arm) == (expected, label)
        charge(viewer_id, promise, series, now)
        assert see_exposures(viewer_id) == {
            experiment.code: arm
            for experiment, draft, arm in mine
            if parts(draft, mine, experiment)
        }
        again = pricing.price_for(viewer_id=viewer_id, series_id=series.id, at=now)
        assert again == promise.price


def charge(viewer_id: UUID, promise: quotes.Quote, series: Series, now: datetime) -> None:
    """The first episode that costs anything is charged at what was promised."""
    asked = [(n, promise.price.ladder.price_of(n)) for n in NUMBERS]
    number, price_coins = next((n, coins) for n, coins in asked if coins)
    fund(viewer_id, now=now, paid=price_coins)
    decision = unlocks.unlock(
        viewer_id=viewer_id,
        environment="production",
        episode_id=series.episodes.get(number=number).id,
        quote=promise.token(),
        confirmed_spend_coins=price_coins,
        now=now,
    )
    assert decision.outcome.price_coins == price_coins
    kept = Unlock.objects.get(viewer_id=viewer_id)
    assert (kept.price_coins, kept.arm) == (price_coins, promise.arm)
    assert tuple(kept.adjustments) == promise.adjustment_ids


def parts(
    draft: Mapping[str, Any],
    mine: Sequence[tuple[Experiment, Mapping[str, Any], str]],
    of: Experiment,
) -> bool:
    """Whether any episode costs something else in another arm of one experiment."""
    ladders = set()
    for code in draft["shares"]:
        arms = [code if experiment == of else arm for experiment, _, arm in mine]
        adjustments = [
            each["asked"][arm]
            for (_, each, _), arm in zip(mine, arms, strict=True)
            if arm in each["asked"]
        ]
        ladder = PLAN.adjusted(adjustments).ladder()
        ladders.add(tuple(ladder.price_of(n) for n in NUMBERS))
    return len(ladders) > 1


def see_exposures(viewer_id: UUID) -> Mapping[str, str]:
    rows = Exposure.objects.filter(viewer_id=viewer_id).select_related("experiment", "arm")
    return {row.experiment.code: row.arm.code for row in rows}


def test_the_names_of_all_arms_are_kept_however_long(
    device: Device, series: Series, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A viewer whose arms did not fit could not unlock anything."""
    monkeypatch.setattr(price_experiments, "MAXIMUM_PRICE_LAYERS", 5)
    codes = ["a" * ARM_CODE_CHARACTERS, "b" * ARM_CODE_CHARACTERS]
    for number in range(5):
        experiments.running(
            dict.fromkeys(codes, WHOLE // 2),
            {codes[1]: Adjustment(price_coins=70 + number)},
            control=codes[0],
            code=f"{number}" * EXPERIMENT_CODE_CHARACTERS,
            now=now,
        )
    shown = paywall.show(
        viewer_id=device.viewer_id, environment="production", series_id=series.id, now=now
    )

    charge(device.viewer_id, shown.quote, series, now)

    assert len(Unlock.objects.get().arm) == 5 * (40 + 1 + 20) + 4


def test_the_price_of_an_arm_is_shown_promised_and_charged(
    series: Series, now: datetime, proof: Proof
) -> None:
    @settings(
        max_examples=proof.rounds(full=1_000),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(drafts=st.lists(_experiments(), min_size=1, max_size=3))
    def explore(drafts: Sequence[Mapping[str, Any]]) -> None:
        with transaction.atomic():
            check(drafts, series, now)
            transaction.set_rollback(True)

    explore()
    proof.record(
        "P25", "random experiments: shown, promised and charged in every arm", violations=0
    )
