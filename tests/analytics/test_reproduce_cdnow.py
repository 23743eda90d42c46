"""A public data set, imported as a team would import its past, gives the figures that were published of it.

CDNOW's orders of 1997 and early 1998 come with the package `lifetimes` (MIT), whose files are read and of which
nothing is imported; so does the summary by customer that B. Hardie published for P. Fader and him.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import metadata
from pathlib import Path

import pytest
from django.core.management import call_command

from analytics.reports import repurchase, rhythm, sources
from analytics.reports.arpu import Bucket
from analytics.reports.sources import Source
from payments.models import ImportedPurchase, Lot, Transfer, Wallet
from viewers.models import ImportedViewer, Viewer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_lake")]

MAPPING = Path("docs/history/cdnow.toml")
#: The end of what is observed, where the summary was made, and of all orders.
CALIBRATED = date(1997, 9, 30)
OVER = datetime(1998, 7, 1, tzinfo=UTC)
DATA = metadata.distribution("lifetimes").locate_file("lifetimes/datasets")
ORDERS = Path(str(DATA)) / "CDNOW_sample.txt"

Order = tuple[int, date, int]


@pytest.fixture(scope="module")
def orders() -> Sequence[Order]:
    """Customer, day and micros of each order, by splitting lines."""
    found = []
    for line in ORDERS.read_text().splitlines():
        _, customer, day, _, dollars = line.split()
        at = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date()
        found.append((int(customer), at, int(Decimal(dollars) * 1_000_000)))
    return found


@contextmanager
def _imported() -> Iterator[Source]:
    call_command("import_history", str(MAPPING), str(ORDERS), verbosity=0)
    with sources.opened(now=OVER) as source:
        yield source


def test_the_published_figures_come_out(
    orders: Sequence[Order], capsys: pytest.CaptureFixture[str]
) -> None:
    with _imported() as source:
        summary = rhythm.table(source=source, currency="USD", until=CALIBRATED)
        cohorts = repurchase.table(source=source, by=Bucket.MONTH, horizon=17)

    assert "6,919 lines, 6,919 added, 0 known, 0 left out, 0 refused." in capsys.readouterr().out
    # What the tables have is what was published, customer by customer.
    assert _summaries_of_our_rows() == _summaries(orders) == _published()
    assert ImportedViewer.objects.count() == Viewer.objects.count() == len(_published()) == 2357
    assert not any(model.objects.exists() for model in (Wallet, Lot, Transfer))
    # And what the reports say is the same, but that nobody is a payer by an order for nothing.
    paid = [order for order in orders if order[2] > 0]
    assert _weeks(summary) == Counter(_summaries(paid).values())
    assert summary.total_payers == 2349
    assert {
        (row.frequency, row.recency_days, row.age_days): (row.payers, row.repeat_micros)
        for row in summary.rows
    } == _rhythms(paid)
    assert [
        (each.starts_on, each.payers, each.repeated, list(each.buyers)) for each in cohorts.cohorts
    ] == _cohorts(paid)
    assert "imported from cdnow: 6919 purchases" in cohorts.population


def _summaries_of_our_rows() -> Mapping[int, tuple[int, float, float]]:
    days = defaultdict[int, set[date]](set)
    rows = ImportedPurchase.objects.filter(purchased_at__lt=datetime(1997, 10, 1, tzinfo=UTC))
    for name, at in rows.values_list("viewer__imported_as__external_id", "purchased_at"):
        days[int(name)].add(at.date())
    return {customer: _summed(seen) for customer, seen in days.items()}


def _summaries(orders: Sequence[Order]) -> Mapping[int, tuple[int, float, float]]:
    days = defaultdict[int, set[date]](set)
    for customer, day, _ in orders:
        if day <= CALIBRATED:
            days[customer].add(day)
    return {customer: _summed(seen) for customer, seen in days.items()}


def _published() -> Mapping[int, tuple[int, float, float]]:
    """Frequency, recency and T in weeks, by customer."""
    with (Path(str(DATA)) / "cdnow_customers_summary.csv").open(newline="") as file:
        return {
            int(row["ID"]): (int(row["frequency"]), float(row["recency"]), float(row["T"]))
            for row in csv.DictReader(file)
        }


def _weeks(summary: rhythm.RhythmReport) -> Counter[tuple[int, float, float]]:
    """How many payers have each frequency, recency and T in weeks."""
    found = Counter[tuple[int, float, float]]()
    for row in summary.rows:
        weeks = (round(row.recency_days / 7, 2), round(row.age_days / 7, 2))
        found[row.frequency, *weeks] += row.payers
    return found


def _summed(days: set[date]) -> tuple[int, float, float]:
    first, last = min(days), max(days)
    return (
        len(days) - 1,
        round((last - first).days / 7, 2),
        round((CALIBRATED - first).days / 7, 2),
    )


def _rhythms(orders: Sequence[Order]) -> Mapping[tuple[int, int, int], tuple[int, int]]:
    by_customer = defaultdict[int, list[tuple[date, int]]](list)
    for customer, day, micros in orders:
        if day <= CALIBRATED:
            by_customer[customer].append((day, micros))
    found: dict[tuple[int, int, int], tuple[int, int]] = {}
    for bought in by_customer.values():
        days = sorted({day for day, _ in bought})
        key = (len(days) - 1, (days[-1] - days[0]).days, (CALIBRATED - days[0]).days)
        payers, micros = found.get(key, (0, 0))
        repeated = sum(amount for day, amount in bought if day > days[0])
        found[key] = (payers + 1, micros + repeated)
    return found


def _cohorts(orders: Sequence[Order]) -> list[tuple[date, int, int, list[int | None]]]:
    """By month of the first order: how many, how many again within 30 days, and in which months."""
    bought = defaultdict[int, list[date]](list)
    for customer, day, _ in orders:
        bought[customer].append(day)
    members = defaultdict[date, list[list[date]]](list)
    for days in bought.values():
        members[min(days).replace(day=1)].append(sorted(days))
    return [
        (
            month,
            len(cohort),
            sum(len(days) > 1 and days[1] - days[0] < timedelta(days=30) for days in cohort),
            [_active(cohort, month, offset) for offset in range(18)],
        )
        for month, cohort in sorted(members.items())
    ]


def _active(cohort: Sequence[Sequence[date]], month: date, offset: int) -> int | None:
    """How many of a cohort bought in the month so many after its own; None where orders end before."""
    wanted = month.year * 12 + month.month + offset
    if wanted >= OVER.year * 12 + OVER.month:
        return None
    return sum(any(day.year * 12 + day.month == wanted for day in days) for days in cohort)
