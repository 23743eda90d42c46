"""Google Play's earnings report: a month of what Google charged, kept and gave back, by the order.

`earnings_<month>_….zip` of the developer's bucket, or a CSV file of it. A row is one of an order's amounts: its
`Description` is the order, its `Transaction Type` says of what. Amounts are signed, of the buyer's currency and of the one in which Google
pays. What it charges is without the taxes that Google pays by itself, so it is no price. Times are those of
California.
"""

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from payments.providers.base import Fault, ProviderError

MAXIMUM_BYTES = 512 * 1024 * 1024
MAXIMUM_ROWS = 5_000_000
MICROS = 1_000_000
CALIFORNIA = ZoneInfo("America/Los_Angeles")

_ORDER, _TYPE, _DATE, _TIME = (
    "description",
    "transaction type",
    "transaction date",
    "transaction time",
)
_PRODUCT, _CURRENCY, _AMOUNT = "sku id", "merchant currency", "amount (merchant currency)"
_NEEDED = (_ORDER, _TYPE, _DATE, _PRODUCT, _CURRENCY, _AMOUNT)
#: What a broken file is found by: the last four are a compression that is unknown, one that is not what it says, an
#: archive with a password, and a file that ends too soon.
_UNREADABLE = (
    csv.Error,
    UnicodeDecodeError,
    zipfile.BadZipFile,
    NotImplementedError,
    zlib.error,
    RuntimeError,
    EOFError,
)
_LARGEST = Decimal(10) ** 12


@dataclass
class Earned:
    """What a report has of one product of one order. `charges` are the moments of each charge; fees are what
    Google kept, and gave back of it, in the currency that it pays in."""

    order_id: str
    product_id: str
    currency: str
    charges: list[datetime] = field(default_factory=list)
    refunds: list[datetime] = field(default_factory=list)
    fee_micros: int = 0
    fee_back_micros: int = 0


def read(body: bytes) -> list[Earned]:
    """A report by order and product, in the order of its rows. Raises ProviderError, MALFORMED."""
    found: dict[tuple[str, str], Earned] = {}
    try:
        for number, row in enumerate(_rows(body)):
            if number >= MAXIMUM_ROWS:
                raise _malformed("more rows than a month has")
            _add(found, row)
    except _UNREADABLE as error:
        raise _malformed(f"{error!s:.200}") from error
    return list(found.values())


def _add(found: dict[tuple[str, str], Earned], row: Mapping[str, str]) -> None:
    order_id, kind = row[_ORDER], row[_TYPE].casefold()
    if not order_id or kind not in _ADDERS:
        return  # taxes, and what is of no order
    currency = row[_CURRENCY]
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise _malformed(f"a currency {currency!r:.20}")
    name = (order_id, row[_PRODUCT])
    earned = found.setdefault(name, Earned(order_id, row[_PRODUCT], currency))
    _ADDERS[kind](earned, _micros(row[_AMOUNT]), _moment(row[_DATE], row.get(_TIME, "")))


def _charge(earned: Earned, micros: int, at: datetime) -> None:
    del micros
    earned.charges.append(at)


def _refund(earned: Earned, micros: int, at: datetime) -> None:
    del micros
    earned.refunds.append(at)


def _fee(earned: Earned, micros: int, at: datetime) -> None:
    del at
    earned.fee_micros -= micros


def _fee_back(earned: Earned, micros: int, at: datetime) -> None:
    del at
    earned.fee_back_micros += micros


_ADDERS = {
    "charge": _charge,
    "charge refund": _refund,
    "google fee": _fee,
    "google fee refund": _fee_back,
}


def _rows(body: bytes) -> Iterator[Mapping[str, str]]:
    for text in _files(body):
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = [name.strip().casefold() for name in next(reader, [])]
        if not set(_NEEDED) <= set(header):
            raise _malformed("no earnings report: columns are missing")
        for cells in reader:
            if len(cells) == len(header):
                yield dict(zip(header, map(str.strip, cells), strict=True))
            elif cells:
                raise _malformed("a row of another length")


def _files(body: bytes) -> Iterator[str]:
    """The CSV files of a report."""
    if not body.startswith(b"PK"):
        yield body.decode("utf-8-sig")
        return
    with zipfile.ZipFile(io.BytesIO(body)) as folder:
        files = [one for one in folder.infolist() if one.filename.casefold().endswith(".csv")]
        if not files or sum(one.file_size for one in files) > MAXIMUM_BYTES:
            raise _malformed("no CSV file in it, or too much")
        for one in files:
            with folder.open(one) as file:
                content = file.read(one.file_size + 1)
            yield content.decode("utf-8-sig")


def _micros(text: str) -> int:
    try:
        amount = Decimal(text.replace(",", ""))
    except InvalidOperation as error:
        raise _malformed(f"an amount {text!r:.40}") from error
    if not (amount.is_finite() and abs(amount) < _LARGEST):
        raise _malformed(f"an amount {text!r:.40}")
    return int((amount * MICROS).to_integral_value())


def _moment(day: str, time: str) -> datetime:
    """`Mar 14, 2026` and `1:59:55 AM PDT`."""
    clock = (
        time.rpartition(" ")[0] if time[-1:].isalpha() and time[-2:] not in {"AM", "PM"} else time
    )
    is_second = time.endswith("PST")  # the hour that comes twice
    try:
        local = datetime.strptime(f"{day} {clock or '12:00:00 PM'}", "%b %d, %Y %I:%M:%S %p")  # noqa: DTZ007  its zone follows
        return local.replace(tzinfo=CALIFORNIA, fold=int(is_second)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _malformed(f"a moment {day!r:.40} {time!r:.40}") from error


def _malformed(why: str) -> ProviderError:
    return ProviderError(f"not an earnings report: {why}", Fault.MALFORMED)
