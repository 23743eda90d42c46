"""What the ledger does, told in plain Python without a database: the oracle of the model tests.

Written from docs/money.md. Every figure is an exact integer; `now` is an argument everywhere.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.payments.ledger_pieces import (
    Booking,
    Gift,
    Lot,
    Opening,
    Part,
    Pass,
    Purchase,
    Refund,
    Unlock,
)


@dataclass
class Wallet:
    """One viewer's coins and episodes in one environment; the other environment has another."""

    lots: list[Lot] = field(default_factory=list)
    unlocks: list[Unlock] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)
    purchases: dict[str, Purchase] = field(default_factory=dict)
    refunds: dict[str, list[Refund]] = field(default_factory=lambda: defaultdict(list))
    bookings: list[dict[str, int]] = field(default_factory=list)
    debt: int = 0

    def coins(self, kind: str, *, at: datetime | None = None) -> int:
        """All coins of a kind, or with `at` those that can be spent then."""
        lots = (lot for lot in self.lots if at is None or lot.is_live(at))
        return sum(lot.left for lot in lots if lot.kind == kind)

    def spendable(self, now: datetime) -> tuple[int, int]:
        return self.coins("paid", at=now), self.coins("bonus", at=now)

    def opening_of(self, episode: int, now: datetime) -> Opening | None:
        live = (each for each in self.openings if each.episode == episode and each.is_live(now))
        return next(live, None)

    # Coming in

    def buy(self, name: str, *, paid: int, bonus: int, terms: dict[str, int], now: datetime) -> str:
        if name in self.purchases:
            return "duplicate"
        of_paid = terms["net"] * paid // (paid + bonus)
        lots = [Lot("paid", "purchase", paid, of_paid, now)]
        if bonus:
            lots.append(Lot("bonus", "pack_bonus", bonus, terms["net"] - of_paid, now))
        self.lots += lots
        self.purchases[name] = Purchase(lots, paid + bonus, **terms)
        self._settle(name, now)
        return "credited"

    def give(
        self, origin: str, coins: int, *, value: int, expires_at: datetime | None, now: datetime
    ) -> Lot | None:
        """Coins that nobody paid for: what is owed is repaid first, the rest is a lot."""
        kept = coins - min(coins, self.debt)
        self.debt -= coins - kept
        if not kept:
            return None
        self.lots.append(Lot("bonus", origin, kept, value * kept // coins, now, expires_at))
        return self.lots[-1]

    def give_pass(self, days: int, now: datetime) -> Pass:
        """It begins where the cover that is there ends."""
        ends = [each.ends_at for each in self.passes if not each.is_closed]
        starts_at = max([now, *ends])
        self.passes.append(Pass(starts_at, starts_at + timedelta(days=days)))
        return self.passes[-1]

    def give_episode(self, episode: int, now: datetime) -> Opening | None:
        if self.opening_of(episode, now):
            return None
        self.openings.append(Opening(episode, "grant"))
        return self.openings[-1]

    # Going out

    def spend(self, episode: int, price: int, now: datetime) -> str:
        if self.opening_of(episode, now):
            return "already_unlocked"
        if self._open_covered(episode, now):
            return "covered"
        if sum(self.spendable(now)) < price:
            return "insufficient_coins"
        never = datetime.max.replace(tzinfo=now.tzinfo)
        parts: list[Part] = []
        for lot in sorted(
            (lot for lot in self.lots if lot.left and lot.is_live(now)),
            key=lambda lot: (lot.kind == "paid", lot.expires_at or never, lot.granted_at),
        ):
            if coins := min(lot.left, price - sum(part.coins for part in parts)):
                parts.append(lot.take(coins))
        self._open(episode, parts)
        return "unlocked"

    def play(self, episodes: list[int], now: datetime) -> list[int]:
        """Asks for the first; returns those that may be watched, none where the first may not."""
        for episode in episodes:
            if not self.opening_of(episode, now):
                self._open_covered(episode, now)
        playable = [each for each in episodes if self.opening_of(each, now)]
        if episodes[0] not in playable:
            return []
        for episode in playable:
            self.opening_of(episode, now).is_played = True
        return playable

    def lapse(self, now: datetime) -> int:
        lapsed = [lot for lot in self.lots if lot.left and not lot.is_live(now)]
        for lot in lapsed:
            lot.take(lot.left)
        return len(lapsed)

    # Going back

    def undo(self, unlock: Unlock) -> str:
        """An operator undoes an unlock, played or not."""
        if unlock.is_undone:
            return "undone_before"
        if any(part.owed for part in unlock.parts):
            return "refunded"
        unlock.undo()
        return "undone"

    def revoke(self, gift: Gift, now: datetime) -> tuple[str, int]:
        """What is left of a gift is taken back; the coins of it that were there."""
        if gift.is_revoked:
            return "not_given", 0
        gift.is_revoked, coins = True, 0
        if isinstance(gift.given, Lot):
            coins = gift.given.left
            gift.given.take(coins)
            # What was spent of it and comes back later lapses at once.
            soon = now + timedelta(microseconds=1)
            gift.given.expires_at = min(gift.given.expires_at or soon, soon)
        elif isinstance(gift.given, Pass):
            gift.given.is_closed = True
            for opening in gift.given.openings:
                opening.is_closed = True
        elif gift.given:
            gift.given.is_closed = True
        return "revoked", coins

    def hear(
        self,
        name: str,
        refund: str,
        *,
        amount: int | None,
        refunded_at: datetime | None,
        reversed_at: datetime | None,
        now: datetime,
    ) -> str:
        """A fact of a refund of purchase `name`, in whatever order facts come."""
        found = next((each for each in self.refunds[name] if each.name == refund), None)
        if found is None:
            found = Refund(refund, amount, refunded_at, reversed_at)
            self.refunds[name].append(found)
        found.hear(amount, refunded_at, reversed_at)
        if name not in self.purchases:
            return "waiting"
        self._settle(name, now)
        if found.booking:
            return "taken"
        return "reversed" if found.refunded_at else "waiting"

    def _settle(self, name: str, now: datetime) -> None:
        """From the first booking on that does not hold any more, all give back; what stands takes."""
        known, lots = self.refunds[name], len(self.lots)
        booked = sorted((each for each in known if each.booking), key=lambda each: each.place)
        first = next((place for place, each in enumerate(booked) if not each.is_as_booked()), None)
        for each in reversed(booked[first:] if first is not None else []):
            self._give_back(self.purchases[name], each, now)
        standing = [each for each in known if each.stands() and not each.booking]
        for each in sorted(standing, key=lambda each: (each.refunded_at, each.name)):
            self._claw_back(self.purchases[name], each, now)
        for lot in self.lots[lots:]:  # came back for a debt that is no more: it repays what is owed
            self.debt -= lot.take(min(lot.left, self.debt)).coins

    def _claw_back(self, purchase: Purchase, refund: Refund, now: datetime) -> None:
        asked = purchase.gross if refund.amount is None else refund.amount
        gross = min(purchase.gone_back["gross"] + asked, purchase.gross)
        figures = {
            name: purchase.part(name, gross) for name in ("gross", "tax", "fee", "net", "due")
        }
        due = figures["due"]
        undone, taken, owed = self._undo_unplayed(purchase, due, now), [], []
        left = due
        for lot in sorted(purchase.lots, key=lambda lot: lot.kind == "paid"):
            if coins := min(lot.left, left):
                taken.append(lot.take(coins))
                left -= coins
        for unlock in reversed([each for each in self.unlocks if not each.is_undone]):
            for spent in sorted(unlock.parts, key=lambda part: part.lot.kind):
                coins = min(spent.coins - spent.owed, left)
                if spent.lot in purchase.lots and coins:
                    owed.append((spent, spent.disown(coins)))
                    left -= coins
        self.debt += sum(each.coins for _, each in owed)
        figures |= {
            "taken": sum(each.coins for each in taken),
            "debt": sum(each.coins for _, each in owed),
            "deferred": sum(each.value for each in taken),
            "recognised": sum(each.value for _, each in owed),
        }
        figures["difference"] = figures["net"] - figures["deferred"] - figures["recognised"]
        purchase.gone_back.update(figures)
        refund.booking, refund.asked = Booking(figures, undone, taken, owed), refund.amount
        refund.place = len(self.bookings)
        self.bookings.append(figures)

    def _undo_unplayed(self, purchase: Purchase, due: int, now: datetime) -> list[Unlock]:
        """Undoes what it paid for and nobody has played, newest first, until its lots hold `due`.

        Not what coins of lots that have expired helped to pay for: those would be lost to the viewer.
        """
        undone = []
        for unlock in reversed(self.unlocks):
            if sum(lot.left for lot in purchase.lots) >= due:
                break
            opening, lots = unlock.opening, [part.lot for part in unlock.parts]
            is_untouched = not opening.is_closed and not opening.is_played
            is_of_it = any(lot in purchase.lots for lot in lots)
            if is_untouched and is_of_it and all(lot.is_live(now) for lot in lots):
                unlock.undo()
                undone.append(unlock)
        return undone

    def _give_back(self, purchase: Purchase, refund: Refund, now: datetime) -> None:
        booking, refund.booking = refund.booking, None
        purchase.gone_back.subtract(booking.figures)
        self.bookings.append({name: -figure for name, figure in booking.figures.items()})
        for part in booking.taken:
            part.put_back()
        for part, owed in booking.owed:
            part.owed -= owed.coins
            part.owed_value -= owed.value
        repaid = max(booking.figures["debt"] - self.debt, 0)
        self.debt -= booking.figures["debt"] - repaid
        if repaid:
            self.lots.append(Lot("bonus", "debt_returned", repaid, 0, now))
        for unlock in reversed(booking.undone):
            self._restore(unlock, now)

    def _restore(self, unlock: Unlock, now: datetime) -> None:
        """Charges again out of the same lots, where nothing has happened to them and the episode."""
        gone = any(part.lot.left < part.coins or not part.lot.is_live(now) for part in unlock.parts)
        if not gone and not self.opening_of(unlock.opening.episode, now):
            self._open(unlock.opening.episode, [part.lot.take(part.coins) for part in unlock.parts])

    # Opening

    def _open(self, episode: int, parts: list[Part]) -> None:
        self.openings.append(Opening(episode, "coins"))
        self.unlocks.append(Unlock(self.openings[-1], parts))

    def _open_covered(self, episode: int, now: datetime) -> bool:
        covers = [
            each
            for each in self.passes
            if not each.is_closed and each.starts_at <= now < each.ends_at
        ]
        if not covers:
            return False
        cover = max(covers, key=lambda each: each.ends_at)
        cover.openings.append(Opening(episode, "subscription", cover.ends_at))
        self.openings.append(cover.openings[-1])
        return True
