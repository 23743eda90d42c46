"""A store that tells of subscriptions, and what has come of what it told."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q, Sum

from payments.ledger import wallets
from payments.models import (
    ChangeCause,
    Cover,
    PassPurchase,
    PassRefundBooking,
    Refund,
    StoreProduct,
    Subscription,
    Wallet,
)
from payments.providers.base import (
    ALL,
    Fact,
    PaidPeriod,
    State,
    StoreRefund,
    SubscriptionSnapshot,
)
from payments.store import facts, subscriptions
from payments.store.facts import Applied, Telling
from tests.factories.payments import StorePassFactory

DAY = timedelta(days=1)
WEEK = 7 * DAY
PRICE = 10_000_000


def plan(*, coins: int = 0, provider: str = "fake", **changes: Any) -> StoreProduct:
    """A week that renews, for ten dollars."""
    return StorePassFactory(
        provider=provider,
        pass_product__is_renewing=True,
        pass_product__period_coins=coins,
        pass_product__price_micros=PRICE,
        **{f"pass_product__{name}": value for name, value in changes.items()},
    )


@dataclass(frozen=True)
class Story:
    """One subscription, whose periods follow each other week by week from `start` on."""

    viewer_id: UUID | None
    start: datetime
    product: StoreProduct
    name: str = "sub-1"
    environment: str = "production"

    @property
    def store_name(self) -> str:
        return self.product.store_product_id

    def begins(self, number: int) -> datetime:
        return self.start + number * WEEK

    def period(self, number: int, **changes: Any) -> PaidPeriod:
        told: dict[str, Any] = {
            "transaction_id": f"{self.name}..{number}",
            "store_product_id": self.store_name,
            "starts_at": self.begins(number),
            "ends_at": self.begins(number + 1),
            "price_micros": PRICE,
            "currency": "USD",
            "purchased_at": self.begins(number),
        }
        return PaidPeriod(**told | changes)

    def says(
        self, state: State, *, at: datetime, until: datetime | None = None, **changes: Any
    ) -> SubscriptionSnapshot:
        """What the store says at a moment, of no period unless one is given."""
        told: dict[str, Any] = {
            "environment": self.environment,
            "subscription_id": self.name,
            "store_product_id": self.store_name,
            "state": state,
            "account_token": self.viewer_id,
            "access_until": until,
            "renews_as": self.store_name if state is State.ACTIVE else "",
            "as_of": at,
            "period": None,
        }
        return SubscriptionSnapshot(**told | changes)

    def paid(
        self, number: int, *, at: datetime | None = None, **changes: Any
    ) -> SubscriptionSnapshot:
        """Active through a period that was paid as it began."""
        period = changes.pop("period", self.period(number))
        return self.says(
            State.ACTIVE,
            at=at or self.begins(number),
            until=changes.pop("until", self.begins(number + 1)),
            period=period,
            **changes,
        )

    def refund(self, number: int, *, at: datetime, **changes: Any) -> StoreRefund:
        """All of a period's money goes back."""
        return StoreRefund(
            environment=self.environment,
            transaction_id=f"{self.name}..{number}",
            **{"refund_id": ALL, "refunded_at": at, **changes},
        )

    def reversal(self, number: int, *, at: datetime, **changes: Any) -> StoreRefund:
        return self.refund(number, at=at, **{"refunded_at": None, "reversed_at": at, **changes})

    def row(self) -> Subscription:
        return Subscription.objects.get(subscription_id=self.name, environment=self.environment)


@transaction.atomic
def tell(
    *found: Fact, now: datetime, provider: str = "fake", by: UUID | None = None
) -> Sequence[Applied]:
    """A message of the store, or what an app of `by` has handed in."""
    telling = Telling(cause=ChangeCause.SUBMITTED if by else ChangeCause.MESSAGE, viewer_id=by)
    return facts.apply_all(found, provider=provider, telling=telling, now=now)


def later(snapshot: SubscriptionSnapshot, **changes: Any) -> SubscriptionSnapshot:
    return replace(snapshot, **changes)


def is_open(story: Story, *, at: datetime) -> bool:
    return subscriptions.is_open(story.row(), at=at)


def covered_until(viewer_id: UUID | None, *, at: datetime) -> datetime | None:
    wallet = Wallet.objects.filter(viewer_id=viewer_id).first()
    return wallets.covered_until(wallet, at) if wallet else None


def bonus(viewer_id: UUID | None) -> int:
    return Wallet.objects.get(viewer_id=viewer_id).bonus_coins


def refunded_micros(story: Story, number: int) -> int:
    """Net, as booked."""
    bookings = PassRefundBooking.objects.filter(
        purchase__transaction_id=f"{story.name}..{number}"
    ).values_list("net_micros", flat=True)
    return sum(bookings)


def state_of_everything(*, at: datetime) -> dict[str, object]:
    """What any order of the same tellings has to end in: rows by their stores' names, no ids and no arrival."""
    covers = Cover.objects.filter(source="subscription", closed_at=None, ends_at__gt=at)
    ends: dict[str, datetime] = {}
    for name, ends_at in covers.values_list(
        "subscription_cover__subscription__subscription_id", "ends_at"
    ):
        ends[name] = max(ends_at, ends.get(name, ends_at))
    return {
        "subscriptions": sorted(
            map(
                repr,
                Subscription.objects.values_list(
                    *("subscription_id", "viewer", "product", "state", "access_until", "renews_as"),
                    *("renews_as_name", "ownership", "price_consent", "replaces", "as_of"),
                ),
            )
        ),
        "covered": ends,
        "periods": sorted(
            PassPurchase.objects.values_list(
                *("transaction_id", "subscription__subscription_id", "gross_micros", "net_micros"),
                *("store_starts_at", "store_ends_at"),
            )
        ),
        "refunds": sorted(
            map(
                repr,
                Refund.objects.values_list(
                    *("transaction_id", "refund_id", "refunded_at", "reversed_at", "amount_micros"),
                    ExpressionWrapper(Q(pass_booking__isnull=False), BooleanField()),
                ),
            )
        ),
        # Which of two refunds took what is theirs: together they took as much.
        "refunded": sorted(
            PassRefundBooking.objects.order_by()
            .values_list("purchase__transaction_id")
            .annotate(Sum("gross_micros"), Sum("tax_micros"), Sum("net_micros"))
            .exclude(gross_micros__sum=0)
        ),
        "wallets": {
            wallet.viewer_id: (
                wallet.paid_coins,
                wallet.bonus_coins,
                wallet.debt_coins,
                wallets.covered_until(wallet, at),
            )
            for wallet in Wallet.objects.all()
        },
    }
