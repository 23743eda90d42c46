"""What a title has asked over time: which plan, which of its versions, and promotions between."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from payments.models import PlanAssignment, PricePlan, PriceVersion, Promotion

Row = TypeVar("Row", PlanAssignment, PriceVersion)


@dataclass(frozen=True)
class Standing:
    """What priced a title from a moment until the next. `assignment` None is the default plan."""

    since: datetime
    plan: PricePlan
    version: PriceVersion
    assignment: PlanAssignment | None


def standings(series_id: UUID) -> Sequence[Standing]:
    """Every price that a title has had without promotions, and those that are scheduled, newest first.

    A handful of queries, however long its history.
    """
    assignments = list(
        PlanAssignment.objects.filter(series_id=series_id, cancelled_at=None)
        .select_related("plan", "change", "rule", "created_by")
        .order_by("effective_from", "id")
    )
    default = PricePlan.objects.get(is_default=True)
    plan_ids = {default.id, *(assignment.plan_id for assignment in assignments)}
    versions = PriceVersion.objects.filter(plan__in=plan_ids, cancelled_at=None)
    by_plan: dict[UUID, list[PriceVersion]] = {plan_id: [] for plan_id in plan_ids}
    for version in versions.select_related("plan", "change", "created_by").order_by(
        "effective_from"
    ):
        by_plan[version.plan_id].append(version)
    found: list[Standing] = []
    for at in _moments(assignments, by_plan.values()):
        standing = _standing(at, assignments, by_plan, default)
        if standing is not None and (not found or _differs(found[-1], standing)):
            found.append(standing)
    return found[::-1]


def promotions_of(series_id: UUID) -> Sequence[Promotion]:
    """The promotions that a title was in or will be in, newest first."""
    found = Promotion.objects.filter(promoted__series_id=series_id)
    return list(found.select_related("adjustment", "change").order_by("-starts_at", "-id"))


def _moments(
    assignments: Iterable[PlanAssignment], versions: Iterable[Iterable[PriceVersion]]
) -> Sequence[datetime]:
    return sorted(
        {row.effective_from for row in assignments}
        | {row.effective_from for rows in versions for row in rows}
    )


def _standing(
    at: datetime,
    assignments: Iterable[PlanAssignment],
    by_plan: Mapping[UUID, Iterable[PriceVersion]],
    default: PricePlan,
) -> Standing | None:
    assignment = _latest(assignments, at)
    plan = assignment.plan if assignment else default
    version = _latest(by_plan[plan.id], at)
    if version is None:
        plan, version = default, _latest(by_plan[default.id], at)
    return Standing(at, plan, version, assignment) if version else None


def _latest(rows: Iterable[Row], at: datetime) -> Row | None:
    """The last of rows in order of their moments that has begun."""
    begun = [row for row in rows if row.effective_from <= at]
    return begun[-1] if begun else None


def _differs(one: Standing, other: Standing) -> bool:
    return (one.version.id, one.assignment) != (other.version.id, other.assignment)
