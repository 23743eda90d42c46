"""What earlier runs have found and is not settled, looked at again by the run that is under way."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from payments.models import Difference, DifferenceCause, DifferenceState
from payments.reconciliation import booked, comparing, comparison, differences
from payments.reconciliation.booked import Booked
from payments.reconciliation.comparing import Found, Theirs
from payments.reconciliation.comparison import ABSENT, MISSING, Comparison, is_settled
from payments.reconciliation.healing import Word

#: So much of it in a run.
LOOKED_AT_AGAIN = 2_000
#: Of so many days the list is read again for what only a list can say.
DAYS_LISTED_AGAIN = 3
#: A store's time of a sale and ours are not the same, and lists lag: they are read so much further at either end.
OVERLAP = timedelta(days=2)
_DAY = timedelta(days=1)


@dataclass
class SecondLook:
    """At what the comparison has not come by; `gone` is what turned out to be settled."""

    of: Comparison
    gone: set[UUID] = field(default_factory=set)

    def carry_out(self) -> None:
        """What earlier runs have found, and this one has not come by."""
        left = list(differences.to_look_at(self.of.row, now=self.of.now)[:LOOKED_AT_AGAIN])
        looked_at = self._list_again(left)
        for difference in left:
            if self.of.is_late(2 * comparison.LONGEST_RUN_SECONDS):
                break
            if difference.cause in differences.OF_LISTS or difference.id in self.gone:
                continue
            found = _found(difference)
            here = booked.load([difference.transaction_id], self.of.window).get(
                difference.transaction_id
            )
            with self.of.unforeseen(found, difference.transaction_id, here):
                self._again(difference, found, here)
            if not _is_for_list(difference):
                looked_at.append(difference.id)
        Difference.objects.filter(id__in=looked_at).update(looked_at=self.of.now)

    def _list_again(self, left: Sequence[Difference]) -> list[UUID]:
        """Reads the lists of some days again, for what only they can say; returns what that was."""
        by_day: dict[date, list[Difference]] = {}
        for difference in left:
            if _is_for_list(difference):
                by_day.setdefault(difference.occurred_at.date(), []).append(difference)
        looked_at = []
        for day, group in list(by_day.items())[:DAYS_LISTED_AGAIN]:
            names = {difference.transaction_id for difference in group}
            here = booked.load(names, self.of.window)
            theirs = self._listed_again(day, names, here)
            for difference in group:
                self._by_list(difference, here, theirs)
                looked_at.append(difference.id)
        return looked_at

    def _listed_again(
        self, day: date, names: Collection[str], here: dict[str, Booked]
    ) -> dict[str, Theirs]:
        midnight = datetime.combine(day, datetime.min.time(), UTC)
        lines = self.of.adapter.listed(
            environment=self.of.row.environment,
            since=midnight - OVERLAP,
            until=min(midnight + _DAY + OVERLAP, self.of.now),
            known=[one.known for one in here.values()],
            now=self.of.now,
        )
        return comparing.gathered(line for line in lines if line.transaction_id in names)

    def _by_list(
        self, difference: Difference, here: dict[str, Booked], theirs: dict[str, Theirs]
    ) -> None:
        """Gone, if the list has it now and nothing is wrong with it."""
        ours = here.get(difference.transaction_id)
        listed = theirs.get(difference.transaction_id, Theirs())
        is_listed = bool(
            difference.line_id in listed.latest if difference.line_id else listed.sales
        )
        if ours is None or not is_listed:
            return
        wrong = comparing.compare(ours.ours, listed, until=self.of.now)
        if (difference.cause, difference.line_id) not in {
            (one.cause, one.line_id) for one in wrong
        }:
            self._is_gone(difference)

    def _again(self, difference: Difference, found: Found, here: Booked | None) -> None:
        name = difference.transaction_id
        if difference.cause == DifferenceCause.NOT_DELIVERED:
            if here is None or here.ours.is_delivered:
                self._is_gone(difference)
            return
        if difference.cause in MISSING and _is_here(here, difference.line_id):
            self._is_gone(difference)
            return
        word = self.of.ask_about(name, here, None, found)
        if word.is_foreign:
            return
        if difference.cause in MISSING:
            self._heal_again(difference, found, here, word)
        elif not _is_here(here, difference.line_id):
            self._is_gone(difference)
        elif difference.state == DifferenceState.WAITING:
            self.of.wait(found, name, here, word)

    def _heal_again(
        self, difference: Difference, found: Found, here: Booked | None, word: Word
    ) -> None:
        if word.theirs is None:
            return
        if is_settled(found, here, word.theirs):
            self._is_gone(difference)
            return
        self.of.heal(found, difference.transaction_id, here, None, word)

    def _is_gone(self, difference: Difference) -> None:
        self.gone.add(difference.id)
        Difference.objects.filter(id=difference.id).update(
            state=DifferenceState.GONE, changed_at=self.of.now
        )


def _is_for_list(difference: Difference) -> bool:
    """Whether it is gone when the list has it, and only then."""
    return difference.cause in (*differences.OF_LISTS, *ABSENT)


def _found(difference: Difference) -> Found:
    return Found(
        cause=DifferenceCause(difference.cause),
        occurred_at=difference.occurred_at,
        line_id=difference.line_id,
        our_micros=difference.our_micros,
        their_micros=difference.their_micros,
        their_currency=difference.their_currency,
    )


def _is_here(here: Booked | None, refund_id: str) -> bool:
    return here is not None and (not refund_id or refund_id in here.ours.refunds)
