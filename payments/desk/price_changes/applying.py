"""Making a change: the rows by which it takes effect, at once or when its moment comes.

A row of a later moment is the schedule; nothing has to happen at that moment.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Max, QuerySet

from config import many_rows
from payments.desk import plans, price_versions, promotions
from payments.desk.price_changes.contents import (
    Campaign,
    MoveSeries,
    Opened,
    PriceTable,
    TermsContent,
)
from payments.desk.price_changes.contents import NewVersion as NewVersionContent
from payments.desk.price_versions import NewVariant, NewVersion
from payments.models import (
    ChangeState,
    PlanAssignment,
    PriceChange,
    PricePlan,
    PriceVersion,
    Promotion,
)
from payments.prices import pricing
from payments.prices.terms import Rental

_OWN_PLANS = """
    INSERT INTO payments_priceplan (id, name, is_default, own_series_id, created_at)
    SELECT uuidv7(), left(external_id, 80) || ' ' || right(replace(id::text, '-', ''), 12), false, id,
        %(now)s
    FROM catalog_series AS series
    WHERE id = ANY(%(series)s::uuid[])
        AND NOT EXISTS (SELECT FROM payments_priceplan WHERE own_series_id = series.id)
"""


def apply(opened: Opened, *, now: datetime) -> datetime:
    """Adds the rows of a change and returns the moment from which they hold, `now` or later.

    The caller has checked it and holds a transaction.
    """
    change, content = opened.change, opened.content
    effective_from = max(change.effective_from or now, now)
    if isinstance(content, NewVersionContent):
        _add_version(change, content, effective_from, now)
    elif isinstance(content, MoveSeries):
        _assign(opened, content.plan_id, effective_from, now)
    elif isinstance(content, PriceTable):
        _apply_table(change, content, effective_from, now)
    else:
        _start(opened, content, effective_from, now)
    return effective_from


def undo(change: PriceChange, *, now: datetime) -> None:
    """Has everything cost what it would cost without the change, from now on.

    What was never in force is cancelled; a promotion is stopped; a version or a plan that is in force
    gives way to a copy of the latest that was not rolled back itself. Later changes of the same plans or
    titles stay. The caller holds a transaction, and nobody else makes a change meanwhile.
    """
    Promotion.objects.filter(change=change, stopped_at=None).update(stopped_at=now)
    for rows in (PriceVersion.objects, PlanAssignment.objects):
        rows.filter(change=change, cancelled_at=None, effective_from__gt=now).update(
            cancelled_at=now
        )
    _assign_as_before(change, now)
    _price_as_before(change, now)


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
    with connection.cursor() as cursor:
        cursor.execute(_OWN_PLANS, {"series": many_rows.array(series_ids), "now": now})
    found = PricePlan.objects.filter(many_rows.among("own_series_id", series_ids))
    return dict(found.values_list("own_series_id", "id"))


def _start(opened: Opened, content: Campaign, starts_at: datetime, now: datetime) -> None:
    promotions.start(
        name=opened.change.name,
        series_ids=opened.series_ids,
        starts_at=starts_at,
        ends_at=content.ends_at,
        adjustment=content.price.adjustment,
        regions=content.regions,
        platforms=content.platforms,
        now=now,
        operator_id=opened.change.asked_by_id,
        change_id=opened.change.id,
    )


def _assign(opened: Opened, plan_id: UUID, effective_from: datetime, now: datetime) -> None:
    plans.assign(
        plan=PricePlan.objects.get(id=plan_id),
        series_ids=opened.series_ids,
        effective_from=effective_from,
        now=now,
        operator_id=opened.change.asked_by_id,
        change_id=opened.change.id,
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
    assigned = change.assignments.filter(cancelled_at=None).values("series")
    of_titles = PlanAssignment.objects.filter(series__in=assigned)
    default = PricePlan.objects.get(is_default=True).id
    plan_of = _before(of_titles, change, now, of="series_id", what="plan_id")
    plans.assign_each(
        {series_id: plan_id or default for series_id, plan_id in plan_of.items()},
        effective_from=now,
        now=now,
        operator_id=change.ended_by_id,
        instead_of_id=change.id,
    )


def _price_as_before(change: PriceChange, now: datetime) -> None:
    """Plans that this change's version prices ask again what they asked before it."""
    version_of = _versions_before(change, now)
    versions = (
        PriceVersion.objects.filter(id__in=version_of.values())
        .select_related("bundle_adjustment", "rental_adjustment")
        .prefetch_related("steps", "episode_prices", "variants__adjustment")
        .in_bulk()
    )
    latest = change.versions.filter(cancelled_at=None).aggregate(at=Max("effective_from"))["at"]
    price_versions.add_many(
        [_copy(versions[version_id], plan_id) for plan_id, version_id in version_of.items()],
        # No two versions of a plan begin at one moment, not even at that of a rash change.
        effective_from=max(now, latest + timedelta(microseconds=1)) if latest else now,
        now=now,
        created_by_id=change.ended_by_id,
        instead_of_id=change.id,
    )


def _versions_before(change: PriceChange, now: datetime) -> Mapping[UUID, UUID]:
    """The version that each plan would ask without the change, where the change is what it asks.

    Without any, the default plan prices its titles: that plan's. The only title of a plan of its own has
    gone back to another.
    """
    changed = change.versions.filter(cancelled_at=None).values("plan")
    version_of = _before(
        PriceVersion.objects.filter(plan__in=changed), change, now, of="plan_id", what="id"
    )
    bare = PricePlan.objects.filter(
        id__in=[plan_id for plan_id, version_id in version_of.items() if version_id is None],
        own_series=None,
        is_default=False,
    )
    begun = PriceVersion.objects.filter(
        plan__is_default=True, effective_from__lte=now, cancelled_at=None
    )
    default = begun.latest("effective_from").id
    return {
        one: version_id for one, version_id in version_of.items() if version_id
    } | dict.fromkeys(bare.values_list("id", flat=True), default)


def _before(
    rows: QuerySet[PriceVersion] | QuerySet[PlanAssignment],
    change: PriceChange,
    now: datetime,
    *,
    of: str,
    what: str,
) -> Mapping[UUID, UUID | None]:
    """What plans, or titles, go back to where the change is what they ask: the latest that was said of
    them by itself, and by no change that was rolled back. None where there is none.

    What rollbacks wrote only repeats such a row, whatever the order in which changes are taken back.
    """
    begun = rows.filter(effective_from__lte=now, cancelled_at=None)
    latest_first = begun.order_by("-effective_from", "-id")
    found: dict[UUID, UUID | None] = {}
    settled: set[UUID] = set()
    for one, said, change_id, state, instead_of_id in latest_first.values_list(
        of, what, "change_id", "change__state", "instead_of_id"
    ):
        if one in settled:
            continue
        if instead_of_id or change_id == change.id or state == ChangeState.ROLLED_BACK:
            found[one] = None
            continue
        settled.add(one)
        if one in found:
            found[one] = said
    return found


def _copy(version: PriceVersion, plan_id: UUID) -> NewVersion:
    """A version of a plan that asks the same."""
    bundle, rental = version.bundle_adjustment, version.rental_adjustment
    return NewVersion(
        plan_id,
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
