"""Plans for titles that arrive all day: chosen by rule, and a queue of those that somebody should see."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from catalog.models import Episode, Series
from payments.desk import plans
from payments.models import (
    AssignmentSource,
    ExceptionReason,
    PlanAssignment,
    PlanRule,
    PriceException,
    PriceVersion,
)
from payments.prices import pricing, usual_price


def price_published(series_ids: Collection[UUID], *, now: datetime) -> None:
    """Gives titles that have just been published the plan of the first rule that fits them.

    One that has had a plan, or is scheduled for one, keeps it. What no rule fits, or what comes out far from
    what titles usually cost lately, is priced all the same and joins the queue. Part of the publication's own transaction: no title
    is seen at another price first.
    """
    had = PlanAssignment.objects.filter(series_id__in=series_ids, cancelled_at=None)
    new = Series.objects.filter(id__in=series_ids).exclude(id__in=had.values("series_id"))
    rule_of = _chosen(new)
    plans.assign_each(
        {series_id: rule.plan_id for series_id, rule in rule_of.items()},
        effective_from=now,
        now=now,
        source=AssignmentSource.RULE,
        rule_of={series_id: rule.id for series_id, rule in rule_of.items()},
    )
    _queue(series_ids, _unruled(new, rule_of), now)


def fitting(rule: PlanRule, series: QuerySet[Series]) -> QuerySet[Series]:
    """Those of some titles that a rule fits."""
    if rule.genre:
        series = series.filter(genre=rule.genre)
    if rule.original_locale:
        series = series.filter(original_locale=rule.original_locale)
    if rule.provenance_kind:
        series = series.filter(provenance_kind=rule.provenance_kind)
    if rule.minimum_episodes is None and rule.maximum_episodes is None:
        return series
    published = Count("episodes", filter=Q(episodes__state=Episode.State.PUBLISHED))
    series = series.annotate(published_episodes=published)
    if rule.minimum_episodes is not None:
        series = series.filter(published_episodes__gte=rule.minimum_episodes)
    if rule.maximum_episodes is not None:
        series = series.filter(published_episodes__lte=rule.maximum_episodes)
    return series


def settle(exception_id: UUID, *, operator_id: int, now: datetime) -> None:
    """An operator has looked at a title's price and lets it be."""
    PriceException.objects.filter(id=exception_id, settled_at=None).update(
        settled_at=now, settled_by_id=operator_id
    )


def _chosen(series: QuerySet[Series]) -> Mapping[UUID, PlanRule]:
    """The first rule that fits each, a query a rule."""
    chosen: dict[UUID, PlanRule] = {}
    for rule in PlanRule.objects.filter(is_active=True).order_by("-position"):
        for series_id in fitting(rule, series).values_list("id", flat=True):
            chosen[series_id] = rule
    return chosen


def _unruled(series: QuerySet[Series], rule_of: Mapping[UUID, PlanRule]) -> Sequence[UUID]:
    """Titles without a rule, where there are rules at all."""
    if not PlanRule.objects.filter(is_active=True).exists():
        return []
    return [one for one in series.values_list("id", flat=True) if one not in rule_of]


def _queue(series_ids: Collection[UUID], unruled: Sequence[UUID], now: datetime) -> None:
    found = [(one, ExceptionReason.NO_RULE) for one in unruled]
    found += [(one, ExceptionReason.FAR_OFF) for one in _far_off(series_ids, now)]
    found += [(one, ExceptionReason.NO_VERSION) for one in _without_version(series_ids, now)]
    PriceException.objects.bulk_create(
        [
            PriceException(series_id=series_id, reason=reason, found_at=now)
            for series_id, reason in found
        ],
        ignore_conflicts=True,
    )


def _far_off(series_ids: Collection[UUID], now: datetime) -> Sequence[UUID]:
    usual = usual_price.remembered_coins(at=now)
    if usual is None:
        return []
    low, high = usual / settings.PRICE_GUARD_TIMES, usual * settings.PRICE_GUARD_TIMES
    version_of = pricing.versions_in_force(series_ids, at=now)
    base_of = dict(
        PriceVersion.objects.filter(id__in=set(version_of.values())).values_list(
            "id", "base_price_coins"
        )
    )
    return [one for one, version_id in version_of.items() if not low < base_of[version_id] < high]


def _without_version(series_ids: Collection[UUID], now: datetime) -> Sequence[UUID]:
    """Titles whose plan has never had a price in force."""
    priced = PriceVersion.objects.filter(effective_from__lte=now, cancelled_at=None).values("plan")
    bare = plans.in_force(at=now).filter(series_id__in=series_ids).exclude(plan__in=priced)
    return list(bare.values_list("series_id", flat=True))
