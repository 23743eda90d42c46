"""Experiments on prices: what their arms ask, and what stands against starting one."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from catalog.models import Series
from config import many_rows
from payments.desk.price_changes import approval, checks, measuring
from payments.desk.price_changes.contents import AdjustedPrice
from payments.desk.price_changes.measuring import Prices, Reach
from payments.desk.price_versions import adjustment_row
from payments.models import ArmTerms, PriceAdjustment
from payments.prices import arm_terms, pricing, usual_price
from payments.prices.pricing import ON_PRICES
from payments.prices.terms import Adjustment, Terms
from viewers.experiments.lifecycle import Verdict
from viewers.models import Arm, Experiment, ExperimentState, Varies

#: Each layer on prices adds to every quote.
MAXIMUM_PRICE_LAYERS = 4


def ask_in(
    arm: Arm,
    adjustment: Adjustment | None,
    *,
    now: datetime,
    series_ids: Collection[UUID] = (),
) -> None:
    """Has an arm of a draft adjust the prices of these series, or of every title if none is named.

    Takes the place of what the arm asked before; None asks what everybody is asked. Raises
    django.db.IntegrityError if the experiment is no draft any more.
    """
    with transaction.atomic():
        ArmTerms.objects.filter(arm=arm).delete()
        if adjustment is None:
            return
        row = adjustment_row(adjustment, now=now)
        row.save()
        many_rows.add(
            ArmTerms,
            {"series": list(series_ids) or [None]},
            same={"arm": arm.id, "adjustment": row.id},
        )


def check(experiment: Experiment, *, now: datetime) -> Verdict:
    """What stands against starting an experiment, as far as prices go; see settings.EXPERIMENT_CHECKS.

    Inside the transaction of the start: until its end no other experiment on prices starts. It takes a
    second person where a change of prices as far-reaching as one of its arms would.
    """
    draft = _Draft.read(experiment)
    if experiment.varies not in ON_PRICES:
        kind = experiment.get_varies_display().lower()
        stray = [f"An experiment on the {kind} has no prices: take them out of its arms."]
        return Verdict(stray if draft.asked else [])
    _lock_starts()
    complaints = [*_of_terms(draft), *_of_layers(experiment)]
    if complaints:
        return Verdict(complaints)
    reaches = reach_of_arms(experiment, now=now)
    complaints = [*_of_size(draft, now), *_of_reaches(reaches)]
    return Verdict(complaints, needs_second=any(map(approval.needs_second, reaches.values())))


def reach_of_arms(experiment: Experiment, *, now: datetime) -> Mapping[str, Reach]:
    """How far the prices of each arm but the control are from what everybody is asked, by the arm's code."""
    draft = _Draft.read(experiment)
    at = max(experiment.starts_at or now, now)
    before = pricing.everywhere(_titles(draft), at=at)
    return {
        arm.code: measuring.compared([(before, _in_arm(before, draft.asked.get(arm.id, {})))])
        for arm in draft.arms
        if not arm.is_control
    }


def as_asked(experiment: Experiment) -> Sequence[object]:
    """Everything that somebody agrees to with an experiment, to tell whether it is what they were shown.

    It has the moment at which it was asked for: before it can differ in anything else it is asked for again.
    """
    draft = _Draft.read(experiment)
    layer = experiment.layer
    return (
        experiment.id,
        experiment.asked_at,
        (experiment.code, experiment.question, experiment.varies),
        (layer.id, layer.holdout_parts_per_million, experiment.slice_from, experiment.slice_to),
        settings.EXPERIMENT_HOLDOUT_PARTS_PER_MILLION,
        (experiment.new_viewers_only, experiment.horizon_hours, experiment.planned_viewers),
        [
            (arm.code, arm.share_parts_per_million, arm.is_control, _in_order(draft.of(arm)))
            for arm in draft.arms
        ],
    )


@dataclass(frozen=True)
class _Draft:
    """An experiment's arms and what they ask: arm → series, None for every other → adjustment."""

    varies: str
    arms: Sequence[Arm]
    asked: arm_terms.Asked
    adjustments: Mapping[UUID, Adjustment]

    @classmethod
    def read(cls, experiment: Experiment) -> "_Draft":
        asked = arm_terms.read(experiment.id)
        used = {one for by_series in asked.values() for one in by_series.values()}
        rows = PriceAdjustment.objects.in_bulk(used)
        return cls(
            varies=experiment.varies,
            arms=list(experiment.arms.order_by("code")),
            asked=asked,
            adjustments={key: pricing.adjustment_of(row) for key, row in rows.items()},
        )

    def of(self, arm: Arm) -> Mapping[UUID | None, Adjustment]:
        return {
            series_id: self.adjustments[adjustment_id]
            for series_id, adjustment_id in self.asked.get(arm.id, {}).items()
        }


