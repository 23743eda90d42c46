"""Making a change: the rows by which it takes effect, at once or when its moment comes.

A row of a later moment is the schedule; nothing has to happen at that moment.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, OuterRef, Subquery, UUIDField
from django.db.models.functions import Coalesce

from catalog.models import Series
from payments.desk import plans, price_versions, promotions
from payments.desk.price_changes import contents
from payments.desk.price_changes.contents import Campaign, MoveSeries, PriceTable, TermsContent
from payments.desk.price_changes.contents import NewVersion as NewVersionContent
from payments.desk.price_versions import NewVariant, NewVersion
from payments.models import (
    PlanAssignment,
    PriceChange,
    PricePlan,
    PriceVersion,
    Promotion,
)
from payments.prices import pricing
from payments.prices.terms import Rental


def apply(change: PriceChange, *, now: datetime) -> datetime:
    """Adds the rows of a change and returns the moment from which they hold, `now` or later.

    The caller has checked it and holds a transaction.
    """
    effective_from = max(change.effective_from or now, now)
    content = contents.read(change.content)
    if isinstance(content, NewVersionContent):
        _add_version(change, content, effective_from, now)
    elif isinstance(content, MoveSeries):
        _assign(change, content.plan_id, series_of(change), effective_from, now)
    elif isinstance(content, PriceTable):
        _apply_table(change, content, effective_from, now)
    else:
        _start(change, content, effective_from, now)
    return effective_from


def undo(change: PriceChange, *, now: datetime) -> None:
    """Has everything cost what it would cost without the change, from now on.

    What was never in force is cancelled; a promotion is stopped; a version or a plan that is in force
    gives way to a copy of what came before it. Later changes of the same plans or titles stay. The
    caller holds a transaction.
    """
    Promotion.objects.filter(change=change, stopped_at=None).update(stopped_at=now)
    for rows in (PriceVersion.objects, PlanAssignment.objects):
        rows.filter(change=change, cancelled_at=None, effective_from__gt=now).update(
            cancelled_at=now
        )
    _assign_as_before(change, now)
    _price_as_before(change, now)


def series_of(change: PriceChange) -> Collection[UUID]:
    """The titles that a change is about by name; a new version is about its plan's."""
    return list(change.changed_series.values_list("series_id", flat=True))


def _add_version(
    change: PriceChange, content: NewVersionContent, effective_from: datetime, now: datetime
) -> None:
    price_versions.add_many(
        [_draft(content.plan_id, content.terms)],
        effective_from=effective_from,
        now=now,
        created_by_id=change.asked_by_id,
        change_id=change.id,
    )


def _apply_table(
    change: PriceChange, content: PriceTable, effective_from: datetime, now: datetime
) -> None:
    """Every title gets a plan of its own, once, and that plan a version."""
    own = _own_plans(content.rows.keys(), now)
    price_versions.add_many(
        [_draft(own[series_id], terms) for series_id, terms in content.rows.items()],
        effective_from=effective_from,
        now=now,
        created_by_id=change.asked_by_id,
        change_id=change.id,
    )
    plans.assign_each(
        own,
        effective_from=effective_from,
        now=now,
        operator_id=change.asked_by_id,
        change_id=change.id,
    )


def _own_plans(series_ids: Collection[UUID], now: datetime) -> Mapping[UUID, UUID]:
    """The own plan of each series, made where there is none."""
    found = PricePlan.objects.filter(own_series_id__in=series_ids)
    own = {
        series_id: plan_id
        for series_id, plan_id in found.values_list("own_series_id", "id")
        if series_id
    }
    missing = Series.objects.filter(id__in=[one for one in series_ids if one not in own])
    made = PricePlan.objects.bulk_create(
        [
            PricePlan(
                name=f"{series.external_id[:80]} {series.id.hex[-12:]}",
                own_series=series,
                created_at=now,
            )
            for series in missing
        ],
        batch_size=5_000,
    )
    return own | {plan.own_series_id: plan.id for plan in made if plan.own_series_id}


