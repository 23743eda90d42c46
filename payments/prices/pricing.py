"""What an episode costs a viewer: the price version in force, and what adjusts it for them.

A price is a version and the adjustments that apply, always in this order: the version's variant for
the viewer's region and platform, the link the viewer came by, their arms of the experiments that run (the
oldest first), a promotion. Versions and adjustments never change, so that a quote that names them is a price.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet, Subquery

from catalog.models import Series
from config import many_rows
from config.compiled_queries import CompiledQuery
from payments.models import (
    EpisodePrice,
    LinkArrival,
    PlanAssignment,
    PriceAdjustment,
    PricePlan,
    PriceStep,
    PriceVariant,
    PriceVersion,
    Promotion,
)
from payments.models.prices import MAXIMUM_EPISODE_NUMBER
from payments.prices import arm_terms
from payments.prices.places import NOWHERE, Adjusting, Place, Variant
from payments.prices.terms import Adjustment, PriceLadder, Terms
from viewers.experiments import arms
from viewers.experiments.arms import Assigned
from viewers.experiments.definitions import ArmDefinition, Definition
from viewers.models import Device, Varies, Viewer

NO_DEVICE = UUID(int=0)
#: Experiments that change what an episode costs.
ON_PRICES = (Varies.PRICE, Varies.FREE_COUNT)


@dataclass(frozen=True)
class Fork:
    """An experiment on a price: the viewer's arm, and what adjusts the version in each of its arms."""

    assigned: Assigned
    alternatives: tuple[tuple[UUID, ...], ...]


@dataclass(frozen=True)
class Price:
    """What a viewer is asked for the episodes of a series. `adjustment_ids` are in their order.

    `arm` names the experiments that took part: `experiment:arm`, several with commas. `forks` are what
    else they might have been asked; a quote does not carry that, and two prices do not differ by it.
    `way_adjustment_id` is that of a bundle or a rental, which is never dearer than buying an episode
    alone, whatever else adjusts the price.
    """

    version_id: UUID
    adjustment_ids: tuple[UUID, ...] = ()
    arm: str = ""
    way_adjustment_id: UUID | None = None
    forks: tuple[Fork, ...] = field(default=(), compare=False, repr=False)

    @property
    def ladder(self) -> PriceLadder:
        """The price of every episode."""
        return ladder(self.version_id, self.adjustment_ids, self.way_adjustment_id)

    @property
    def alone(self) -> "Price":
        """What is asked for an episode by itself and for good."""
        return replace(self, way_adjustment_id=None)

    @property
    def adjusted_by(self) -> tuple[UUID, ...]:
        """Everything that adjusts it, in order, as an unlock keeps it."""
        return self.adjustment_ids + ((self.way_adjustment_id,) if self.way_adjustment_id else ())


@dataclass(frozen=True)
class Ways:
    """The ways to unlock that a version offers beside buying an episode: None where it does not."""

    bundle_adjustment_id: UUID | None
    rental_adjustment_id: UUID | None
    rental_seconds: int | None


@dataclass(frozen=True)
class Everywhere:
    """What a series costs at a moment, wherever a viewer is."""

    version_id: UUID
    adjusting: Adjusting

    def at(self, place: Place) -> Price:
        """What somebody there is asked of whom nothing else is known."""
        return Price(self.version_id, self.adjusting.at(place))


def price_for(
    *, viewer_id: UUID, series_id: UUID, at: datetime, device_id: UUID | None = None
) -> Price:
    """What a viewer is asked for a series at a moment, on one of their devices, in one query.

    Without a device, or on another viewer's, no platform's price fits. Whoever answers with a price that
    has forks says so to `exposing.expose` before. Raises PriceVersion.DoesNotExist while nothing prices the
    series.
    """
    found = _FOUND.first(
        viewer_id=viewer_id, series_id=series_id, device_id=device_id or NO_DEVICE, at=at
    )
    if found is None or found[0] is None:
        raise PriceVersion.DoesNotExist
    version_id, region, platform, link_adjustment_id, joined_at, experiments, promotions = found
    where = Place(region=region or "", platform=platform or "")
    assigned = arms.assigned(experiments, viewer_id=viewer_id, created_at=joined_at)
    return _price(
        version_id,
        before=(where.first_fitting(variants(version_id)), link_adjustment_id),
        assigned=[one for one in assigned if arm_terms.is_on(one.experiment.id, series_id)],
        series_id=series_id,
        after=(where.first_fitting(promoted(one) for one in promotions),),
    )