def _in_order(asked: Mapping[UUID | None, Adjustment]) -> Sequence[tuple[str, Adjustment]]:
    return sorted(((str(series_id), one) for series_id, one in asked.items()), key=itemgetter(0))


def _of_terms(draft: _Draft) -> Iterator[str]:
    for arm in draft.arms:
        asked = draft.of(arm)
        if arm.is_control and asked:
            yield (
                f"The control {arm} is asked what everybody is asked: take its price out, or make another "
                "arm the control."
            )
        elif not arm.is_control and not asked:
            yield f"The arm {arm} does not say what it asks."
        for adjustment in set(asked.values()):
            yield from _of_adjustment(draft.varies, arm, adjustment)
    for place, arm in enumerate(draft.arms):
        for other in draft.arms[place + 1 :]:
            if draft.of(arm) and draft.of(arm) == draft.of(other):
                yield f"The arms {arm} and {other} ask the same: there is nothing to compare."


def _of_adjustment(varies: str, arm: Arm, adjustment: Adjustment) -> Iterator[str]:
    price = AdjustedPrice(
        free_count=adjustment.free_count,
        price_coins=adjustment.price_coins,
        scale_parts_per_million=adjustment.scale_parts_per_million,
    )
    yield from checks.of_adjustment(price, f"Arm {arm}: ")
    is_other_price = (price.price_coins, price.scale_parts_per_million) != (None, None)
    if varies == Varies.FREE_COUNT and is_other_price:
        yield (
            f"Arm {arm}: an experiment on free episodes leaves the price as it is. Nobody could tell which "
            "of the two it was."
        )
    if varies == Varies.PRICE and price.free_count is not None:
        yield (
            f"Arm {arm}: an experiment on the price leaves the free episodes as they are. Nobody could "
            "tell which of the two it was."
        )


def _lock_starts() -> None:
    """One experiment on prices starts at a time: a layer's own lock does not see the other layers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('payments.desk.experiments'))")


def _of_layers(experiment: Experiment) -> Iterator[str]:
    others = Experiment.objects.filter(state=ExperimentState.RUNNING, varies__in=ON_PRICES).exclude(
        layer=experiment.layer_id
    )
    if others.values("layer").distinct().count() >= MAXIMUM_PRICE_LAYERS:
        yield (
            f"Experiments on prices run in {MAXIMUM_PRICE_LAYERS} other layers already: put this one into "
            "one of those, or end one first."
        )


def _of_size(draft: _Draft, now: datetime) -> Iterator[str]:
    """What an arm would make of the usual price, where that is far from it."""
    usual = usual_price.counted_coins(at=now)
    if usual is None:
        return
    for arm in draft.arms:
        asked = [
            Terms(0, int(usual)).adjusted([adjustment]).ladder().price_after
            for adjustment in draft.of(arm).values()
        ]
        try:
            checks.refuse_far_off([price_coins for price_coins in asked if price_coins], now=now)
        except checks.ContentRefused as refusal:
            yield f"Arm {arm}: {refusal}"


def _of_reaches(reaches: Mapping[str, Reach]) -> Iterator[str]:
    for code, reach in reaches.items():
        if reach.titles_count == 0:
            yield f"Arm {code} asks what everybody is asked: no published title costs anything else in it."
        elif reach.given_away_count == reach.titles_count:
            yield f"In arm {code} nothing costs anything, so nothing can be compared. Look for a slip."


def _titles(draft: _Draft) -> Sequence[UUID]:
    """The published titles of which some arm says something."""
    published = Series.objects.filter(state=Series.State.PUBLISHED)
    named = {series_id for by_series in draft.asked.values() for series_id in by_series}
    if None not in named:
        published = published.filter(id__in=named)
    return list(published.values_list("id", flat=True))


def _in_arm(before: Prices, asked: Mapping[UUID | None, UUID]) -> Prices:
    """What an arm asks instead: its adjustment comes after a place's and before promotions."""
    return {
        series_id: replace(
            price,
            adjusting=replace(price.adjusting, in_arm=asked.get(series_id) or asked.get(None)),
        )
        for series_id, price in before.items()
    }
