"""Writing price versions: rows that are added and never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction

from config import many_rows
from config.ids import uuid7
from payments.models import EpisodePrice, PriceAdjustment, PricePlan, PriceStep, PriceVariant
from payments.models import PriceVersion as Version
from payments.prices.terms import Adjustment, Rental, Terms


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
    (version_id,) = add_many(
        [NewVersion(plan.id, terms, bundle=bundle, rental=rental)],
        effective_from=effective_from,
        now=now,
        created_by_id=created_by_id,
    )
    return Version.objects.get(id=version_id)


def add_many(
    drafts: Sequence[NewVersion],
    *,
    effective_from: datetime,
    now: datetime,
    created_by_id: int | None = None,
    change_id: UUID | None = None,
    instead_of_id: UUID | None = None,
) -> Sequence[UUID]:
    """Gives plans new prices from one moment on, all or none, in a handful of statements, and returns the
    ids of the versions.

    `instead_of_id` is a change that is rolled back by it. Raises django.db.IntegrityError as `add` does.
    """
    version_ids = [uuid7() for _ in drafts]
    pairs = list(zip(version_ids, drafts, strict=True))
    with transaction.atomic():
        bundles = _add_some([draft.bundle for draft in drafts], now)
        rentals = _add_some(
            [draft.rental.adjustment if draft.rental else None for draft in drafts], now
        )
        many_rows.add(
            Version,
            {
                "id": version_ids,
                "plan": [draft.plan_id for draft in drafts],
                "free_count": [draft.terms.free_count for draft in drafts],
                "base_price_coins": [draft.terms.base_price_coins for draft in drafts],
                "bundle_adjustment": bundles,
                "rental_adjustment": rentals,
                "rental_seconds": [
                    draft.rental.seconds if draft.rental else None for draft in drafts
                ],
            },
            same={
                "effective_from": effective_from,
                "created_at": now,
                "created_by": created_by_id,
                "change": change_id,
                "instead_of": instead_of_id,
            },
        )
        _add_prices(EpisodePrice, [(one, draft.terms.overrides) for one, draft in pairs])
        _add_prices(PriceStep, [(one, draft.terms.steps) for one, draft in pairs])
        _add_variants(pairs, now)
    return version_ids


def _add_some(adjustments: Sequence[Adjustment | None], now: datetime) -> Sequence[UUID | None]:
    """A row for each that is one, by its id."""
    ids = iter(_add_adjustments([one for one in adjustments if one is not None], now))
    return [None if one is None else next(ids) for one in adjustments]


def _add_adjustments(adjustments: Sequence[Adjustment], now: datetime) -> Sequence[UUID]:
    ids = [uuid7() for _ in adjustments]
    many_rows.add(
        PriceAdjustment,
        {
            "id": ids,
            "free_count": [one.free_count for one in adjustments],
            "price_coins": [one.price_coins for one in adjustments],
            "scale_parts_per_million": [one.scale_parts_per_million for one in adjustments],
        },
        same={"created_at": now},
    )
    return ids


def _add_prices(
    model: type[EpisodePrice] | type[PriceStep], prices_of: Sequence[tuple[UUID, Mapping[int, int]]]
) -> None:
    """The prices of versions by episode number."""
    many_rows.add(
        model,
        {
            "version": [one for one, prices in prices_of for _ in prices],
            "number": [number for _, prices in prices_of for number in prices],
            "price_coins": [coins for _, prices in prices_of for coins in prices.values()],
        },
    )


def _add_variants(pairs: Sequence[tuple[UUID, NewVersion]], now: datetime) -> None:
    variants = [
        (version_id, position, variant)
        for version_id, draft in pairs
        for position, variant in enumerate(draft.variants)
    ]
    adjusting = _add_adjustments([variant.adjustment for *_, variant in variants], now)
    PriceVariant.objects.bulk_create(
        [
            PriceVariant(
                version_id=version_id,
                position=position,
                regions=list(variant.regions),
                platforms=list(variant.platforms),
                adjustment_id=adjustment_id,
            )
            for (version_id, position, variant), adjustment_id in zip(
                variants, adjusting, strict=True
            )
        ],
        batch_size=many_rows.AT_ONCE,
    )


def adjustment_row(adjustment: Adjustment, *, now: datetime) -> PriceAdjustment:
    """A row for an adjustment, unsaved."""
    return PriceAdjustment(
        free_count=adjustment.free_count,
        price_coins=adjustment.price_coins,
        scale_parts_per_million=adjustment.scale_parts_per_million,
        created_at=now,
    )
