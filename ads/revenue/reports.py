"""Networks' reports of days that are over: taken whole or not at all, in as many versions as come.

A report of a day replaces the one before it, for what it counts: no row is ever changed. One that says the
same as the latest is no new version, so it may come as often as it likes.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from ads.models import ReportedDay, ReportLine, ReportOrigin, RevenueDay, RevenueReport
from ads.networks.reports import reading
from ads.networks.reports.base import Refusal, ReportRow, ReportUnreadable
from ads.revenue import days
from payments.store import exchange
from viewers.models import Environment

#: The first of an advisory lock's two numbers; the second is the network's.
LOCK = 7_164_211
SHOWN_REFUSALS = 100
#: Networks restate days of some weeks ago. What is far older is a day that was written in another order.
OLDEST = timedelta(days=3 * 366)
#: A single cell of a day, in its currency and in the reporting one.
MAXIMUM_LINE_MICROS = 10**15
AT_ONCE = 2_000
_WAIT_SECONDS = 30
_WAY_OUT = "Bring it in the same way, or first that one anew with amounts of 0."


@dataclass(frozen=True)
class Taken:
    """What came of a report. `report` is None for one that was fetched and says nothing new."""

    report: RevenueReport | None
    refusals: Sequence[Refusal]
    new_days: Sequence[date]
    same_days: Sequence[date]


@dataclass(frozen=True, kw_only=True)
class Brought:
    """A report as it comes. `mapping` names the columns of a CSV file that is none of the network's own:
    our field, its header. `currency` is that of a file that names none."""

    content: bytes
    network: str
    name: str
    origin: ReportOrigin
    scope: str = ""
    currency: str = ""
    mapping: Mapping[str, str] | None = None
    operator_id: int | None = None


def take(brought: Brought, *, now: datetime) -> Taken:
    """Keeps a report, each of its days as a new version where it differs from the latest, and has those days
    settled. With a line that cannot be read it counts for nothing, and its refusals say why.

    Safe to bring twice at once: of the same file the second finds nothing new.
    """
    is_pulled = brought.origin == ReportOrigin.PULLED
    rows, refusals = _read(brought, now=now)
    cells: Mapping[date, Sequence[ReportLine]] = {}
    if not refusals:
        cells, refusals = _cells(rows, brought.network)
    if refusals:
        # What fails to be fetched every hour is noted where fetching is.
        kept = None if is_pulled else _kept(brought, rows, refusals=refusals, now=now)
        return Taken(kept, refusals, [], [])
    with transaction.atomic():
        _lock(brought.network)
        if refusals := _twice(brought, cells):
            return Taken(
                None if is_pulled else _kept(brought, rows, refusals=refusals, now=now),
                refusals,
                [],
                [],
            )
        fresh = {day: lines for day, lines in cells.items() if _differs(brought, day, lines)}
        same = sorted(set(cells) - set(fresh))
        if is_pulled and not fresh:
            return Taken(None, [], [], same)
        report = _kept(brought, rows, new=len(fresh), same=len(same), now=now)
        for day, lines in sorted(fresh.items()):
            _add_version(report, day, lines, now=now)
        _expect(brought.network, fresh, now=now)
    return Taken(report, [], sorted(fresh), same)


def _read(brought: Brought, *, now: datetime) -> tuple[Sequence[ReportRow], Sequence[Refusal]]:
    try:
        found = reading.read(
            brought.content,
            network=brought.network,
            currency=brought.currency,
            mapping=brought.mapping,
        )
    except ReportUnreadable as error:
        return [], [Refusal(0, str(error))]
    if not found.rows and not found.refusals and brought.origin != ReportOrigin.PULLED:
        return [], [Refusal(0, "There is no line in it.")]
    today = days.of(brought.network, now)
    misplaced = [
        Refusal(row.line_number, _misplaced(row.day, today))
        for row in found.rows
        if not today - OLDEST <= row.day < today
    ]
    return found.rows, [*found.refusals, *misplaced]


def _misplaced(day: date, today: date) -> str:
    return f"{day} is {'not over for this network' if day >= today else 'too long ago'}."


def _cells(
    rows: Iterable[ReportRow], network: str
) -> tuple[Mapping[date, Sequence[ReportLine]], Sequence[Refusal]]:
    """The lines of each day, one for each ad unit, country and currency, in the reporting currency."""
    summed: dict[tuple[date, str, str, str], list[ReportRow]] = {}
    for row in rows:
        summed.setdefault((row.day, row.ad_unit_id, row.country, row.currency), []).append(row)
    lines: dict[date, list[ReportLine]] = {}
    refusals: list[Refusal] = []
    rates: dict[tuple[str, date], exchange.Rate | None] = {}
    for (day, ad_unit_id, country, currency), parts in sorted(summed.items()):
        if (currency, day) not in rates:
            rates[currency, day] = _rate(currency, network, day)
        rate = rates[currency, day]
        told_micros = _whole(sum((part.revenue_micros for part in parts), Decimal(0)))
        number = min(part.line_number for part in parts)
        if rate is None:
            reason = f"No rate of {currency} is known for {day}: import it, and bring this again."
            refusals.append(Refusal(number, reason))
        elif max(told_micros, rate.micros(told_micros)) > MAXIMUM_LINE_MICROS:
            refusals.append(Refusal(number, "No ad unit earns so much in a day."))
        else:
            lines.setdefault(day, []).append(
                ReportLine(
                    line_number=number,
                    ad_unit_id=ad_unit_id,
                    country=country,
                    impression_count=sum(part.impressions for part in parts),
                    told_micros=told_micros,
                    currency=currency,
                    revenue_micros=rate.micros(told_micros),
                    exchange_rate=rate.rate,
                    exchange_source=rate.source,
                )
            )
    return lines, refusals


def _rate(currency: str, network: str, day: date) -> exchange.Rate | None:
    try:
        return exchange.rate(currency, at=days.noon(network, day))
    except exchange.RateMissing:
        return None


def _whole(micros: Decimal) -> int:
    return int(micros.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def _twice(brought: Brought, found: Iterable[date]) -> Sequence[Refusal]:
    """The days that would count twice: told as a whole, and by scopes besides."""
    whole = Q(scope="") if brought.scope else ~Q(scope="")
    told = ReportedDay.objects.filter(whole, network=brought.network, day__in=list(found))
    latest = told.order_by("scope", "day", "-version").distinct("scope", "day")
    days_told = sorted({row.day for row in latest if row.revenue_micros})
    how = "without a scope" if brought.scope else "by scope"
    return [
        Refusal(0, f"{day} has been reported {how}: this would count besides. {_WAY_OUT}")
        for day in days_told
    ]


def _digest(lines: Sequence[ReportLine]) -> str:
    """Of what lines say, whichever file they stand in and at whatever rate they are taken."""
    said = [
        (line.ad_unit_id, line.country, line.currency, line.told_micros, line.impression_count)
        for line in lines
    ]
    return hashlib.sha256(msgspec.json.encode(sorted(said))).hexdigest()


def _differs(brought: Brought, day: date, lines: Sequence[ReportLine]) -> bool:
    latest = _versions(brought.network, brought.scope, day).first()
    return latest is None or latest.digest != _digest(lines)


def _versions(network: str, scope: str, day: date) -> QuerySet[ReportedDay]:
    return ReportedDay.objects.filter(network=network, scope=scope, day=day).order_by("-version")


def _kept(
    brought: Brought,
    rows: Sequence[ReportRow],
    *,
    now: datetime,
    new: int = 0,
    same: int = 0,
    refusals: Sequence[Refusal] = (),
) -> RevenueReport:
    return RevenueReport.objects.create(
        network=brought.network,
        scope=brought.scope,
        origin=brought.origin,
        name=brought.name[:200],
        sha256=hashlib.sha256(brought.content).hexdigest(),
        line_count=len(rows),
        new_day_count=new,
        same_day_count=same,
        refusals=[
            {"line": one.line_number, "reason": one.reason} for one in refusals[:SHOWN_REFUSALS]
        ],
        brought_by_id=brought.operator_id,
        received_at=now,
    )


def _add_version(
    report: RevenueReport, day: date, lines: Sequence[ReportLine], *, now: datetime
) -> None:
    latest = _versions(report.network, report.scope, day).first()
    reported = ReportedDay.objects.create(
        report=report,
        network=report.network,
        scope=report.scope,
        day=day,
        version=latest.version + 1 if latest else 1,
        digest=_digest(lines),
        revenue_micros=sum(line.revenue_micros for line in lines),
        impression_count=sum(line.impression_count for line in lines),
        created_at=now,
    )
    for line in lines:
        line.reported_day = reported
    ReportLine.objects.bulk_create(lines, batch_size=AT_ONCE)


def _expect(network: str, found: Iterable[date], *, now: datetime) -> None:
    days.expect((network, Environment.PRODUCTION, day) for day in found)
    RevenueDay.objects.filter(
        network=network, environment=Environment.PRODUCTION, day__in=list(found)
    ).update(reported_at=now)


def _lock(network: str) -> None:
    """One at a time of a network: a version is numbered by those before it."""
    with connection.cursor() as cursor:
        # A large report takes longer than a request's statement may wait.
        cursor.execute(f"SET LOCAL lock_timeout = '{_WAIT_SECONDS}s'")
        cursor.execute(f"SET LOCAL statement_timeout = '{_WAIT_SECONDS}s'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK, network])
