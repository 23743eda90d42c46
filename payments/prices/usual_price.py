"""What an episode usually costs: what odd prices are measured against."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from statistics import median
from uuid import UUID

from django.core.cache import caches
from django.db.models import Count, QuerySet

from catalog.models import Series
from payments.models import PlanAssignment, PriceVersion

REMEMBERED_SECONDS = 3_600


def counted_coins(*, at: datetime) -> Fraction | None:
    """The median over published titles of what an episode after the free ones costs.

    Three queries, each of them one pass: titles are counted by their plan.
    """
    published = Series.objects.filter(state=Series.State.PUBLISHED).count()
    titles_of = _titles_by_plan(at)
    titles_at: Counter[int] = Counter()
    default_price_coins = None
    for plan_id, is_default, price_coins in _begun(at).values_list(
        "plan_id", "plan__is_default", "base_price_coins"
    ):
        if is_default:
            default_price_coins = price_coins
        else:
            titles_at[price_coins] += titles_of.get(plan_id, 0)
    if default_price_coins is not None:
        titles_at[default_price_coins] += published - titles_at.total()
    return Fraction(median(titles_at.elements())) if titles_at.total() else None


def remembered_coins(*, at: datetime) -> Fraction | None:
    """The same, as it was at some moment of this hour: in a publication nobody counts every title."""
    key = f"payments.usual_price.{at:%Y%m%d%H}"
    usual: Fraction | None = caches["local"].get(key)
    if usual is None:
        usual = counted_coins(at=at)
        caches["local"].set(key, usual, REMEMBERED_SECONDS)
    return usual


def _titles_by_plan(at: datetime) -> Mapping[UUID, int]:
    """How many published titles are assigned to each plan."""
    latest = (
        PlanAssignment.objects.filter(effective_from__lte=at, cancelled_at=None)
        .order_by("series_id", "-effective_from", "-id")
        .distinct("series_id")
    )
    standing = PlanAssignment.objects.filter(
        id__in=latest.values("id"), series__state=Series.State.PUBLISHED
    )
    return dict(standing.order_by().values_list("plan_id").annotate(Count("id")))


def _begun(at: datetime) -> QuerySet[PriceVersion]:
    """The version in force of each plan."""
    return (
        PriceVersion.objects.filter(effective_from__lte=at, cancelled_at=None)
        .order_by("plan_id", "-effective_from")
        .distinct("plan_id")
    )
