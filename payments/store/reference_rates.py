"""The European Central Bank's euro reference rates, as rates of the reporting currency.

Both of the bank's CSV files are read: that of a day (`eurofxref.csv`, `28 November 2026`) and that of all days
(`eurofxref-hist.csv`, `2026-11-28`). A line is a day, and each column says how many units of its currency one euro
is. `N/A` is none. https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates/
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from django.conf import settings

from payments.models import ExchangeRate

SOURCE = "ECB"
EURO = "EUR"
MAXIMUM_BYTES = 16 * 1024 * 1024
#: As rates are kept.
DECIMALS = 10
LARGEST = Fraction(10**9)
AT_ONCE = 5000

_CURRENCY = re.compile("[A-Z]{3}")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_MISSING = frozenset({"", "N/A"})


class RatesRefused(Exception):
    """The file is none of the bank's, or says what no rate can be; the message says where. Nothing was kept."""


@dataclass(frozen=True)
class Imported:
    """What came of a file. `kept` were known with another value, and keep it."""

    added: int
    known: int
    kept: Sequence[str]


def add(content: bytes, *, now: datetime) -> Imported:
    """Adds the rates of a file that are not known yet. Raises RatesRefused.

    One that is known is never changed: what was booked at it keeps it, and what is booked tomorrow is booked as
    what was today.
    """
    found = {(rate.currency, rate.day): rate for rate in rates(content, now=now)}
    if not found:
        raise RatesRefused("There is no rate in it.")
    days = [day for _, day in found]
    before = ExchangeRate.objects.filter(day__gte=min(days), day__lte=max(days))
    known = {(rate.currency, rate.day): rate.rate for rate in before.iterator(chunk_size=AT_ONCE)}
    new = [rate for name, rate in found.items() if name not in known]
    ExchangeRate.objects.bulk_create(new, batch_size=AT_ONCE, ignore_conflicts=True)
    other = [
        f"{currency} on {day}: {known[currency, day].normalize():f} is kept, not {rate.rate:f}"
        for (currency, day), rate in found.items()
        if (currency, day) in known and known[currency, day] != rate.rate
    ]
    return Imported(added=len(new), known=len(found) - len(new), kept=other)


def rates(content: bytes, *, now: datetime) -> Iterator[ExchangeRate]:
    """The rates of a file: units of the reporting currency for one of another, crossed over the euro without
    rounding before the tenth decimal, half to even. Raises RatesRefused."""
    rows = csv.reader(io.StringIO(_text(content), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        if header[:1] != ["Date"]:
            raise RatesRefused("The first column is not Date: this is no file of reference rates.")
        for number, cells in enumerate(rows, 2):
            if any(cell.strip() for cell in cells):
                yield from _of_day(header, [cell.strip() for cell in cells], number, now)
    except csv.Error as error:
        raise RatesRefused(f"It is no CSV file: {error}.") from error


def crossed(reporting: Fraction, currency: Fraction) -> Decimal:
    """What one unit of a currency is in the reporting one, each of which so many make a euro."""
    quotient = reporting / currency
    scaled = round(quotient * 10**DECIMALS)  # of a Fraction: exact, half to even
    return Decimal(scaled).scaleb(-DECIMALS)


def _of_day(
    header: Sequence[str], cells: Sequence[str], number: int, now: datetime
) -> Iterator[ExchangeRate]:
    day = _day(cells[0], number)
    if day > now.date():
        raise RatesRefused(f"Line {number}: {day} has not come yet.")
    euro = {EURO: Fraction(1)}
    for name, cell in zip(header[1:], cells[1:], strict=False):
        if name and cell not in _MISSING:
            euro[_currency(name)] = _number(cell, name, number)
    own = settings.REPORTING_CURRENCY
    if own not in euro:
        return  # a holiday of that currency
    for currency, of_a_euro in euro.items():
        if currency != own:
            yield _rate(currency, day, crossed(euro[own], of_a_euro), number, now)


def _rate(currency: str, day: date, rate: Decimal, number: int, now: datetime) -> ExchangeRate:
    if rate <= 0:
        raise RatesRefused(f"Line {number}: {currency} is worth nothing in ten decimals.")
    return ExchangeRate(currency=currency, day=day, rate=rate, source=SOURCE, created_at=now)


def _day(text: str, number: int) -> date:
    for form in ("%Y-%m-%d", "%d %B %Y"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007  a day has no zone
        except ValueError:
            continue
    raise RatesRefused(f"Line {number}: {text[:40]!r} is no day.")


def _currency(name: str) -> str:
    if not _CURRENCY.fullmatch(name):
        raise RatesRefused(f"{name[:40]!r} is no currency.")
    return name


def _number(cell: str, name: str, number: int) -> Fraction:
    found = Fraction(cell) if _NUMBER.fullmatch(cell) else Fraction(0)
    if not 0 < found < LARGEST:
        raise RatesRefused(f"Line {number}: {cell[:40]!r} is no rate of {name}.")
    return found


def _text(content: bytes) -> str:
    """The CSV file, which the bank puts into a ZIP file as well."""
    if len(content) > MAXIMUM_BYTES:
        raise RatesRefused(f"It is larger than {MAXIMUM_BYTES // 1024**2} MB.")
    try:
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as folder:
                (name,) = folder.namelist()
                if folder.getinfo(name).file_size > MAXIMUM_BYTES:
                    raise RatesRefused("What is in it is too large.")
                content = folder.read(name)
        return content.decode("utf-8-sig")
    except (ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise RatesRefused("It is no text, nor a ZIP file of one.") from error
