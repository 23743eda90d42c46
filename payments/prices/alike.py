"""Prices that ask the same by rows of their own, and the one of them that can stand for all."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from uuid import UUID

from django.db import connection

from config import many_rows
from payments.models import PriceAdjustment
from payments.prices.places import Adjusting, Variant
from payments.prices.pricing import Everywhere

#: Versions with the first of those that say the same: everything in a version that a price comes from.
_VERSIONS = """
    SELECT version.id, first_value(version.id) OVER (
        PARTITION BY version.free_count, version.base_price_coins, version.rental_seconds,
            bundle.id IS NULL, bundle.free_count, bundle.price_coins, bundle.scale_parts_per_million,
            rental.id IS NULL, rental.free_count, rental.price_coins, rental.scale_parts_per_million,
            ARRAY(
                SELECT (number, price_coins) FROM payments_pricestep
                WHERE version_id = version.id ORDER BY number
            ),
            ARRAY(
                SELECT (number, price_coins) FROM payments_episodeprice
                WHERE version_id = version.id ORDER BY number
            )
        ORDER BY version.id
    )
    FROM payments_priceversion AS version
    LEFT JOIN payments_priceadjustment AS bundle ON bundle.id = version.bundle_adjustment_id
    LEFT JOIN payments_priceadjustment AS rental ON rental.id = version.rental_adjustment_id
    WHERE version.id = ANY(%(versions)s::uuid[])
"""


def standing_for(prices: Collection[Everywhere]) -> Mapping[Everywhere, Everywhere]:
    """For each price one of those that ask the same, wherever somebody is, in every way and for every
    episode: for all of them the same one. Two queries whatever their number."""
    version_for = _version_for({price.version_id for price in prices})
    adjustment_for = _adjustment_for(set(_adjusting(prices)))

    def adjusted(variants: Iterable[Variant]) -> tuple[Variant, ...]:
        return tuple(
            replace(one, adjustment_id=adjustment_for[one.adjustment_id]) for one in variants
        )

    @cache
    def adjusting(one: Adjusting) -> Adjusting:
        return Adjusting(
            variants=adjusted(one.variants),
            in_arm=adjustment_for[one.in_arm] if one.in_arm else None,
            promotions=adjusted(one.promotions),
        )

    @cache
    def standing(version_id: UUID, adjusting: Adjusting) -> Everywhere:
        return Everywhere(version_id, adjusting)

    return {
        price: standing(version_for[price.version_id], adjusting(price.adjusting))
        for price in prices
    }


def _version_for(version_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_VERSIONS, {"versions": many_rows.array(version_ids)})
        return dict(cursor.fetchall())


def _adjusting(prices: Iterable[Everywhere]) -> Iterator[UUID]:
    for adjusting in {price.adjusting for price in prices}:
        if adjusting.in_arm is not None:
            yield adjusting.in_arm
        for variant in adjusting.named:
            yield variant.adjustment_id


def _adjustment_for(adjustment_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """For each the first that adjusts as it does."""
    rows = PriceAdjustment.objects.filter(many_rows.among("id", adjustment_ids))
    first: dict[tuple[int | None, ...], UUID] = {}
    return {
        one: first.setdefault(tuple(how), one)
        for one, *how in rows.values_list(
            "id", "free_count", "price_coins", "scale_parts_per_million"
        )
    }
