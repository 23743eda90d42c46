"""Discounts and free episodes for a time."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from config import many_rows
from payments.desk.price_versions import adjustment_row
from payments.models import PromotedSeries, Promotion
from payments.prices.terms import Adjustment


def start(
    *,
    name: str,
    series_ids: Collection[UUID],
    starts_at: datetime,
    ends_at: datetime,
    adjustment: Adjustment,
    now: datetime,
    regions: Sequence[str] = (),
    platforms: Sequence[str] = (),
    operator_id: int | None = None,
    change_id: UUID | None = None,
) -> Promotion:
    """Adjusts the prices of these series from one moment to another. It ends by itself.

    Where several promotions are on for a series, the one that began last counts.
    """
    with transaction.atomic():
        row = adjustment_row(adjustment, now=now)
        row.save()
        promotion = Promotion.objects.create(
            name=name,
            starts_at=starts_at,
            ends_at=ends_at,
            regions=list(regions),
            platforms=list(platforms),
            adjustment=row,
            created_at=now,
            created_by_id=operator_id,
            change_id=change_id,
        )
        many_rows.add(
            PromotedSeries, {"series": list(series_ids)}, same={"promotion": promotion.id}
        )
    return promotion


def stop(*, promotion_id: UUID, now: datetime) -> bool:
    """Ends a promotion before its end, or before it began. False if it was over already."""
    going = Promotion.objects.filter(id=promotion_id, stopped_at=None, ends_at__gt=now)
    return bool(going.update(stopped_at=now))


def overlapping(
    *, series_ids: Collection[UUID], starts_at: datetime, ends_at: datetime
) -> Sequence[Promotion]:
    """The promotions of any of these series that are on at some moment between the two."""
    found = Promotion.objects.filter(
        many_rows.among("promoted__series_id", series_ids),
        Q(stopped_at=None) | Q(stopped_at__gt=starts_at),
        starts_at__lt=ends_at,
        ends_at__gt=starts_at,
    )
    return list(found.distinct())
