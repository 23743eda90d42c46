"""Every drop, duplicate and edit among many transactions is found with its cause, and nothing else is."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from payments.models import Difference, Purchase, RefundOrigin
from payments.providers.base import StoreTransaction
from payments.providers.fake.books import Entry
from payments.store import operator_refunds, refunds
from payments.store.refunds import RefundFact
from tests.factories.operators import operator
from tests.factories.payments import as_owner
from tests.factories.viewers import DeviceFactory
from tests.payments.reconciliation.books import Shop, catch_up
from tests.proof import Proof

DAY = timedelta(days=1)
#: How many of every 300 faults are of a kind.
FAULTS = {
    "dropped_there": 80,
    "dropped_here": 60,
    "duplicated": 60,
    "amount_edited": 50,
    "currency_edited": 10,
    "refund_dropped_here": 20,
    "refund_dropped_there": 20,
    "second_part_dropped_here": 20,
    "list_lags_for_ever": 20,
}
#: What looks like a fault and is none, as often.
HARMLESS = {"operators_refund": 20, "list_lags": 20}
DAYS = 10


@dataclass
class Trade:
    """Some days of both sides, and what is to be found."""

    shop: Shop
    dice: random.Random
    now: datetime
    operator_id: int
    later: list[Entry] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    expected: set[tuple[str, str, str]] = field(default_factory=set)

    def carry_on(self, kind: str) -> None:
        """One transaction, as it should be or with a fault of a kind."""
        sale = self.shop.sale(self._moment(), price_micros=self.dice.randint(1, 99) * 990_000)
        act = _ACTS.get(kind)
        if act is not None:
            act(self, sale)
            return
        self.sold(sale)
        self.booked(sale)
        if self.dice.random() < 0.05:
            self.given_back(sale, here=True, there=True)

    def sold(self, sale: StoreTransaction, **of_line: Any) -> None:
        self.entries.append(Entry(transaction=sale, **of_line))

    def booked(self, sale: StoreTransaction) -> Purchase:
        """A little later, as notifications and apps do."""
        late = timedelta(seconds=self.dice.choice([0, 1, 60, 3600, 7200]))
        return self.shop.booked(sale, at=sale.purchased_at + late)

    def given_back(
        self,
        sale: StoreTransaction,
        *,
        here: bool,
        there: bool,
        part: str = "",
        amount_micros: int | None = None,
        at: datetime | None = None,
    ) -> None:
        at = at or sale.purchased_at + timedelta(hours=self.dice.randint(3, 12))
        name = f"re-{sale.transaction_id}{part}"
        if there:
            self.shop.refunded(sale.transaction_id, at, refund_id=name, amount_micros=amount_micros)
        if here:
            refunds.record(
                RefundFact(
                    provider="fake",
                    environment="production",
                    transaction_id=sale.transaction_id,
                    refund_id=name,
                    origin=RefundOrigin.STORE,
                    refunded_at=at,
                    amount_micros=amount_micros,
                ),
                now=at,
            )

    def expects(self, sale: StoreTransaction, cause: str, state: str) -> None:
        self.expected.add((sale.transaction_id, cause, state))

    def _moment(self) -> datetime:
        """Anywhere in the week that is looked at, its edges and midnights often."""
        edge = self.now - DAY - self.dice.randint(1, 6) * DAY
        seconds = self.dice.choice([0, 1, -1, self.dice.randint(0, 86_000)])
        return edge + timedelta(seconds=seconds)


def dropped_there(trade: Trade, sale: StoreTransaction) -> None:
    """The store has lost it, from its list and from what it knows."""
    trade.booked(sale)
    trade.expects(sale, "missing_there", "open")


def dropped_here(trade: Trade, sale: StoreTransaction) -> None:
    trade.sold(sale)
    trade.expects(sale, "missing_here", "healed")


def duplicated(trade: Trade, sale: StoreTransaction) -> None:
    trade.sold(sale)
    trade.sold(sale, line_id=f"{sale.transaction_id}-again")
    trade.booked(sale)
    trade.expects(sale, "duplicate", "open")


def amount_edited(trade: Trade, sale: StoreTransaction) -> None:
    """By a cent, or by a decimal place."""
    price = sale.price_micros or 0
    other = trade.dice.choice([price + 10_000, price - 10_000, price * 10])
    trade.sold(replace(sale, price_micros=other))
    trade.booked(sale)
    trade.expects(sale, "amount_differs", "open")


def currency_edited(trade: Trade, sale: StoreTransaction) -> None:
    trade.sold(replace(sale, currency="EUR"))
    trade.booked(sale)
    trade.expects(sale, "currency_differs", "open")


def refund_dropped_here(trade: Trade, sale: StoreTransaction) -> None:
    trade.sold(sale)
    trade.booked(sale)
    trade.given_back(sale, here=False, there=True)
    trade.expects(sale, "refund_missing_here", "healed")


def refund_dropped_there(trade: Trade, sale: StoreTransaction) -> None:
    trade.sold(sale)
    trade.booked(sale)
    trade.given_back(sale, here=True, there=False)
    trade.expects(sale, "refund_missing_there", "open")


def second_part_dropped_here(trade: Trade, sale: StoreTransaction) -> None:
    """Two equal parts went back; the first was booked, long before the second or in the same hours."""
    sale = replace(sale, purchased_at=sale.purchased_at - trade.dice.choice([0, 20]) * DAY)
    trade.sold(sale)
    trade.booked(sale)
    part = (sale.price_micros or 0) // 3
    late = trade.now - DAY - trade.dice.randint(1, 4) * DAY
    trade.given_back(sale, here=True, there=True, part="-1", amount_micros=part)
    trade.given_back(sale, here=False, there=True, part="-2", amount_micros=part, at=late)
    trade.expects(sale, "refund_missing_here", "healed")


def operators_refund(trade: Trade, sale: StoreTransaction) -> None:
    """Booked by a name of ours, and paid by the store under its own, hours apart."""
    trade.sold(sale)
    purchase = trade.booked(sale)
    part = (sale.price_micros or 0) // trade.dice.choice([1, 2])
    at = sale.purchased_at + timedelta(hours=trade.dice.randint(3, 12))
    operator_refunds.by_operator(
        purchase, operator_id=trade.operator_id, reason="-", now=at, amount_micros=part
    )
    trade.given_back(
        sale,
        here=False,
        there=True,
        amount_micros=part,
        at=at + timedelta(minutes=trade.dice.randint(0, 300)),
    )


def list_lags(trade: Trade, sale: StoreTransaction) -> None:
    """The store knows it by name, and some days later its list has it as well."""
    trade.entries.append(Entry(transaction=sale, is_listed=False))
    trade.booked(sale)
    trade.later.append(Entry(transaction=sale))
    trade.expects(sale, "missing_there", "gone")


def list_lags_for_ever(trade: Trade, sale: StoreTransaction) -> None:
    trade.entries.append(Entry(transaction=sale, is_listed=False))
    trade.booked(sale)
    trade.expects(sale, "missing_there", "open")


_ACTS: Mapping[str, Callable[[Trade, StoreTransaction], None]] = {
    act.__name__: act
    for act in (
        dropped_there,
        dropped_here,
        duplicated,
        amount_edited,
        currency_edited,
        refund_dropped_here,
        refund_dropped_there,
        second_part_dropped_here,
        operators_refund,
        list_lags,
        list_lags_for_ever,
    )
}


def kinds(transactions: int, of: Mapping[str, int]) -> Iterator[str]:
    """Three faults in a hundred transactions, each kind at least once."""
    share = transactions / 10_000
    for kind, number in of.items():
        yield from [kind] * max(round(number * share), 1)


def test_finds_every_fault_with_its_cause_and_nothing_else(
    shop: Shop, proof: Proof, now: datetime
) -> None:
    proof.count = 10_000 if proof.is_full else 200
    dice = random.Random(proof.seed)  # noqa: S311  replayable, not secret
    faults = list(kinds(proof.count, FAULTS))
    harmless = list(kinds(proof.count, HARMLESS))
    plan = [*faults, *harmless, *["fine"] * (proof.count - len(faults) - len(harmless))]
    dice.shuffle(plan)
    trade = Trade(shop, dice, now, operator("first").id)
    for number, kind in enumerate(plan):
        if number % 50 == 0:
            shop.device = DeviceFactory()
        if number % 1000 == 400:
            with as_owner() as cursor:  # else all of it is planned for empty tables
                cursor.execute("ANALYZE")
        trade.carry_on(kind)
    shop.books.write(*trade.entries)

    done = []
    for day in range(DAYS):
        if day == 3:
            shop.books.write(*trade.later)
        done += catch_up(now + day * DAY)

    assert {one.state for one in done} == {"finished"}
    got = set(Difference.objects.values_list("transaction_id", "cause", "state"))
    missed, false = trade.expected - got, got - trade.expected
    proof.record(
        "P20",
        f"reconciliation: {len(faults)} drops, duplicates and edits of a store's list, each with its cause",
        violations=len(missed) + len(false),
    )
    assert (missed, false) == (set(), set())
    assert len(faults) + len(trade.later) == len(trade.expected)
    assert Purchase.objects.count() == proof.count
    healed = sum(state == "healed" for _, _, state in trade.expected)
    assert sum(one.healed_count for one in done) == healed
