"""What an episode costs: the price version in force, and its ladder of prices."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery

from catalog.models import Series
from payments.models import EpisodePrice, PlanAssignment, PricePlan, PriceVersion


@dataclass(frozen=True)
class PriceLadder:
    """The price of every episode number under one version, 0 where it is free.

    `prices[n - 1]` is the price of episode n; past its end every episode costs `price_after`.
    """

    version_id: UUID
    prices: tuple[int, ...]
    price_after: int

    def price_of(self, number: int) -> int:
        """The price of episode `number` (1 or more), in coins."""
        return self.prices[number - 1] if number <= len(self.prices) else self.price_after


def version_in_force(*, series_id: UUID, at: datetime) -> PriceVersion:
    """The version that prices a series at a moment: its plan's latest, else the default plan's.

    Raises PriceVersion.DoesNotExist only when the default plan had no version yet.
    """
    assigned = PlanAssignment.objects.filter(series_id=series_id).values("plan_id")
    return _in_force(assigned, at).get()


def versions_in_force(series_ids: Collection[UUID], *, at: datetime) -> Mapping[UUID, UUID]:
    """The ids of the versions that price these series at a moment, in one query.

    A series that nothing prices yet, or that does not exist, is left out.
    """
    assigned = PlanAssignment.objects.filter(series_id=OuterRef(OuterRef("id"))).values("plan_id")
    in_force = _in_force(assigned, at).values("id")
    found = (
        Series.objects.filter(id__in=series_ids)
        .annotate(version_id=Subquery(in_force))
        .exclude(version_id=None)
    )
    return dict(found.values_list("id", "version_id"))


def _in_force(assigned: QuerySet[Any, Any], at: datetime) -> QuerySet[PriceVersion]:
    default = PricePlan.objects.filter(is_default=True).values("id")
    return PriceVersion.objects.filter(
        Q(plan_id=Subquery(assigned)) | Q(plan_id=Subquery(default)), effective_from__lte=at
    ).order_by("plan__is_default", "-effective_from")[:1]


@lru_cache(maxsize=4096)
def ladder(version_id: UUID) -> PriceLadder:
    """The ladder of a version. Versions never change, so the answer is kept for good."""
    version = PriceVersion.objects.prefetch_related("episode_prices").get(id=version_id)
    overrides = {price.number: price.price_coins for price in version.episode_prices.all()}
    return build_ladder(
        version_id=version.id,
        free_count=version.free_count,
        base_price_coins=version.base_price_coins,
        overrides=overrides,
    )


def build_ladder(
    *, version_id: UUID, free_count: int, base_price_coins: int, overrides: dict[int, int]
) -> PriceLadder:
    """The first `free_count` episodes cost 0, the others the base price, overrides win over both."""
    spelled_out = max([free_count, *overrides])
    return PriceLadder(
        version_id=version_id,
        prices=tuple(
            overrides.get(number, 0 if number <= free_count else base_price_coins)
            for number in range(1, spelled_out + 1)
        ),
        price_after=base_price_coins,
    )


def add_version(
    *,
    plan: PricePlan,
    effective_from: datetime,
    free_count: int,
    base_price_coins: int,
    overrides: dict[int, int],
    now: datetime,
    created_by_id: int | None = None,
) -> PriceVersion:
    """Gives a plan a new price from `effective_from` on, and leaves every older version as it was.

    Raises django.db.IntegrityError if the plan has a version for that very moment, or a number is
    out of bounds.
    """
    with transaction.atomic():
        version = PriceVersion.objects.create(
            plan=plan,
            effective_from=effective_from,
            free_count=free_count,
            base_price_coins=base_price_coins,
            created_at=now,
            created_by_id=created_by_id,
        )
        EpisodePrice.objects.bulk_create(_overrides(version, overrides))
    return version


def _overrides(version: PriceVersion, overrides: dict[int, int]) -> Sequence[EpisodePrice]:
    return [
        EpisodePrice(version=version, number=number, price_coins=price)
        for number, price in sorted(overrides.items())
    ]
