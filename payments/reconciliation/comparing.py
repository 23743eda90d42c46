"""One transaction as a store lists it and as it is booked here, side by side. Pure: rows and lists come in, what
differs comes out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from payments.models.reconciliation import DifferenceCause
from payments.providers.base import Listed, ListedKind


@dataclass(frozen=True, kw_only=True)
class OurRefund:
    """What a refund that stands took of the gross price. `is_expected` says that a list of that time has it. What an
    operator wrote down may have another name at the store."""

    gross_micros: int
    refunded_at: datetime
    is_expected: bool
    is_by_operator: bool = False


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
    """By their names first. Of what is left the sums may be the same, since an operator may have booked under a name
    of our own what the store gave back; a list is of a few days, so nothing is in such a sum that is not of these."""
    listed = {
        name: _given_back(line, ours)
        for name, line in theirs.refunds.items()
        if line.occurred_at < until or name in ours.refunds
    }
    yield from _other_amounts(ours, theirs, listed)
    there = [name for name in listed if name not in ours.refunds]
    here = {
        name: refund
        for name, refund in ours.refunds.items()
        if name not in listed and refund.is_expected and refund.gross_micros > 0
    }
    booked_micros = sum(refund.gross_micros for refund in here.values())
    if _sum(listed[name] for name in there) == booked_micros:
        return
    for name in there:
        line = theirs.refunds[name]
        yield Found(
            cause=DifferenceCause.REFUND_MISSING_HERE,
            occurred_at=line.occurred_at,
            line_id=name,
            their_micros=listed[name],
            their_currency=line.currency,
        )
    for name, refund in here.items():
        yield Found(
            cause=DifferenceCause.REFUND_MISSING_THERE,
            occurred_at=refund.refunded_at,
            line_id=name,
            our_micros=refund.gross_micros,
        )


def _other_amounts(ours: Ours, theirs: Theirs, listed: Mapping[str, int | None]) -> Iterator[Found]:
    """Less may be booked than went back where nothing of the price was left."""
    is_all_back = _booked_micros(ours) == ours.gross_micros
    for name in listed.keys() & ours.refunds.keys():
        amount, booked = listed[name], ours.refunds[name].gross_micros
        if amount is None or amount == booked or (booked < amount and is_all_back):
            continue
        yield Found(
            cause=DifferenceCause.AMOUNT_DIFFERS,
            occurred_at=theirs.refunds[name].occurred_at,
            line_id=name,
            our_micros=booked,
            their_micros=amount,
            their_currency=theirs.refunds[name].currency,
        )


@dataclass(frozen=True)
class Matched:
    """The names of refunds that the other side has, by this name or by another."""

    ours: frozenset[str]
    theirs: frozenset[str]


def match(ours: Ours, theirs: Theirs) -> Matched:
    """Which refunds are the same, where `theirs` is all that the store knows of the transaction and no list.

    By name; else all of them, if both sides have given back the same; else an operator's and one of its amount, the
    nearest in time.
    """
    listed = {name: _given_back(line, ours) for name, line in theirs.refunds.items()}
    if _sum(listed.values()) == _booked_micros(ours):
        return Matched(frozenset(ours.refunds), frozenset(listed))
    here = set(listed.keys() & ours.refunds.keys())
    there = set(here)
    for name, refund in ours.refunds.items():
        if name in here or not refund.is_by_operator:
            continue
        same = [one for one in listed if one not in there and listed[one] == refund.gross_micros]
        if same:
            here.add(name)
            there.add(min(same, key=lambda one: _apart(theirs.refunds[one], refund)))
    return Matched(frozenset(here), frozenset(there))


def _apart(line: Listed, refund: OurRefund) -> timedelta:
    return abs(line.occurred_at - refund.refunded_at)


def _booked_micros(ours: Ours) -> int:
    return sum(refund.gross_micros for refund in ours.refunds.values())


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
