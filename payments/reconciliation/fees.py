"""What stores' fees came to, as rows beside the estimates that purchases were booked with.

A purchase's estimate is by the store's terms of its day, in docs/money.md. Lots and the purchase keep it; what the
store kept more, or less, is a cost of the day on which it is heard of.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from django.conf import settings
from django.db import transaction

from payments.models import (
    FeeAdjustment,
    PassPurchase,
    Purchase,
    Reconciliation,
    WaitingFee,
)
from payments.providers.base import Fee, Listed, ListedKind
from payments.reconciliation import booked
from payments.reconciliation.booked import AT_ONCE, Booked, Window
from payments.store import exchange
from payments.store.exchange import Rate, RateMissing

#: A run settles so many that have waited.
WAITING_AT_ONCE = 5000


@dataclass
class Settled:
    """How many fees were not as estimated, and how many wait for a rate."""

    adjusted: int = 0
    waiting: int = 0


def settle(
    pairs: Iterable[tuple[Booked, Listed]], *, run: Reconciliation, now: datetime
) -> Settled:
    """Keeps a row for each line whose fee is not what was estimated; a line that has one keeps it."""
    outcome = Settled()
    waiting: list[WaitingFee] = []
    rows = list(_rows(pairs, run, waiting, now))
    WaitingFee.objects.bulk_create(waiting, batch_size=AT_ONCE, ignore_conflicts=True)
    outcome.waiting = len(waiting)
    for start in range(0, len(rows), AT_ONCE):
        batch = rows[start : start + AT_ONCE]
        known = _known(batch)
        new = [row for row in batch if _name(row) not in known]
        FeeAdjustment.objects.bulk_create(new, ignore_conflicts=True)
        outcome.adjusted += len(new)
    return outcome


def settle_waiting(*, run: Reconciliation, now: datetime) -> Settled:
    """The same of lines that waited for a rate which is there by now."""
    own = {"provider": run.provider, "environment": run.environment}
    due = list(WaitingFee.objects.filter(**own).order_by("id")[:WAITING_AT_ONCE])
    has_rate: dict[tuple[str, date], bool] = {}
    for row in due:
        day = (row.fee_currency, row.settled_at.date())
        if day not in has_rate:
            has_rate[day] = _has_rate(row)
    due = [row for row in due if has_rate[row.fee_currency, row.settled_at.date()]]
    here = booked.load(
        {row.transaction_id for row in due}, Window(run.provider, run.environment, now, now)
    )
    lines = [(here[row.transaction_id], _line(row)) for row in due if row.transaction_id in here]
    with transaction.atomic():
        WaitingFee.objects.filter(id__in=[row.id for row in due]).delete()
        return settle(lines, run=run, now=now)


def _has_rate(row: WaitingFee) -> bool:
    try:
        exchange.rate(row.fee_currency, at=row.settled_at)
    except RateMissing:
        return False
    return True


def _line(row: WaitingFee) -> Listed:
    """As much of the store's line as its fee needs."""
    return Listed(
        kind=ListedKind(row.kind),
        environment=row.environment,
        line_id=row.line_id,
        transaction_id=row.transaction_id,
        amount_micros=None,
        currency="",
        occurred_at=row.settled_at,
        fee=Fee(row.fee_micros, row.fee_currency),
    )


def _waiting(line: Listed, fee: Fee, run: Reconciliation, now: datetime) -> WaitingFee:
    return WaitingFee(
        provider=run.provider,
        environment=run.environment,
        line_id=line.line_id,
        kind=line.kind,
        transaction_id=line.transaction_id,
        fee_micros=fee.amount_micros,
        fee_currency=fee.currency,
        settled_at=line.occurred_at,
        created_at=now,
    )


def estimated_micros(gross: int, tax: int, net: int, rate: Decimal) -> int:
    """The fee inside a purchase or a refund of one, in the reporting currency: what neither the state nor we got,
    as the money ladder has it."""
    return _half_up(gross * rate) - _half_up(tax * rate) - net


def _rows(
    pairs: Iterable[tuple[Booked, Listed]],
    run: Reconciliation,
    waiting: list[WaitingFee],
    now: datetime,
) -> Iterator[FeeAdjustment]:
    for one, line in pairs:
        if line.fee is None:
            continue
        estimate = _estimate(one, line)
        if estimate is None:
            continue
        try:
            rate = _rate(line.fee, one, line.occurred_at)
        except RateMissing:
            waiting.append(_waiting(line, line.fee, run, now))
            continue
        settled = rate.micros(line.fee.amount_micros)
        if settled != estimate:
            yield _row(one, line, run, rate, (estimate, settled), now)


def _estimate(sale: Booked, line: Listed) -> int | None:
    """What was booked for a line; None for a refund that took nothing here."""
    bought = sale.bought
    if line.kind is ListedKind.SALE:
        return estimated_micros(
            bought.gross_micros, bought.tax_micros, bought.net_micros, bought.exchange_rate
        )
    booking = sale.bookings.get(line.line_id)
    if booking is None:
        return None
    freed = estimated_micros(
        booking.gross_micros, booking.tax_micros, booking.net_micros, bought.exchange_rate
    )
    return -freed if line.kind is ListedKind.REFUND else freed


def _rate(fee: Fee, sale: Booked, at: datetime) -> Rate:
    """A fee in the buyer's currency is worth what the sale was; in another, what it was on its day."""
    bought = sale.bought
    if fee.currency == bought.currency and fee.currency != settings.REPORTING_CURRENCY:
        return Rate(bought.exchange_rate, bought.exchange_source)
    return exchange.rate(fee.currency, at=at)


def _row(
    sale: Booked,
    line: Listed,
    run: Reconciliation,
    rate: Rate,
    amounts: tuple[int, int],
    now: datetime,
) -> FeeAdjustment:
    assert line.fee is not None  # noqa: S101  the caller has looked
    bought, (estimate, settled) = sale.bought, amounts
    return FeeAdjustment(
        provider=run.provider,
        environment=run.environment,
        line_id=line.line_id,
        kind=line.kind,
        transaction_id=line.transaction_id,
        purchase=bought if isinstance(bought, Purchase) else None,
        pass_purchase=bought if isinstance(bought, PassPurchase) else None,
        run=run,
        estimated_micros=estimate,
        settled_micros=settled,
        difference_micros=settled - estimate,
        fee_micros=line.fee.amount_micros,
        fee_currency=line.fee.currency,
        exchange_rate=rate.rate,
        exchange_source=rate.source,
        settled_at=line.occurred_at,
        created_at=now,
    )


def _name(row: FeeAdjustment) -> tuple[str, str, str]:
    return row.transaction_id, row.kind, row.line_id


def _known(rows: list[FeeAdjustment]) -> set[tuple[str, str, str]]:
    if not rows:
        return set()
    first = rows[0]
    found = FeeAdjustment.objects.filter(
        provider=first.provider,
        environment=first.environment,
        transaction_id__in=[row.transaction_id for row in rows],
    )
    return set(found.values_list("transaction_id", "kind", "line_id"))


def _half_up(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))
