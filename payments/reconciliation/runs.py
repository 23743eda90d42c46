"""Our books against a store's own list, once a day for each store and environment.

What is younger than a day is left for the next: stores and our inbox both lag. Before anything is called missing the
store is asked about it by name, and what it sold and we do not have is booked as if it had told us.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from django.db.models import QuerySet

from payments.models import (
    Difference,
    DifferenceCause,
    DifferenceState,
    Reconciliation,
    RunState,
    StoreReport,
)
from payments.providers.base import Facts, Known, Listed, Lists, ProviderError
from payments.reconciliation import booked, comparing, differences, fees, healing
from payments.reconciliation.booked import Booked, Window
from payments.reconciliation.comparing import Found, Theirs
from payments.reconciliation.healing import Word
from payments.store import purchases

logger = logging.getLogger(__name__)

#: An advisory lock, so that one worker compares at a time.
LOCK = 7_164_206
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
AT_ONCE = 500
#: A list of another app than ours would have a store asked for ever.
MAXIMUM_QUESTIONS = 5_000
#: What is not settled is looked at again, so much of it in a run.
LOOKED_AT_AGAIN = 2_000

_MISSING = (DifferenceCause.MISSING_HERE, DifferenceCause.REFUND_MISSING_HERE)
_ABSENT = (DifferenceCause.MISSING_THERE, DifferenceCause.REFUND_MISSING_THERE)
_LOOKED_AT_AGAIN = (*_MISSING, *_ABSENT, DifferenceCause.NOT_DELIVERED)


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
            known=booked.known_of(window),
            now=now,
        )

    comparison = Comparison(row, adapter, window, listed_since=listed_since, now=now)
    return _carried_out(comparison, lines)


def of_report(
    report: StoreReport, found: Sequence[Listed], adapter: Lists, *, now: datetime
) -> Reconciliation:
    """Compares the lines of a report with our books of its time, but for a day at either end of it, which
    another report may have."""
    times = [line.occurred_at for line in found] or [now]
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

    def carry_out(self, lines: Iterable[Listed]) -> None:
        """Compares all of it. Raises ProviderError, TooManyQuestions; what was found until then is kept."""
        theirs: dict[str, Theirs] = {}
        for line in lines:
            theirs.setdefault(line.transaction_id, Theirs()).add(line)
            self.row.listed_count += 1
        self.row.booked_count = booked.count(self.window)
        for names in _batches(_names(theirs, self.window)):
            self._compare(names, theirs)
        self._look_again()

    def _compare(self, names: Sequence[str], theirs: dict[str, Theirs]) -> None:
        here = booked.load(names, self.window)
        agreed = []
        for name in names:
            ours, listed = here.get(name), theirs.get(name)
            found = list(
                comparing.compare(ours.ours if ours else None, listed, until=self._judged_until)
            )
            for one in found:
                self._settle(one, name, ours, listed)
            if not found and ours and listed and listed.sales:
                agreed.append(name)
        differences.agree(agreed, run=self.row, now=self.now)
        self._settle_fees(booked.load(names, self.window), theirs)

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
        else:
            self._wait(found, name, ours, listed, word)

    def _ask(self, name: str, ours: Booked | None, listed: Theirs | None, found: Found) -> Word:
        self.questions += 1
        if self.questions > MAXIMUM_QUESTIONS:
            raise TooManyQuestions(f"more than {MAXIMUM_QUESTIONS} differences")
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

    def _wait(
        self, found: Found, name: str, ours: Booked | None, listed: Theirs | None, word: Word
    ) -> None:
        if not _is_known(found, ours, word):
            detail = "The store itself knows nothing of it."
            self._keep(found, name, ours, DifferenceState.OPEN, detail)
        elif found.line_id and _is_listed_otherwise(found, word, listed):
            return
        elif found.occurred_at >= self.listed_since:
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
        left = differences.unsettled(self.row).exclude(last_found_by=self.row)
        for difference in left.filter(cause__in=_LOOKED_AT_AGAIN).order_by("last_found_by", "id")[
            :LOOKED_AT_AGAIN
        ]:
            self._again(difference)

    def _again(self, difference: Difference) -> None:
        name = difference.transaction_id
        here = booked.load([name], self.window).get(name)
        found = Found(
            cause=DifferenceCause(difference.cause),
            occurred_at=difference.occurred_at,
            line_id=difference.line_id,
            our_micros=difference.our_micros,
            their_micros=difference.their_micros,
            their_currency=difference.their_currency,
        )
        if difference.cause == DifferenceCause.NOT_DELIVERED:
            if here is None or here.ours.is_delivered:
                self._is_gone(difference)
            return
        if difference.cause in _MISSING and _is_here(here, difference.line_id):
            self._is_gone(difference)
            return
        word = self._ask(name, here, None, found)
        if difference.cause in _MISSING:
            self._heal_again(difference, found, here, word)
        elif _is_known(found, here, word) and difference.state == DifferenceState.WAITING:
            self._wait(found, name, here, None, word)
        elif _is_known(found, here, word) or not _is_here(here, difference.line_id):
            self._is_gone(difference)
        elif difference.state == DifferenceState.WAITING:
            self._wait(found, name, here, None, word)

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
    except Exception as error:
        logger.exception("%s could not be compared", row)
        reason = repr(error)
    row.state = RunState.FAILED if reason else RunState.FINISHED
    row.reason = reason[:500]
    row.found_counts = comparison.counts
    row.finished_at = comparison.now
    row.save()
    if reason:
        logger.warning("%s was not compared to its end: %s", row, reason)
    return row


def _names(theirs: dict[str, Theirs], window: Window) -> Iterator[str]:
    """All that either side has."""
    yield from theirs
    for known in booked.known_of(window):
        if known.transaction_id not in theirs:
            yield known.transaction_id


def _batches(names: Iterable[str]) -> Iterator[Sequence[str]]:
    iterator = iter(names)
    while batch := list(islice(iterator, AT_ONCE)):
        yield batch


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