def prices_of(series_ids: Collection[UUID], *, at: datetime) -> Mapping[UUID, Price]:
    """What a viewer of whom nothing is known is asked for these series at a moment, in three queries.

    A series that nothing prices yet, or that does not exist, is left out.
    """
    found = everywhere(series_ids, at=at)
    return {series_id: asked.at(NOWHERE) for series_id, asked in found.items()}


def everywhere(series_ids: Collection[UUID], *, at: datetime) -> Mapping[UUID, Everywhere]:
    """What these series cost at a moment, wherever somebody is, in three queries whatever their number.

    A series that nothing prices yet, or that does not exist, is left out.
    """
    return everywhere_at(series_ids, moments=[at])[0]


def everywhere_at(
    series_ids: Collection[UUID], *, moments: Sequence[datetime]
) -> Sequence[Mapping[UUID, Everywhere]]:
    """The same at each of several moments, in three queries too."""
    found: dict[str, Any] = {}
    for place, at in enumerate(moments):
        found[f"version_{place}"] = Subquery(_of_series(OuterRef("id"), at).values("id"))
        found[f"promotions_{place}"] = ArraySubquery(_promotions(OuterRef("id"), at))
    series = Series.objects.filter(many_rows.among("id", series_ids)).annotate(**found)
    rows = list(series.values_list("id", *found))
    variants_of = _variants_of({one for row in rows for one in row[1::2] if one is not None})
    places_of = _places_of({one for row in rows for promotions in row[2::2] for one in promotions})

    @cache
    def asked(version_id: UUID, promotions: tuple[UUID, ...]) -> Everywhere:
        variants = variants_of.get(version_id, ())
        return Everywhere(
            version_id, Adjusting(variants, promotions=tuple(places_of[one] for one in promotions))
        )

    return [
        {row[0]: asked(row[at], tuple(row[at + 1])) for row in rows if row[at] is not None}
        for at in range(1, 2 * len(moments), 2)
    ]


def version_in_force(*, series_id: UUID, at: datetime) -> PriceVersion:
    """The version that prices a series at a moment: its plan's latest, else the default plan's.

    Raises PriceVersion.DoesNotExist only when the default plan had no version yet.
    """
    return _of_series(series_id, at).get()


def versions_in_force(series_ids: Collection[UUID], *, at: datetime) -> Mapping[UUID, UUID]:
    """The ids of the versions that price these series at a moment, in one query.

    A series that nothing prices yet, or that does not exist, is left out.
    """
    found = (
        Series.objects.filter(many_rows.among("id", series_ids))
        .annotate(version_id=Subquery(_of_series(OuterRef("id"), at).values("id")))
        .exclude(version_id=None)
    )
    return dict(found.values_list("id", "version_id"))


@lru_cache(maxsize=4096)
def ladder(
    version_id: UUID,
    adjustment_ids: tuple[UUID, ...] = (),
    way_adjustment_id: UUID | None = None,
) -> PriceLadder:
    """The prices of a version under adjustments. None of them ever changes: the answer is for good."""
    if way_adjustment_id is not None:
        alone = ladder(version_id, adjustment_ids)
        return ladder(version_id, (*adjustment_ids, way_adjustment_id)).capped(alone)
    rows = PriceAdjustment.objects.in_bulk(adjustment_ids) if adjustment_ids else {}
    adjustments = [adjustment_of(rows[one]) for one in adjustment_ids]
    return terms_of(version_id).adjusted(adjustments).ladder()


def ladders(
    prices: Collection[Price], *, until: int = MAXIMUM_EPISODE_NUMBER
) -> Mapping[Price, PriceLadder]:
    """The ladders of many prices, in four queries whatever their number; right for every episode up to
    `until`, past which nothing is spelled out."""
    terms = terms_of_many({price.version_id for price in prices})
    rows = PriceAdjustment.objects.in_bulk({one for p in prices for one in p.adjusted_by})

    def under(price: Price, adjustment_ids: Iterable[UUID]) -> PriceLadder:
        adjustments = [adjustment_of(rows[one]) for one in adjustment_ids]
        return terms[price.version_id].adjusted(adjustments).until(until).ladder()

    return {
        price: under(price, price.adjusted_by)
        if price.way_adjustment_id is None
        else under(price, price.adjusted_by).capped(under(price, price.adjustment_ids))
        for price in set(prices)
    }


