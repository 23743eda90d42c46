"""Our books against a store's own list, once a day for each store and environment.

What is younger than a day is left for the next: stores and our inbox both lag. Before anything is called missing the
store is asked about it by name, and what it sold and we do not have is booked as if it had told us.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.db.models import QuerySet

from payments.models import (
    Difference,
    DifferenceCause,
    DifferenceState,
    Reconciliation,
    RunState,
    StoreReport,
)
from payments.providers.base import Facts, Known, Listed, ListedKind, Lists, ProviderError
from payments.reconciliation import booked, comparing, differences, fees, healing
from payments.reconciliation.booked import Booked, Window
from payments.reconciliation.comparing import Found, Theirs
from payments.reconciliation.healing import Word
from payments.store import purchases

logger = logging.getLogger(__name__)

#: An advisory lock, so that one worker compares at a time.
LOCK = 7_164_207
EVERY = timedelta(days=1)
#: One that failed is tried again after that.
AGAIN = timedelta(hours=1)
#: What happened later is looked at the next day.
YOUNG = timedelta(days=1)
#: A store's time of a sale and ours are not the same, and lists lag: they are read so much further back,
OVERLAP = timedelta(days=2)
#: and so much further on.
MARGIN = timedelta(days=1)
#: A run looks at so many sales of ours; a busy day takes several, one after the other.
MAXIMUM_BOOKED = 2_000
FIRST = timedelta(days=7)
FURTHEST = timedelta(days=30)
AT_ONCE = 200
#: After so long a run ends where it has got to, and the next goes on from there. A list that asks about each sale has
#: half of that.
LONGEST_RUN_SECONDS = 90
#: A list of another app than ours would have a store asked for ever.
MAXIMUM_QUESTIONS = 5_000
#: What is not settled is looked at again, so much of it in a run.
LOOKED_AT_AGAIN = 2_000
#: Of so many days the list is read again for what only a list can say.
DAYS_LISTED_AGAIN = 3

_MISSING = (DifferenceCause.MISSING_HERE, DifferenceCause.REFUND_MISSING_HERE)
_ABSENT = (DifferenceCause.MISSING_THERE, DifferenceCause.REFUND_MISSING_THERE)


class TooManyQuestions(Exception):
    """So much is missing that the list must be of something else."""


def due(*, now: datetime) -> Sequence[tuple[str, str]]:
    """Stores and environments whose books were not compared up to EVERY before what is young, nor in vain for
    AGAIN."""
    found = []
    for provider, adapter in purchases.adapters().items():
        if isinstance(adapter, Lists):
            found += [
                (provider, environment)
                for environment in adapter.listed_environments()
                if _is_due(provider, environment, now)
            ]
    return found


def run(provider: str, environment: str, *, now: datetime) -> Reconciliation:
    """Compares a store's list with our books. One that fails says why, and is tried again.

    The caller holds LOCK. Asks the store: called outside of any transaction.
    """
    window = _next_window(provider, environment, now)
    row = Reconciliation.objects.create(
        provider=provider,
        environment=environment,
        since=window.since,
        until=window.until,
        started_at=now,
    )
    adapter = purchases.adapter(provider)
    assert isinstance(adapter, Lists)  # noqa: S101  `due` names no other
    listed_since, listed_until = window.since - OVERLAP, min(window.until + MARGIN, now)

    def lines() -> Iterator[Listed]:
        return adapter.listed(
            environment=environment,
            since=listed_since,
            until=listed_until,
            known=comparison.known(),
            now=now,
        )

    comparison = Comparison(row, adapter, window, listed_since=listed_since, now=now)
    return _carried_out(comparison, lines)


def of_report(
    report: StoreReport, found: Sequence[Listed], adapter: Lists, *, now: datetime
) -> Reconciliation:
    """Compares the lines of a report with our books of its time, but for a day at either end of it, which
    another report may have. Its time is that of its sales: what went back may have been sold in another."""
    times = [line.occurred_at for line in found if line.kind is ListedKind.SALE] or [now]
    since, until = min(times), max(times)
    row = Reconciliation.objects.create(
        provider=report.provider,
        environment=report.environment,
        report=report,
        since=since,
        until=until,
        started_at=now,
    )
    inner = Window(
        report.provider, report.environment, since + MARGIN, max(until - MARGIN, since + MARGIN)
    )
    comparison = Comparison(row, adapter, inner, listed_since=since, now=now)
    return _carried_out(comparison, lambda: iter(found))


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
    gone: set[UUID] = field(default_factory=set)
    began_seconds: float = field(default_factory=time.monotonic)

    def known(self) -> Iterator[Known]:
        """What the list may be asked about; the window ends where half of the time was over."""
        for moment, one in booked.known_of(self.window):
            if self._is_late(LONGEST_RUN_SECONDS / 2) and moment > self.window.since:
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
            if self._is_late(LONGEST_RUN_SECONDS) and moment > self.window.since:
                self._end_at(moment)
                break
            self._compare(names, theirs)
        self.row.booked_count = booked.count(self.window)
        outcome = fees.settle_waiting(run=self.row, now=self.now)
        self._count(DifferenceCause.FEE_DIFFERS, outcome.adjusted)
        self._look_again()

    def _is_late(self, seconds: float) -> bool:
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
                with self._unforeseen(one, name, ours):
                    self._settle(one, name, ours, listed)
            if not found and ours and listed and listed.sales:
                agreed.append(name)
        differences.agree(agreed, run=self.row, now=self.now)
        self._settle_fees(booked.load(names, self.window), theirs)

    @contextmanager
    def _unforeseen(self, found: Found, name: str, ours: Booked | None) -> Iterator[None]:
        """What nobody has thought of happens to one difference, and not to the others."""
        try:
            yield
        except (ProviderError, TooManyQuestions, SoftTimeLimitExceeded):
            raise
        except Exception as error:
            logger.exception("%s could not be settled", name)
            self._keep(found, name, ours, DifferenceState.OPEN, f"It cannot be settled: {error!r}")

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
        if found.cause not in (*_MISSING, *_ABSENT):
            self._keep(found, name, ours, DifferenceState.OPEN, "")
            return
        word = self._ask(name, ours, listed, found)
        if word.is_foreign:
            return
        if found.cause in _MISSING:
            self._heal(found, name, ours, listed, word)
        elif not _is_known(found, ours, word) or self._is_to_be_listed(found, listed, word):
            self._wait(found, name, ours, word)

    def _is_to_be_listed(self, found: Found, listed: Theirs | None, word: Word) -> bool:
        """Whether a list of this time has what the store knows by name, and not by another that it has."""
        if found.occurred_at < self.listed_since:
            return False
        return not (found.line_id and _is_listed_otherwise(found, word, listed))

    def _ask(self, name: str, ours: Booked | None, listed: Theirs | None, found: Found) -> Word:
        self.questions += 1
        if self.questions > MAXIMUM_QUESTIONS:
            raise TooManyQuestions(f"more than {MAXIMUM_QUESTIONS} differences")
        return self._asked_about(name, ours, listed, found)

    def _asked_about(
        self, name: str, ours: Booked | None, listed: Theirs | None, found: Found
    ) -> Word:
        known = ours.known if ours else _known(self.row, name, listed, found)
        return healing.ask(self.adapter, known, now=self.now)

    def _heal(
        self, found: Found, name: str, ours: Booked | None, listed: Theirs | None, word: Word
    ) -> None:
        subscription_id = (listed or Theirs()).subscription_id
        if word.theirs is None:
            detail = "Its list has it, but the store itself knows nothing of it."
            self._keep(found, name, ours, DifferenceState.OPEN, detail, subscription_id)
            return
        if _is_settled(found, ours, word.theirs):
            return
        why_not = healing.book(_unbooked(word, ours), provider=self.row.provider, now=self.now)
        here = booked.load([name], self.window).get(name)
        is_here = here is not None and (not found.line_id or _is_settled(found, here, word.theirs))
        state = DifferenceState.HEALED if is_here else DifferenceState.OPEN
        detail = "Asked about by name and booked." if is_here else why_not or _still(found)
        self._keep(found, name, here, state, detail, subscription_id)
        self.row.healed_count += is_here

    def _wait(self, found: Found, name: str, ours: Booked | None, word: Word) -> None:
        if not _is_known(found, ours, word):
            detail = "The store itself knows nothing of it."
            self._keep(found, name, ours, DifferenceState.OPEN, detail)
        else:
            state = differences.waiting_or_open(found, now=self.now)
            detail = "The store knows it by name, its list does not have it."
            self._keep(found, name, ours, state, detail)

    def _keep(
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

    def _look_again(self) -> None:
        """What earlier runs have found, and this one has not come by."""
        left = list(differences.to_look_at(self.row, now=self.now)[:LOOKED_AT_AGAIN])
        looked_at = self._list_again(left)
        for difference in left:
            if self._is_late(2 * LONGEST_RUN_SECONDS):
                break
            if difference.cause in differences.OF_LISTS or difference.id in self.gone:
                continue
            found = _found(difference)
            here = booked.load([difference.transaction_id], self.window).get(
                difference.transaction_id
            )
            with self._unforeseen(found, difference.transaction_id, here):
                self._again(difference, found, here)
            if not _is_for_list(difference):
                looked_at.append(difference.id)
        Difference.objects.filter(id__in=looked_at).update(looked_at=self.now)

    def _list_again(self, left: Sequence[Difference]) -> list[UUID]:
        """Reads the lists of some days again, for what only they can say; returns what that was."""
        by_day: dict[date, list[Difference]] = {}
        for difference in left:
            if _is_for_list(difference):
                by_day.setdefault(difference.occurred_at.date(), []).append(difference)
        looked_at = []
        for day, group in list(by_day.items())[:DAYS_LISTED_AGAIN]:
            names = {difference.transaction_id for difference in group}
            here = booked.load(names, self.window)
            theirs = self._listed_again(day, names, here)
            for difference in group:
                self._by_list(difference, here, theirs)
                looked_at.append(difference.id)
        return looked_at

    def _listed_again(
        self, day: date, names: Collection[str], here: dict[str, Booked]
    ) -> dict[str, Theirs]:
        midnight = datetime.combine(day, datetime.min.time(), UTC)
        lines = self.adapter.listed(
            environment=self.row.environment,
            since=midnight - OVERLAP,
            until=min(midnight + EVERY + OVERLAP, self.now),
            known=[one.known for one in here.values()],
            now=self.now,
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
        wrong = comparing.compare(ours.ours, listed, until=self.now)
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
        if difference.cause in _MISSING and _is_here(here, difference.line_id):
            self._is_gone(difference)
            return
        word = self._asked_about(name, here, None, found)
        if word.is_foreign:
            return
        if difference.cause in _MISSING:
            self._heal_again(difference, found, here, word)
        elif not _is_here(here, difference.line_id):
            self._is_gone(difference)
        elif difference.state == DifferenceState.WAITING:
            self._wait(found, name, here, word)

    def _heal_again(
        self, difference: Difference, found: Found, here: Booked | None, word: Word
    ) -> None:
        if word.theirs is None:
            return
        if _is_settled(found, here, word.theirs):
            self._is_gone(difference)
            return
        self._heal(found, difference.transaction_id, here, None, word)

    def _is_gone(self, difference: Difference) -> None:
        self.gone.add(difference.id)
        Difference.objects.filter(id=difference.id).update(
            state=DifferenceState.GONE, changed_at=self.now
        )


def _carried_out(comparison: Comparison, lines: Callable[[], Iterator[Listed]]) -> Reconciliation:
    row, reason = comparison.row, ""
    try:
        comparison.carry_out(lines())
    except ProviderError as error:
        reason = error.reason
    except TooManyQuestions as error:
        reason = str(error)
    except SoftTimeLimitExceeded:
        _end(comparison, "it took too long")
        raise
    except Exception as error:
        logger.exception("%s could not be compared", row)
        reason = repr(error)
    return _end(comparison, reason)


def _end(comparison: Comparison, reason: str) -> Reconciliation:
    row = comparison.row
    row.state = RunState.FAILED if reason else RunState.FINISHED
    row.reason = reason[:500]
    row.found_counts = comparison.counts
    row.finished_at = comparison.now
    row.save()
    if reason:
        logger.warning("%s was not compared to its end: %s", row, reason)
    return row


def _is_for_list(difference: Difference) -> bool:
    """Whether it is gone when the list has it, and only then."""
    return difference.cause in (*differences.OF_LISTS, *_ABSENT)


def _found(difference: Difference) -> Found:
    return Found(
        cause=DifferenceCause(difference.cause),
        occurred_at=difference.occurred_at,
        line_id=difference.line_id,
        our_micros=difference.our_micros,
        their_micros=difference.their_micros,
        their_currency=difference.their_currency,
    )


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


def _is_settled(found: Found, here: Booked | None, theirs: Theirs) -> bool:
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


def _is_here(here: Booked | None, refund_id: str) -> bool:
    return here is not None and (not refund_id or refund_id in here.ours.refunds)


def _finished(provider: str, environment: str) -> QuerySet[Reconciliation]:
    return Reconciliation.objects.filter(
        provider=provider, environment=environment, report=None, state=RunState.FINISHED
    )


def _next_window(provider: str, environment: str, now: datetime) -> Window:
    """From where the last run ended, and not more than a run looks at."""
    until = now - YOUNG
    last = _finished(provider, environment).order_by("-until").first()
    since = max(last.until if last else until - FIRST, until - FURTHEST)
    window = Window(provider, environment, min(since, until), until)
    return replace(window, until=booked.end_of(window, MAXIMUM_BOOKED))


def _is_due(provider: str, environment: str, now: datetime) -> bool:
    own = {"provider": provider, "environment": environment, "report": None}
    in_vain = Reconciliation.objects.filter(started_at__gt=now - AGAIN, **own)
    done = _finished(provider, environment).filter(until__gt=now - YOUNG - EVERY)
    return not in_vain.exclude(state=RunState.FINISHED).exists() and not done.exists()
