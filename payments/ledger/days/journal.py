"""The accounting entries of a day: what an accountant books of coins, passes and ads.

Everything is net: what a store owes us is what viewers paid less the tax that it collects and the fee
that it keeps. Amounts are micros of the reporting currency.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from django.conf import settings

from config.csv_files import Table
from payments.ledger.days import closing, queries
from viewers.models import Environment


class Account(StrEnum):
    """An account of the books, which has nothing to do with those that hold coins."""

    RECEIVABLE = "accounts_receivable"
    RECEIVABLE_ADS = "receivable_ads"
    DEFERRED = "deferred_revenue"
    REVENUE_COINS = "revenue_coins"
    REVENUE_BREAKAGE = "revenue_breakage"
    REVENUE_DIFFERENCES = "revenue_differences"
    REVENUE_PASSES = "revenue_passes"
    REVENUE_ADS = "revenue_ads"


@dataclass(frozen=True)
class Booking:
    """What a kind of posting means to the books."""

    words: str
    debit: Account
    credit: Account


#: By the kinds that journal.sql tells apart, in the order of the page.
BOOKINGS: Mapping[str, Booking] = {
    "sale": Booking(
        "Coins sold: owed by the store, net of tax and its fee",
        Account.RECEIVABLE,
        Account.DEFERRED,
    ),
    "spent": Booking(
        "Coins spent on episodes: their value is earned", Account.DEFERRED, Account.REVENUE_COINS
    ),
    "undone": Booking(
        "Unlocks undone: the coins are back, their value is not earned yet",
        Account.DEFERRED,
        Account.REVENUE_COINS,
    ),
    "lapsed": Booking(
        "Bought coins lapsed unspent: their value is earned",
        Account.DEFERRED,
        Account.REVENUE_BREAKAGE,
    ),
    "refunded_deferred": Booking(
        "Refunds of coins that were taken back unspent", Account.DEFERRED, Account.RECEIVABLE
    ),
    "refunded_recognised": Booking(
        "Refunds of coins that had been spent: their value is earned no more",
        Account.REVENUE_COINS,
        Account.RECEIVABLE,
    ),
    "refunded_difference": Booking(
        "Refunds of coins that had lapsed, and what whole coins leave over",
        Account.REVENUE_DIFFERENCES,
        Account.RECEIVABLE,
    ),
    "reversed_deferred": Booking(
        "Refunds that did not stand: coins given back unspent",
        Account.DEFERRED,
        Account.RECEIVABLE,
    ),
    "reversed_recognised": Booking(
        "Refunds that did not stand: the value of spent coins is earned again",
        Account.REVENUE_COINS,
        Account.RECEIVABLE,
    ),
    "reversed_difference": Booking(
        "Refunds that did not stand: lapsed coins, and what whole coins leave over",
        Account.REVENUE_DIFFERENCES,
        Account.RECEIVABLE,
    ),
    "pass_sale": Booking(
        "Passes sold: owed by the store, net of tax and its fee",
        Account.RECEIVABLE,
        Account.DEFERRED,
    ),
    "pass_earned": Booking(
        "Passes: the value of time that went by is earned, less what refunds took of it",
        Account.DEFERRED,
        Account.REVENUE_PASSES,
    ),
    "pass_refunded": Booking(
        "Refunds of passes, less those that did not stand", Account.DEFERRED, Account.RECEIVABLE
    ),
    "fee_settled": Booking(
        "Store fees beyond what was estimated, less what was estimated beyond them",
        Account.REVENUE_DIFFERENCES,
        Account.RECEIVABLE,
    ),
    "ad": Booking(
        "Ads watched: owed by the network, as estimated",
        Account.RECEIVABLE_ADS,
        Account.REVENUE_ADS,
    ),
    "ad_settled": Booking(
        "Ads watched: what impressions and networks' reports say beyond the estimates, less what they say"
        " below them",
        Account.RECEIVABLE_ADS,
        Account.REVENUE_ADS,
    ),
}


@dataclass(frozen=True)
class Line:
    """One side of an accounting entry. Lines come in pairs: the debit, then the credit."""

    environment: str
    day: date
    provider: str
    words: str
    account: Account
    debit_micros: int
    credit_micros: int


def of_day(day: date) -> Sequence[Line]:
    """The entries of a day of the reporting zone, those of each environment by themselves."""
    order = list(BOOKINGS)
    return [
        line
        for environment in Environment.values
        for kind, provider, micros in sorted(
            queries.window(
                "journal",
                environment=environment,
                start=closing.day_starts_at(day),
                end=closing.day_starts_at(day + closing.DAY),
            ),
            key=lambda row: (row[1], order.index(row[0])),
        )
        for line in _pair(environment, day, provider, BOOKINGS[kind], micros)
    ]


def table(lines: Iterable[Line]) -> Table:
    """The entries as a file or a terminal shows them."""
    return Table(
        notes=[
            f"amounts in micros (millionths) of {settings.REPORTING_CURRENCY}",
            f"days of the zone {settings.REPORTING_ZONE.key}",
        ],
        columns=[
            "environment",
            "day",
            "provider",
            "words",
            "account",
            "debit_micros",
            "credit_micros",
        ],
        rows=[
            [
                line.environment,
                line.day,
                line.provider,
                line.words,
                line.account,
                line.debit_micros or None,
                line.credit_micros or None,
            ]
            for line in lines
        ],
    )


def _pair(
    environment: str, day: date, provider: str, booking: Booking, micros: int
) -> Sequence[Line]:
    """Both sides of a posting; less than nothing is the opposite posting, nothing is none."""
    if micros == 0:
        return []
    sides = (booking.debit, booking.credit) if micros > 0 else (booking.credit, booking.debit)
    return [
        Line(
            environment=environment,
            day=day,
            provider=provider,
            words=booking.words,
            account=account,
            debit_micros=abs(micros) if is_debit else 0,
            credit_micros=0 if is_debit else abs(micros),
        )
        for account, is_debit in zip(sides, (True, False), strict=True)
    ]
