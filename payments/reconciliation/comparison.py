"""A store's list held against our books: what differs is asked about by name, booked where it can be, and kept.

Before anything is called missing the store is asked about it, and what it sold and we do not have is booked as if it
had told us.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from celery.exceptions import SoftTimeLimitExceeded

from payments.models import DifferenceCause, DifferenceState, Reconciliation
from payments.providers.base import Facts, Known, Listed, Lists, ProviderError
from payments.reconciliation import booked, comparing, differences, fees, healing
from payments.reconciliation.booked import Booked, Window
from payments.reconciliation.comparing import Found, Theirs
from payments.reconciliation.healing import Word

logger = logging.getLogger(__name__)

AT_ONCE = 200
#: After so long a run ends where it has got to, and the next goes on from there. A list that asks about each sale has
#: half of that.
LONGEST_RUN_SECONDS = 90
#: A list of another app than ours would have a store asked for ever.
MAXIMUM_QUESTIONS = 5_000

#: What one side has and the other has not.
MISSING = (DifferenceCause.MISSING_HERE, DifferenceCause.REFUND_MISSING_HERE)
ABSENT = (DifferenceCause.MISSING_THERE, DifferenceCause.REFUND_MISSING_THERE)


class TooManyQuestions(Exception):
    """So much is missing that the list must be of something else."""


@dataclass
class Comparison:
    """One run under way: the row that it leaves, whom it asks, and what of our books is expected in the list."""

    row: Reconciliation
    adapter: Lists
    window: Window
    listed_since: datetime
    now: datetime
    questions: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    began_seconds: float = field(default_factory=time.monotonic)

    def known(self) -> Iterator[Known]:
        """What the list may be asked about; the window ends where half of the time was over."""
        for moment, one in booked.known_of(self.window):
            if self.is_late(LONGEST_RUN_SECONDS / 2) and moment > self.window.since:
                self._end_at(moment)
                return
            yield one

    def carry_out(self, lines: Iterable[Listed]) -> None:
        """Compares all of it, or what the time is enough for. Raises ProviderError, TooManyQuestions; what was found
        until then is kept."""
        theirs: dict[str, Theirs] = {}
        for line in lines:
            theirs.setdefault(line.transaction_id, Theirs()).add(line)
            self.row.listed_count += 1
        for names, moment in _batches(_moments(theirs, self.window)):
            if self.is_late(LONGEST_RUN_SECONDS) and moment > self.window.since:
                self._end_at(moment)
                break
            self._compare(names, theirs)
        self.row.booked_count = booked.count(self.window)
        outcome = fees.settle_waiting(run=self.row, now=self.now)
        self._count(DifferenceCause.FEE_DIFFERS, outcome.adjusted)

    def is_late(self, seconds: float) -> bool:
        """Never of a report, which is of a time that is over and is read whole."""
        return self.row.report_id is None and time.monotonic() - self.began_seconds > seconds

    def _end_at(self, moment: datetime) -> None:
        self.window = replace(self.window, until=min(moment, self.window.until))
        self.row.until = self.window.until

    def _compare(self, names: Sequence[str], theirs: dict[str, Theirs]) -> None:
        here = booked.load(names, self.window)
        agreed = []
        for name in names:
            ours, listed = here.get(name), theirs.get(name)
            found = list(
                comparing.compare(ours.ours if ours else None, listed, until=self._judged_until)
            )
            for one in found:
                with self.unforeseen(one, name, ours):
                    self._settle(one, name, ours, listed)
            if not found and ours and listed and listed.sales:
                agreed.append(name)
        differences.agree(agreed, run=self.row, now=self.now)
        self._settle_fees(booked.load(names, self.window), theirs)

    @contextmanager
    def unforeseen(self, found: Found, name: str, ours: Booked | None) -> Iterator[None]:
        """What nobody has thought of happens to one difference, and not to the others."""
        try:
            yield
        except (ProviderError, TooManyQuestions, SoftTimeLimitExceeded):
            raise
        except Exception as error:
            logger.exception("%s could not be settled", name)
            self.keep(found, name, ours, DifferenceState.OPEN, f"It cannot be settled: {error!r}")

    @property
    def _judged_until(self) -> datetime:
        """A report is of what is over."""
        return self.now if self.row.report_id else self.window.until

    def _settle_fees(self, here: dict[str, Booked], theirs: dict[str, Theirs]) -> None:
        pairs = [
            (one, line)
            for name, one in here.items()
            if (listed := theirs.get(name)) is not None
            for line in (*listed.sales.values(), *listed.latest.values())
        ]
        outcome = fees.settle(pairs, run=self.row, now=self.now)
        self._count(DifferenceCause.FEE_DIFFERS, outcome.adjusted)
        self.row.fees_waiting_count += outcome.waiting

    def _settle(self, found: Found, name: str, ours: Booked | None, listed: Theirs | None) -> None:
        """Asks about what is missing on either side; keeps what is wrong still."""
        if found.cause not in (*MISSING, *ABSENT):
            self.keep(found, name, ours, DifferenceState.OPEN, "")
            return
        word = self._ask(name, ours, listed, found)
        if word.is_foreign:
            return
        if found.cause in MISSING:
            self.heal(found, name, ours, listed, word)
        elif not _is_known(found, ours, word) or self._is_to_be_listed(found, listed, word):
            self.wait(found, name, ours, word)

    def _is_to_be_listed(self, found: Found, listed: Theirs | None, word: Word) -> bool:
        """Whether a list of this time has what the store knows by name, and not by another that it has."""
        if found.occurred_at < self.listed_since:
            return False
        return not (found.line_id and _is_listed_otherwise(found, word, listed))

    def _ask(self, name: str, ours: Booked | None, listed: Theirs | None, found: Found) -> Word:
        self.questions += 1
        if self.questions > MAXIMUM_QUESTIONS:
            raise TooManyQuestions(f"more than {MAXIMUM_QUESTIONS} differences")
        return self.ask_about(name, ours, listed, found)

    def ask_about(
        self, name: str, ours: Booked | None, listed: Theirs | None, found: Found
    ) -> Word:
        known = ours.known if ours else _known(self.row, name, listed, found)
        return healing.ask(self.adapter, known, now=self.now)

    def heal(
        self, found: Found, name: str, ours: Booked | None, listed: Theirs | None, word: Word
    ) -> None:
        subscription_id = (listed or Theirs()).subscription_id
        if word.theirs is None:
            detail = "Its list has it, but the store itself knows nothing of it."
            self.keep(found, name, ours, DifferenceState.OPEN, detail, subscription_id)
            return
        if is_settled(found, ours, word.theirs):
            return
        why_not = healing.book(_unbooked(word, ours), provider=self.row.provider, now=self.now)
        here = booked.load([name], self.window).get(name)
        is_here = here is not None and (not found.line_id or is_settled(found, here, word.theirs))
        state = DifferenceState.HEALED if is_here else DifferenceState.OPEN
        detail = "Asked about by name and booked." if is_here else why_not or _still(found)
        self.keep(found, name, here, state, detail, subscription_id)
        self.row.healed_count += is_here

    def wait(self, found: Found, name: str, ours: Booked | None, word: Word) -> None:
        if not _is_known(found, ours, word):
            detail = "The store itself knows nothing of it."
            self.keep(found, name, ours, DifferenceState.OPEN, detail)
        else:
            state = differences.waiting_or_open(found, now=self.now)
            detail = "The store knows it by name, its list does not have it."
            self.keep(found, name, ours, state, detail)

    def keep(
        self,
        found: Found,
        name: str,
        ours: Booked | None,
        state: DifferenceState,
        detail: str,
        subscription_id: str = "",
    ) -> None:
        if ours is not None:
            subscription_id = ours.known.subscription_id or subscription_id
        differences.keep(
            found,
            run=self.row,
            transaction_id=name,
            subscription_id=subscription_id,
            currency=ours.ours.currency if ours else "",
            state=state,
            detail=detail,
            now=self.now,
        )
        self._count(found.cause, 1)

    def _count(self, cause: DifferenceCause, number: int) -> None:
        if number:
            self.counts[cause] = self.counts.get(cause, 0) + number


def _moments(theirs: dict[str, Theirs], window: Window) -> Sequence[tuple[datetime, str]]:
    """All that either side has, by when it was booked, else by when the store says that it was."""
    by_name = {
        name: min(
            (line.occurred_at for line in (*one.sales.values(), *one.latest.values())),
            default=window.since,
        )
        for name, one in theirs.items()
    } | booked.moments(window)
    return sorted((moment, name) for name, moment in by_name.items())


def _batches(
    moments: Sequence[tuple[datetime, str]],
) -> Iterator[tuple[Sequence[str], datetime]]:
    """Names with the moment of the first of them."""
    for start in range(0, len(moments), AT_ONCE):
        batch = moments[start : start + AT_ONCE]
        yield [name for _, name in batch], batch[0][0]


def _known(row: Reconciliation, name: str, listed: Theirs | None, found: Found) -> Known:
    return Known(
        environment=row.environment,
        transaction_id=name,
        purchased_at=found.occurred_at,
        subscription_id=listed.subscription_id if listed else "",
    )


def _is_known(found: Found, ours: Booked | None, word: Word) -> bool:
    """Whether the store knows the sale by name, or the refund by any."""
    if word.theirs is None:
        return False
    if not found.line_id:
        return bool(word.theirs.sales)
    if ours is None:
        return found.line_id in word.theirs.refunds
    return found.line_id in comparing.match(ours.ours, word.theirs).ours


def is_settled(found: Found, here: Booked | None, theirs: Theirs) -> bool:
    """Whether a refund that is missing here is no more by all that the store knows: it does not stand, or is booked.
    Of one that the store does not know by that name, whether all is booked that stands."""
    if not found.line_id:
        return False
    standing = theirs.refunds.keys()
    if found.line_id in theirs.latest and found.line_id not in standing:
        return True
    looked_for = {found.line_id} if found.line_id in standing else set(standing)
    return looked_for <= (comparing.match(here.ours, theirs).theirs if here else frozenset())


def _is_listed_otherwise(found: Found, word: Word, listed: Theirs | None) -> bool:
    """Whether a refund that the store knows is in its list by a name of the store's own."""
    if word.theirs is None or found.line_id in word.theirs.refunds:
        return False
    return bool(listed and listed.refunds)


def _unbooked(word: Word, ours: Booked | None) -> Facts:
    """What the store says, without refunds that are booked by another name."""
    if word.theirs is None or ours is None:
        return word.facts
    matched = comparing.match(ours.ours, word.theirs)
    return healing.without(word.facts, matched.theirs - ours.ours.refunds.keys())


def _still(found: Found) -> str:
    return "The store gave back what is not booked." if found.line_id else "It is not paid."
