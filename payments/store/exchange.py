"""What money of other currencies is worth in the reporting currency, by dated rates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from django.conf import settings
from django.db.models import Count, Exists, OuterRef

from payments.models import ExchangeRate, PassPurchase, Purchase, RateEstimate
from payments.money import Money

#: Rates are published on working days: one of some days before holds until the next.
HOLDS_FOR = timedelta(days=10)
OWN = "reporting currency"
FREE = "nothing was paid"
#: How the source of a rate begins that is none.
ESTIMATE = "estimate: "
BY_LIST = f"{ESTIMATE}list price"
SOURCE_CHARACTERS = 50
#: As rates are kept.
SMALLEST, LARGEST = Decimal("1e-10"), Decimal(10**9)


class RateMissing(Exception):
    """No rate of that currency is known for that day: what was sold for it cannot be booked yet."""


@dataclass(frozen=True)
class Rate:
    """Units of the reporting currency for one of another, and whose word that is."""

    rate: Decimal
    source: str

    def micros(self, amount_micros: int) -> int:
        """An amount in the reporting currency, half to even."""
        exact = Decimal(amount_micros) * self.rate
        return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def rate(currency: str, *, at: datetime) -> Rate:
    """The rate of the day, else the latest within HOLDS_FOR before it. Raises RateMissing."""
    if currency == settings.REPORTING_CURRENCY:
        return Rate(Decimal(1), OWN)
    day = _day(at)
    found = (
        ExchangeRate.objects.filter(currency=currency, day__lte=day, day__gt=day - HOLDS_FOR)
        .order_by("-day")
        .first()
    )
    if found is None:
        raise RateMissing(f"{currency} on {day}")
    return Rate(found.rate, f"{found.source} {found.day}"[:SOURCE_CHARACTERS])


def of_sale(currency: str, paid_micros: int, *, listed: Money, at: datetime) -> Rate:
    """The rate that a sale is booked at, at once: a store takes back what is not acknowledged.

    Where that of its day is not known it is an estimate, and its source says so: the last that is known, however
    old, else whatever makes what was paid worth the list price. Raises RateMissing where nothing is known of the
    list's currency either.
    """
    try:
        return rate(currency, at=at)
    except RateMissing:
        nearest = _nearest(currency, at)
        if nearest is not None:
            return nearest
        if currency == listed.currency:
            raise
    if paid_micros == 0:
        return Rate(Decimal(1), FREE)
    of_list = of_sale(listed.currency, listed.amount_micros, listed=listed, at=at)
    exact = of_list.rate * listed.amount_micros / paid_micros
    bounded = min(max(exact, SMALLEST), LARGEST)
    return Rate(bounded.quantize(SMALLEST, rounding=ROUND_HALF_EVEN), BY_LIST)


def keep_estimate(bought: Purchase | PassPurchase, *, now: datetime) -> None:
    """Notes of what has just been booked that its rate was an estimate, if it was."""
    if not bought.exchange_source.startswith(ESTIMATE):
        return
    RateEstimate.objects.create(
        purchase=bought if isinstance(bought, Purchase) else None,
        pass_purchase=bought if isinstance(bought, PassPurchase) else None,
        currency=bought.currency,
        day=_day(bought.purchased_at),
        rate=bought.exchange_rate,
        source=bought.exchange_source,
        created_at=now,
    )


def still_missing(*, before: datetime) -> Sequence[tuple[str, int]]:
    """How many sales of each currency were booked by an estimate before a moment, and have no rate by now."""
    by_now = ExchangeRate.objects.filter(
        currency=OuterRef("currency"),
        day__lte=OuterRef("day"),
        day__gt=OuterRef("day") - HOLDS_FOR,
    )
    found = RateEstimate.objects.filter(~Exists(by_now), created_at__lt=before)
    counted = found.values("currency").annotate(count=Count("id")).order_by("currency")
    return list(counted.values_list("currency", "count"))


def _nearest(currency: str, at: datetime) -> Rate | None:
    """The last known before a moment, else the first known after it, as an estimate."""
    known, day = ExchangeRate.objects.filter(currency=currency), _day(at)
    found = (
        known.filter(day__lte=day).order_by("-day").first()
        or known.filter(day__gt=day).order_by("day").first()
    )
    if found is None:
        return None
    return Rate(found.rate, f"{ESTIMATE}{found.source} {found.day}"[:SOURCE_CHARACTERS])


def _day(at: datetime) -> date:
    return at.astimezone(settings.REPORTING_ZONE).date()