@lru_cache(maxsize=4096)
def ways(version_id: UUID) -> Ways:
    """What a version offers beside buying an episode."""
    found = PriceVersion.objects.filter(id=version_id).values_list(
        "bundle_adjustment_id", "rental_adjustment_id", "rental_seconds"
    )
    return Ways(*found.get())


def ways_of(version_ids: Collection[UUID]) -> Mapping[UUID, Ways]:
    """The same of many versions, in one query."""
    found = PriceVersion.objects.filter(many_rows.among("id", version_ids)).values_list(
        "id", "bundle_adjustment_id", "rental_adjustment_id", "rental_seconds"
    )
    return {
        version_id: Ways(bundle_id, rental_id, seconds)
        for version_id, bundle_id, rental_id, seconds in found
    }


@lru_cache(maxsize=4096)
def variants(version_id: UUID) -> Sequence[Variant]:
    """A version's variants, the first that fits first."""
    return _variants_of([version_id]).get(version_id, ())


@lru_cache(maxsize=4096)
def promoted(promotion_id: UUID) -> Variant:
    """Where a promotion's price differs; when it holds is the caller's to know."""
    return _places_of([promotion_id])[promotion_id]


def terms_of(version_id: UUID) -> Terms:
    """A version's terms, without any adjustment. Raises PriceVersion.DoesNotExist."""
    found = terms_of_many([version_id])
    if version_id not in found:
        raise PriceVersion.DoesNotExist
    return found[version_id]


def terms_of_many(version_ids: Collection[UUID]) -> Mapping[UUID, Terms]:
    """The terms of each version, in three queries whatever their number."""
    steps, overrides = (_by_number(rows, version_ids) for rows in (PriceStep, EpisodePrice))
    versions = PriceVersion.objects.filter(many_rows.among("id", version_ids))
    return {
        one: Terms(free_count, base_price_coins, steps.get(one, {}), overrides.get(one, {}))
        for one, free_count, base_price_coins in versions.order_by().values_list(
            "id", "free_count", "base_price_coins"
        )
    }


def _by_number(
    rows: type[PriceStep] | type[EpisodePrice], version_ids: Collection[UUID]
) -> Mapping[UUID, Mapping[int, int]]:
    """What versions ask by episode number, of those that say any."""
    found: dict[UUID, dict[int, int]] = {}
    kept = rows.objects.filter(many_rows.among("version", version_ids)).order_by("number")
    for version_id, number, price_coins in kept.values_list("version_id", "number", "price_coins"):
        found.setdefault(version_id, {})[number] = price_coins
    return found


def read_terms(version: PriceVersion) -> Terms:
    """The terms of a version that was read with its `episode_prices` and `steps`."""
    return Terms(
        free_count=version.free_count,
        base_price_coins=version.base_price_coins,
        steps={step.number: step.price_coins for step in version.steps.all()},
        overrides={price.number: price.price_coins for price in version.episode_prices.all()},
    )


def adjustment_of(row: PriceAdjustment) -> Adjustment:
    """A kept adjustment, as arithmetic takes it."""
    return Adjustment(
        free_count=row.free_count,
        price_coins=row.price_coins,
        scale_parts_per_million=row.scale_parts_per_million,
    )


def _found(
    *, viewer_id: UUID, series_id: UUID, device_id: UUID, at: datetime
) -> QuerySet[Any, Any]:
    """Everything that a price depends on and that changes."""
    found: QuerySet[Any, Any] = Series.objects.filter(id=series_id).values_list(
        Subquery(_of_series(OuterRef("id"), at).values("id")),
        Subquery(Viewer.objects.filter(id=viewer_id).values("region")),
        Subquery(Device.objects.filter(id=device_id, viewer_id=viewer_id).values("platform")),
        Subquery(_link_adjustment(viewer_id, OuterRef("id"), at)),
        arms.joined_at(viewer_id),
        arms.running(viewer_id, varies=ON_PRICES, at=at),
        ArraySubquery(_promotions(OuterRef("id"), at)),
    )
    return found


