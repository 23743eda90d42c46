"""Writing price versions: rows that are added and never changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Manager, Model

from payments.models import EpisodePrice, PriceAdjustment, PricePlan, PriceStep, PriceVariant
from payments.models import PriceVersion as Version
from payments.prices.terms import Adjustment, Rental, Terms

_AT_ONCE = 5_000


@dataclass(frozen=True)
class NewVariant:
    """Where a version's price will differ, and how. Nothing said is everywhere."""

    regions: Sequence[str]
    platforms: Sequence[str]
    adjustment: Adjustment


@dataclass(frozen=True)
class NewVersion:
    """What a plan will ask. Of the variants, the first that fits a viewer counts.

    `bundle` is how every price differs when the rest of a series is bought at once; without it, and
    without `rental`, neither is on offer.
    """

    plan_id: UUID
    terms: Terms
    variants: Sequence[NewVariant] = field(default_factory=list)
    bundle: Adjustment | None = None
    rental: Rental | None = None


def add(
    *,
    plan: PricePlan,
    effective_from: datetime,
    free_count: int,
    base_price_coins: int,
    now: datetime,
    overrides: Mapping[int, int] | None = None,
    steps: Mapping[int, int] | None = None,
    bundle: Adjustment | None = None,
    rental: Rental | None = None,
    created_by_id: int | None = None,
) -> Version:
    """Gives a plan a new price from `effective_from` on, and leaves every older version as it was.

    Raises django.db.IntegrityError if the plan has a version for that very moment, or a number is
    out of bounds.
    """
    terms = Terms(
        free_count=free_count,
        base_price_coins=base_price_coins,
        steps=steps or {},
        overrides=overrides or {},
    )
    (version,) = add_many(
        [NewVersion(plan.id, terms, bundle=bundle, rental=rental)],
        effective_from=effective_from,
        now=now,
        created_by_id=created_by_id,
    )
    return version


def add_many(
    drafts: Sequence[NewVersion],
    *,
    effective_from: datetime,
    now: datetime,
    created_by_id: int | None = None,
    change_id: UUID | None = None,
    instead_of_id: UUID | None = None,
) -> Sequence[Version]:
    """Gives plans new prices from one moment on, all or none, in a handful of statements.

    `instead_of_id` is a change that is rolled back by it. Raises django.db.IntegrityError as `add` does.
    """
    versions = [
        Version(
            plan_id=draft.plan_id,
            effective_from=effective_from,
            free_count=draft.terms.free_count,
            base_price_coins=draft.terms.base_price_coins,
            bundle_adjustment=adjustment_row(draft.bundle, now=now) if draft.bundle else None,
            rental_adjustment=(
                adjustment_row(draft.rental.adjustment, now=now) if draft.rental else None
            ),
            rental_seconds=draft.rental.seconds if draft.rental else None,
            created_at=now,
            created_by_id=created_by_id,
            change_id=change_id,
            instead_of_id=instead_of_id,
        )
        for draft in drafts
    ]
    pairs = list(zip(versions, drafts, strict=True))
    variants = list(_variants(pairs, now))
    of_ways = [
        row
        for version in versions
        for row in (version.bundle_adjustment, version.rental_adjustment)
        if row is not None
    ]
    rows: Sequence[tuple[Manager[Any], Sequence[Model]]] = [
        (PriceAdjustment.objects, [*of_ways, *(variant.adjustment for variant in variants)]),
        (Version.objects, versions),
        (EpisodePrice.objects, list(_overrides(pairs))),
        (PriceStep.objects, list(_steps(pairs))),
        (PriceVariant.objects, variants),
    ]
    with transaction.atomic():
        for manager, made in rows:
            manager.bulk_create(made, batch_size=_AT_ONCE)
    return versions


_Pairs = Sequence[tuple[Version, NewVersion]]


def _overrides(pairs: _Pairs) -> Iterator[EpisodePrice]:
    for version, draft in pairs:
        for number, price_coins in sorted(draft.terms.overrides.items()):
            yield EpisodePrice(version=version, number=number, price_coins=price_coins)


def _steps(pairs: _Pairs) -> Iterator[PriceStep]:
    for version, draft in pairs:
        for number, price_coins in sorted(draft.terms.steps.items()):
            yield PriceStep(version=version, number=number, price_coins=price_coins)


def _variants(pairs: _Pairs, now: datetime) -> Iterator[PriceVariant]:
    for version, draft in pairs:
        for place, variant in enumerate(draft.variants):
            yield PriceVariant(
                version=version,
                position=place,
                regions=list(variant.regions),
                platforms=list(variant.platforms),
                adjustment=adjustment_row(variant.adjustment, now=now),
            )


def adjustment_row(adjustment: Adjustment, *, now: datetime) -> PriceAdjustment:
    """A row for an adjustment, unsaved."""
    return PriceAdjustment(
        free_count=adjustment.free_count,
        price_coins=adjustment.price_coins,
        scale_parts_per_million=adjustment.scale_parts_per_million,
        created_at=now,
    )
