"""Which series a plan prices, and how each plan stands at a moment."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery

from payments.models import PlanAssignment, PricePlan, PriceVersion


def assign(*, plan: PricePlan, series_ids: Collection[UUID]) -> None:
    """Prices these series by `plan` from now on, whatever priced them before.

    What was quoted before is honoured until the quote ends.
    """
    if plan.is_default:
        PlanAssignment.objects.filter(series_id__in=series_ids).delete()
        return
    PlanAssignment.objects.bulk_create(
        [PlanAssignment(plan=plan, series_id=series_id) for series_id in series_ids],
        update_conflicts=True,
        unique_fields=["series"],
        update_fields=["plan"],
    )


def release(*, plan: PricePlan, series_ids: Collection[UUID]) -> None:
    """Prices these series of `plan` by the default plan again."""
    PlanAssignment.objects.filter(plan=plan, series_id__in=series_ids).delete()


def with_standing(plans: QuerySet[PricePlan], *, at: datetime) -> QuerySet[PricePlan]:
    """Adds to each plan the `free_count` and `price_coins` in force at a moment (None before its
    first version), `changes_at` of the next version, and the number of assigned series.
    """
    begun = PriceVersion.objects.filter(plan=OuterRef("pk"), effective_from__lte=at)
    ahead = PriceVersion.objects.filter(plan=OuterRef("pk"), effective_from__gt=at)
    assigned = PlanAssignment.objects.filter(plan=OuterRef("pk")).order_by().values("plan")
    in_force = begun.order_by("-effective_from")
    return plans.annotate(
        free_count=Subquery(in_force.values("free_count")[:1]),
        price_coins=Subquery(in_force.values("base_price_coins")[:1]),
        changes_at=Subquery(ahead.order_by("effective_from").values("effective_from")[:1]),
        assigned_count=Subquery(assigned.annotate(number=Count("pk")).values("number")),
    )
