"""Passes on sale, and the cover that a viewer has had of them and of operators."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.db.models import QuerySet

from config.bodies import AnswerShape
from config.compiled_queries import CompiledQuery
from payments.models import Cover, PassProduct
from payments.models.products import names_in_stores
from payments.money import Money


class PassOffer(AnswerShape):
    """A pass: every episode opens without coins for `period`, an ISO 8601 duration of calendar months or
    days, as `period_months` or `period_days`. The store renews one that `is_renewing`, until the viewer
    ends it there; each of its periods that is paid brings `period_coins`. `store_products` is each store's own name for it."""

    pass_id: UUID
    code: str
    title: str
    period: str
    period_months: int
    period_days: int
    is_renewing: bool
    period_coins: int
    price: Money
    store_products: dict[str, str]


class CoverState(StrEnum):
    """How a cover stands at a moment."""

    AHEAD = "ahead"
    RUNNING = "running"
    OVER = "over"
    TAKEN_BACK = "taken_back"


def on_sale() -> Sequence[PassProduct]:
    """Every pass that is shown, in the operator's order, with its name in each store, in one query."""
    found = _ON_SALE.objects()
    for product in found:
        product.store_names = dict(product.named)
    return found


def offer(product: PassProduct) -> PassOffer:
    """A pass as a viewer is offered it."""
    return PassOffer(
        pass_id=product.id,
        code=product.code,
        title=product.title,
        period=duration(months=product.period_months, days=product.period_days),
        period_months=product.period_months,
        period_days=product.period_days,
        is_renewing=product.is_renewing,
        period_coins=product.period_coins,
        price=Money(amount_micros=product.price_micros, currency=product.currency),
        store_products=dict(product.store_names),
    )


def duration(*, months: int, days: int) -> str:
    """A length as ISO 8601 writes it: `P1M`, `P7D`."""
    return f"P{months}M" if months else f"P{days}D"


def covers(
    *, viewer_id: UUID, environment: str, before: UUID | None, limit: int
) -> Sequence[Cover]:
    """What has covered the viewer, will, or was to: the latest given first, older than cover `before`, each
    with the purchase or the subscription that it came from and its product."""
    found = Cover.objects.filter(viewer_id=viewer_id, environment=environment)
    if before is not None:
        found = found.filter(id__lt=before)
    came_from = ("pass_purchase__product", "subscription_cover__subscription__product")
    return list(found.order_by("-id").select_related(*came_from)[:limit])


def state_of(cover: Cover, at: datetime) -> CoverState:
    """How a cover stands at a moment; one taken back is that from then on."""
    if cover.closed_at is not None and cover.closed_at <= at:
        return CoverState.TAKEN_BACK
    if cover.ends_at <= at:
        return CoverState.OVER
    return CoverState.AHEAD if cover.starts_at > at else CoverState.RUNNING


def _shown() -> QuerySet[PassProduct]:
    return PassProduct.objects.filter(is_active=True).annotate(
        named=names_in_stores("pass_product")
    )


_ON_SALE = CompiledQuery(_shown)
