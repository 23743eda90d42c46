"""What money of other currencies is worth in the reporting currency, by dated rates."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from django.conf import settings

from payments.models import ExchangeRate

#: Rates are published on working days: one of some days before holds until the next.
HOLDS_FOR = timedelta(days=10)
OWN = "reporting currency"


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
    day = at.astimezone(settings.REPORTING_ZONE).date()
    found = (
        ExchangeRate.objects.filter(currency=currency, day__lte=day, day__gt=day - HOLDS_FOR)
        .order_by("-day")
        .first()
    )
    if found is None:
        raise RateMissing(f"{currency} on {day}")
    return Rate(found.rate, f"{found.source} {found.day}"[:50])
