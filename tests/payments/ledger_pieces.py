"""What the model of the ledger is made of: lots, what came out of them, and what that opened."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

REVENUE = ("purchase", "pack_bonus")


@dataclass(eq=False)
class Lot:
    """Coins of one origin. After n of them have left, floor(value × n ÷ granted) has left with them."""

    kind: str
    origin: str
    granted: int
    value: int
    granted_at: datetime
    expires_at: datetime | None = None
    left: int = field(init=False)
    left_value: int = field(init=False)

    def __post_init__(self) -> None:
        self.left, self.left_value = self.granted, self.value

    def is_live(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at

    def take(self, coins: int) -> "Part":
        gone = self.granted - self.left + coins
        stays = min(self.left_value, self.value - self.value * gone // self.granted)
        part = Part(self, coins, self.left_value - stays)
        self.left, self.left_value = self.left - coins, stays
        return part


@dataclass(eq=False)
class Part:
    """Coins out of one lot, with the value that went with them."""

    lot: Lot
    coins: int
    value: int
    owed: int = 0
    owed_value: int = 0

    def put_back(self) -> None:
        self.lot.left += self.coins
        self.lot.left_value += self.value

    def disown(self, coins: int) -> "Part":
        """No longer earned: n of c coins bring floor(value × n ÷ c) back."""
        value = self.value * (self.owed + coins) // self.coins - self.owed_value
        self.owed, self.owed_value = self.owed + coins, self.owed_value + value
        return Part(self.lot, coins, value)


@dataclass(eq=False)
class Opening:
    """An episode that may be watched, until a moment or for good."""

    episode: int
    source: str
    ends_at: datetime | None = None
    is_played: bool = False
    is_closed: bool = False

    def is_live(self, now: datetime) -> bool:
        return not self.is_closed and (self.ends_at is None or now < self.ends_at)


@dataclass(eq=False)
class Unlock:
    opening: Opening
    parts: list[Part]
    is_undone: bool = False

    def coins(self, kind: str) -> int:
        return sum(part.coins for part in self.parts if part.lot.kind == kind)

    def value(self, *, is_revenue: bool) -> int:
        parts = [part for part in self.parts if (part.lot.origin != "reward") is is_revenue]
        return sum(part.value for part in parts)

    def earned(self) -> int:
        """The revenue of it that stands."""
        owed = sum(part.owed_value for part in self.parts)
        return 0 if self.is_undone else self.value(is_revenue=True) - owed

    def undo(self) -> None:
        self.is_undone = self.opening.is_closed = True
        for part in self.parts:
            part.put_back()


@dataclass(eq=False)
class Pass:
    starts_at: datetime
    ends_at: datetime
    openings: list[Opening] = field(default_factory=list)
    is_closed: bool = False


@dataclass(eq=False)
class Purchase:
    lots: list[Lot]
    due: int  # all its coins
    gross: int
    tax: int
    fee: int
    net: int
    gone_back: Counter[str] = field(default_factory=Counter)

    def part(self, name: str, gross: int) -> int:
        """How much of a figure goes back by now: its share of what went back, all of it with all."""
        whole: int = getattr(self, name)
        share = whole if gross == self.gross else whole * gross // self.gross
        return share - self.gone_back[name]


@dataclass(eq=False)
class Booking:
    """What a refund took: unlocks undone, coins out of lots, and parts of unlocks that are owed."""

    figures: dict[str, int]
    undone: list[Unlock]
    taken: list[Part]
    owed: list[tuple[Part, Part]]


@dataclass(eq=False)
class Refund:
    """What is known of one refund: the latest of its events counts."""

    name: str
    amount: int | None
    refunded_at: datetime | None
    reversed_at: datetime | None
    booking: Booking | None = None
    asked: int | None = None  # by its booking
    place: int = 0  # of its booking among all

    def hear(
        self, amount: int | None, refunded_at: datetime | None, reversed_at: datetime | None
    ) -> None:
        if refunded_at and (not self.refunded_at or refunded_at > self.refunded_at):
            self.amount = amount
        elif refunded_at and refunded_at == self.refunded_at and self.amount is not None:
            self.amount = None if amount is None else max(amount, self.amount)
        self.refunded_at = _later(self.refunded_at, refunded_at)
        self.reversed_at = _later(self.reversed_at, reversed_at)

    def stands(self) -> bool:
        return (
            bool(self.refunded_at)
            and _later(self.refunded_at, self.reversed_at) != self.reversed_at
        )

    def is_as_booked(self) -> bool:
        return self.stands() and self.asked == self.amount


@dataclass(eq=False)
class Gift:
    """What an operator gave: a lot (if a debt left one), an opening or a pass."""

    given: Lot | Opening | Pass | None
    is_revoked: bool = False


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else one or other