def _start(change: PriceChange, content: Campaign, starts_at: datetime, now: datetime) -> None:
    promotions.start(
        name=change.name,
        series_ids=series_of(change),
        starts_at=starts_at,
        ends_at=content.ends_at,
        adjustment=content.price.adjustment,
        regions=content.regions,
        platforms=content.platforms,
        now=now,
        operator_id=change.asked_by_id,
        change_id=change.id,
    )


def _assign(
    change: PriceChange,
    plan_id: UUID,
    series_ids: Collection[UUID],
    effective_from: datetime,
    now: datetime,
) -> None:
    plans.assign(
        plan=PricePlan.objects.get(id=plan_id),
        series_ids=series_ids,
        effective_from=effective_from,
        now=now,
        operator_id=change.asked_by_id,
        change_id=change.id,
    )


def _draft(plan_id: UUID, content: TermsContent) -> NewVersion:
    return NewVersion(
        plan_id,
        content.terms,
        [
            NewVariant(variant.regions, variant.platforms, variant.adjustment)
            for variant in content.variants
        ],
        bundle=content.bundle.adjustment if content.bundle else None,
        rental=content.rental.rental if content.rental else None,
    )


def _assign_as_before(change: PriceChange, now: datetime) -> None:
    """Titles that this change's assignment prices go back to the plan they had, or to the default."""
    before = (
        PlanAssignment.objects.filter(
            series_id=OuterRef("series_id"),
            effective_from__lte=OuterRef("effective_from"),
            cancelled_at=None,
        )
        .exclude(change=change)
        .order_by("-effective_from", "-id")
    )
    begun = plans.in_force(at=now).filter(change=change)
    default = PricePlan.objects.get(is_default=True).id
    plan_of = dict(
        begun.annotate(before_id=Subquery(before.values("plan_id")[:1])).values_list(
            "series_id", Coalesce("before_id", default, output_field=UUIDField())
        )
    )
    plans.assign_each(plan_of, effective_from=now, now=now, operator_id=change.ended_by_id)


def _price_as_before(change: PriceChange, now: datetime) -> None:
    """Plans that this change's version prices ask again what they asked before it."""
    of_plan = PriceVersion.objects.filter(plan=OuterRef("plan"), cancelled_at=None)
    earlier = of_plan.filter(effective_from__lt=OuterRef("effective_from"))
    begun = of_plan.filter(effective_from__lte=now)
    standing = PriceVersion.objects.filter(change=change).annotate(
        before_id=Subquery(earlier.order_by("-effective_from").values("id")[:1]),
        latest_id=Subquery(begun.order_by("-effective_from").values("id")[:1]),
    )
    undone = standing.filter(latest_id=F("id"), before_id__isnull=False)
    before = PriceVersion.objects.filter(
        id__in=list(undone.values_list("before_id", flat=True))
    ).select_related("bundle_adjustment", "rental_adjustment")
    begun_at = change.effective_from or now
    price_versions.add_many(
        [
            _copy(version)
            for version in before.prefetch_related(
                "steps", "episode_prices", "variants__adjustment"
            )
        ],
        # No two versions of a plan begin at one moment, not even at that of a rash change.
        effective_from=max(now, begun_at + timedelta(microseconds=1)),
        now=now,
        created_by_id=change.ended_by_id,
    )


def _copy(version: PriceVersion) -> NewVersion:
    """A version of the same plan that asks the same."""
    bundle, rental = version.bundle_adjustment, version.rental_adjustment
    return NewVersion(
        version.plan_id,
        pricing.read_terms(version),
        _variants_of(version),
        bundle=pricing.adjustment_of(bundle) if bundle else None,
        rental=(
            Rental(pricing.adjustment_of(rental), version.rental_seconds)
            if rental and version.rental_seconds
            else None
        ),
    )


def _variants_of(version: PriceVersion) -> list[NewVariant]:
    return [
        NewVariant(row.regions, row.platforms, pricing.adjustment_of(row.adjustment))
        for row in version.variants.all()
    ]
