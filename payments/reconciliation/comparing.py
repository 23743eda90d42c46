"""One transaction as a store lists it and as it is booked here, side by side. Pure: rows and lists come in, what
differs comes out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from payments.models.reconciliation import DifferenceCause
from payments.providers.base import Listed, ListedKind


@dataclass(frozen=True, kw_only=True)
class OurRefund:
    """What a refund that stands took of the gross price. `is_expected` says that a list of that time has it."""

    gross_micros: int
    refunded_at: datetime
    is_expected: bool


@dataclass(frozen=True, kw_only=True)
class Ours:
    """A sale as it is booked. What cost nothing is in no list; else `is_expected` is as of a refund."""

    currency: str
    gross_micros: int
    purchased_at: datetime
    is_expected: bool
    is_delivered: bool = True
    refunds: Mapping[str, OurRefund] = field(default_factory=dict)


@dataclass
class Theirs:
    """What a store lists of one transaction: sales by their lines, and the latest of each refund by its name."""

    sales: dict[str, Listed] = field(default_factory=dict)
    latest: dict[str, Listed] = field(default_factory=dict)

    @property
    def refunds(self) -> Mapping[str, Listed]:
        """Those that stand."""
        return {name: line for name, line in self.latest.items() if _is_refund(line)}

    @property
    def subscription_id(self) -> str:
        return next((line.subscription_id for line in self.sales.values()), "")

    def add(self, line: Listed) -> None:
        """A line that is listed again is the same line."""
        if line.kind is ListedKind.SALE:
            self.sales[line.line_id] = line
            return
        known = self.latest.get(line.line_id)
        # Of two at one moment the one that is listed last is later.
        if known is None or known.occurred_at <= line.occurred_at:
            self.latest[line.line_id] = line


@dataclass(frozen=True, kw_only=True)
class Found:
    """Something that differs. `line_id` is "" unless it is of one refund; amounts are gross."""

    cause: DifferenceCause
    occurred_at: datetime
    line_id: str = ""
    our_micros: int | None = None
    their_micros: int | None = None
    their_currency: str = ""


def gathered(lines: Iterable[Listed]) -> dict[str, Theirs]:
    """A list by the transactions that it is of."""
    found: dict[str, Theirs] = {}
    for line in lines:
        found.setdefault(line.transaction_id, Theirs()).add(line)
    return found


def compare(ours: Ours | None, theirs: Theirs | None, *, until: datetime) -> Iterator[Found]:
    """What of one transaction differs. What the store lists from `until` on is too young to be missed here."""
    theirs = theirs or Theirs()
    if ours is None:
        yield from _missing_here(theirs, until)
        return
    yield from _sale(ours, theirs)
    yield from _refunds(ours, theirs, until)
    if not ours.is_delivered:
        yield Found(
            cause=DifferenceCause.NOT_DELIVERED,
            occurred_at=ours.purchased_at,
            our_micros=ours.gross_micros,
        )


def _missing_here(theirs: Theirs, until: datetime) -> Iterator[Found]:
    """Refunds of it say nothing that the sale, once it is booked, does not bring with it."""
    sold = [line for line in theirs.sales.values() if line.occurred_at < until]
    if sold:
        first = sold[0]
        yield Found(
            cause=DifferenceCause.MISSING_HERE,
            occurred_at=first.occurred_at,
            their_micros=_total(sold),
            their_currency=first.currency,
        )


def _sale(ours: Ours, theirs: Theirs) -> Iterator[Found]:
    sold = list(theirs.sales.values())
    if not sold:
        if ours.is_expected and ours.gross_micros > 0:
            yield Found(
                cause=DifferenceCause.MISSING_THERE,
                occurred_at=ours.purchased_at,
                our_micros=ours.gross_micros,
            )
        return
    cause = _wrong_with(sold, ours)
    if cause is not None:
        yield Found(
            cause=cause,
            occurred_at=ours.purchased_at,
            our_micros=ours.gross_micros,
            their_micros=_total(sold),
            their_currency=sold[0].currency,
        )


def _wrong_with(sold: list[Listed], ours: Ours) -> DifferenceCause | None:
    """Several payments may make one price; more than the price is paid twice."""
    amounts = [line.amount_micros for line in sold if line.amount_micros is not None]
    if len(amounts) < len(sold):
        return DifferenceCause.DUPLICATE if len(sold) > 1 else None
    if any(line.currency != ours.currency for line in sold):
        return DifferenceCause.CURRENCY_DIFFERS
    if sum(amounts) == ours.gross_micros:
        return None
    is_twice = len(sold) > 1 and ours.gross_micros in amounts
    return DifferenceCause.DUPLICATE if is_twice else DifferenceCause.AMOUNT_DIFFERS


def _refunds(ours: Ours, theirs: Theirs, until: datetime) -> Iterator[Found]:
    """By their sum first, since an operator may have booked under a name of our own what the store gave back."""
    listed = {
        name: _given_back(line, ours)
        for name, line in theirs.refunds.items()
        if line.occurred_at < until or name in ours.refunds
    }
    booked = {name: refund.gross_micros for name, refund in ours.refunds.items()}
    if _sum(listed.values()) == sum(booked.values()):
        return
    for name in listed.keys() - booked.keys():
        yield Found(
            cause=DifferenceCause.REFUND_MISSING_HERE,
            occurred_at=theirs.refunds[name].occurred_at,
            line_id=name,
            their_micros=listed[name],
            their_currency=theirs.refunds[name].currency,
        )
    for name in booked.keys() - listed.keys():
        refund = ours.refunds[name]
        if refund.is_expected and refund.gross_micros > 0:
            yield Found(
                cause=DifferenceCause.REFUND_MISSING_THERE,
                occurred_at=refund.refunded_at,
                line_id=name,
                our_micros=refund.gross_micros,
            )
    if not listed.keys() - booked.keys():
        yield from _other_amounts(ours, theirs, listed)


def _other_amounts(ours: Ours, theirs: Theirs, listed: Mapping[str, int | None]) -> Iterator[Found]:
    for name in listed.keys() & ours.refunds.keys():
        amount, booked = listed[name], ours.refunds[name].gross_micros
        if amount is not None and min(amount, ours.gross_micros) != booked:
            yield Found(
                cause=DifferenceCause.AMOUNT_DIFFERS,
                occurred_at=theirs.refunds[name].occurred_at,
                line_id=name,
                our_micros=booked,
                their_micros=amount,
                their_currency=theirs.refunds[name].currency,
            )


def _given_back(line: Listed, ours: Ours) -> int | None:
    """None where it is not known how much, or in another currency than the price."""
    if not line.has_amount or line.currency not in {"", ours.currency}:
        return None
    return ours.gross_micros if line.amount_micros is None else line.amount_micros


def _sum(amounts: Iterable[int | None]) -> int | None:
    total = 0
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


def _total(sold: list[Listed]) -> int | None:
    return _sum(line.amount_micros for line in sold)


def _is_refund(line: Listed) -> bool:
    return line.kind is ListedKind.REFUND