def _variants_of(version_ids: Collection[UUID]) -> Mapping[UUID, tuple[Variant, ...]]:
    """The variants of each version that has any, the first that fits first."""
    found: dict[UUID, list[Variant]] = {}
    rows = PriceVariant.objects.filter(many_rows.among("version", version_ids)).order_by("position")
    for row in rows:
        found.setdefault(row.version_id, []).append(_differing(row))
    return {version_id: tuple(variants) for version_id, variants in found.items()}


def _places_of(promotion_ids: Collection[UUID]) -> Mapping[UUID, Variant]:
    """Where the price of each promotion differs."""
    rows = Promotion.objects.in_bulk(promotion_ids) if promotion_ids else {}
    return {promotion_id: _differing(row) for promotion_id, row in rows.items()}


def _differing(row: PriceVariant | Promotion) -> Variant:
    return Variant(frozenset(row.regions), frozenset(row.platforms), row.adjustment_id)


def _price(
    version_id: UUID,
    *,
    before: Sequence[UUID | None],
    assigned: Sequence[Assigned],
    series_id: UUID,
    after: Sequence[UUID | None],
) -> Price:
    """The price in the viewer's arms, and what it would be in each other arm of one experiment."""

    def asked(experiment: Definition, arm: ArmDefinition) -> UUID | None:
        return arm_terms.adjustment(experiment.id, arm.id, series_id)

    def adjusting(of_arms: Sequence[UUID | None]) -> tuple[UUID, ...]:
        return tuple(one for one in (*before, *of_arms, *after) if one is not None)

    own = [asked(one.experiment, one.arm) for one in assigned]
    return Price(
        version_id=version_id,
        adjustment_ids=adjusting(own),
        arm=",".join(one.label for one in assigned),
        forks=tuple(
            Fork(
                one,
                tuple(
                    adjusting([*own[:place], asked(one.experiment, arm), *own[place + 1 :]])
                    for arm in one.experiment.arms
                ),
            )
            for place, one in enumerate(assigned)
            if not one.is_exposed
        ),
    )


def _of_series(series_id: UUID | OuterRef, at: datetime) -> QuerySet[PriceVersion]:
    """The version in force of a series' plan, else of the default plan."""
    within = OuterRef(series_id) if isinstance(series_id, OuterRef) else series_id
    assigned = (
        PlanAssignment.objects.filter(series_id=within, effective_from__lte=at, cancelled_at=None)
        .order_by("-effective_from", "-id")
        .values("plan_id")[:1]
    )
    default = PricePlan.objects.filter(is_default=True).values("id")
    return PriceVersion.objects.filter(
        Q(plan_id=Subquery(assigned)) | Q(plan_id=Subquery(default)),
        effective_from__lte=at,
        cancelled_at=None,
    ).order_by("plan__is_default", "-effective_from")[:1]


def _link_adjustment(viewer_id: UUID, series_id: OuterRef, at: datetime) -> QuerySet[Any, Any]:
    """The adjustment of the link by which the viewer came to a series last, while it holds."""
    return (
        LinkArrival.objects.filter(viewer_id=viewer_id, series_id=series_id, arrived_at__lte=at)
        .filter(
            Q(link__ends_at=None) | Q(link__ends_at__gt=at),
            Q(link__stopped_at=None) | Q(link__stopped_at__gt=at),
        )
        .order_by("-arrived_at", "-id")
        .values("link__adjustment_id")[:1]
    )


def _promotions(series_id: OuterRef, at: datetime) -> QuerySet[Any, Any]:
    """The promotions that are on for a series, the one that began last first."""
    return (
        Promotion.objects.filter(
            Q(stopped_at=None) | Q(stopped_at__gt=at),
            promoted__series_id=series_id,
            starts_at__lte=at,
            ends_at__gt=at,
        )
        .order_by("-starts_at", "-id")
        .values("id")
    )


_FOUND = CompiledQuery(_found, viewer_id=UUID, series_id=UUID, device_id=UUID, at=datetime)
