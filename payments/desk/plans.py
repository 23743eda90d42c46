"""Which series a plan prices, and how each plan stands at a moment."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery

from catalog.models import Series
from config import many_rows
from config.ids import uuid7
from payments.models import AssignmentSource, PlanAssignment, PricePlan, PriceVersion


def assign(
    *,
    plan: PricePlan,
    series_ids: Collection[UUID],
    effective_from: datetime,
    now: datetime,
    source: AssignmentSource = AssignmentSource.OPERATOR,
    operator_id: int | None = None,
    change_id: UUID | None = None,
) -> None:
    """Prices these series by `plan` from a moment on, whatever prices them before.

    What was quoted before is honoured until the quote ends.
    """
    assign_each(
        dict.fromkeys(series_ids, plan.id),
        effective_from=effective_from,
        now=now,
        source=source,
        operator_id=operator_id,
        change_id=change_id,
    )


def assign_each(
    plan_of: Mapping[UUID, UUID],
    *,
    effective_from: datetime,
    now: datetime,
    source: AssignmentSource = AssignmentSource.OPERATOR,
    operator_id: int | None = None,
    change_id: UUID | None = None,
    instead_of_id: UUID | None = None,
    rule_of: Mapping[UUID, UUID] | None = None,
) -> None:
    """Prices each series by the plan that is beside it, as `assign` does.

    `instead_of_id` is a change that is rolled back by it.
    """
    series_ids = list(plan_of)
    many_rows.add(
        PlanAssignment,
        {
            # Of two of one moment the greater id counts: they come from the one place.
            "id": [uuid7() for _ in series_ids],
            "series": series_ids,
            "plan": list(plan_of.values()),
            "rule": [(rule_of or {}).get(one) for one in series_ids],
        },
        same={
            "effective_from": effective_from,
            "source": source,
            "created_at": now,
            "created_by": operator_id,
            "change": change_id,
            "instead_of": instead_of_id,
        },
    )


def assigned(plan: PricePlan, *, at: datetime) -> QuerySet[PlanAssignment]:
    """The assignments by which `plan` prices series at a moment, one a series."""
    return in_force(at=at).filter(plan=plan)


def priced_by(plan: PricePlan, *, at: datetime) -> QuerySet[Series]:
    """The published series that a plan prices at a moment; the default plan prices all others too, and
    those of plans without a price."""
    published: QuerySet[Series] = Series.objects.filter(state=Series.State.PUBLISHED)
    if plan.is_default:
        begun = PriceVersion.objects.filter(effective_from__lte=at, cancelled_at=None)
        elsewhere = in_force(at=at).exclude(plan=plan).filter(plan__in=begun.values("plan"))
        return published.exclude(id__in=elsewhere.values("series_id"))
    return published.filter(id__in=assigned(plan, at=at).values("series_id"))


def in_force(*, at: datetime) -> QuerySet[PlanAssignment]:
    """The assignments that hold at a moment, one a series."""
    later = PlanAssignment.objects.filter(
        series_id=OuterRef("series_id"), effective_from__lte=at, cancelled_at=None
    ).order_by("-effective_from", "-id")
    return PlanAssignment.objects.filter(id=Subquery(later.values("id")[:1]))


def with_standing(plans: QuerySet[PricePlan], *, at: datetime) -> QuerySet[PricePlan]:
    """Adds to each plan the `free_count` and `price_coins` in force at a moment (None before its
    first version), `changes_at` of the next version, and the number of assigned series.
    """
    begun = PriceVersion.objects.filter(
        plan=OuterRef("pk"), effective_from__lte=at, cancelled_at=None
    )
    ahead = PriceVersion.objects.filter(
        plan=OuterRef("pk"), effective_from__gt=at, cancelled_at=None
    )
    assigned = in_force(at=at).filter(plan=OuterRef("pk")).order_by().values("plan")
    standing = begun.order_by("-effective_from")
    return plans.annotate(
        free_count=Subquery(standing.values("free_count")[:1]),
        price_coins=Subquery(standing.values("base_price_coins")[:1]),
        changes_at=Subquery(ahead.order_by("effective_from").values("effective_from")[:1]),
        assigned_count=Subquery(assigned.annotate(number=Count("pk")).values("number")),
    )
