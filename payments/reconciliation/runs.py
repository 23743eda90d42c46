"""Our books against a store's own list, once a day for each store and environment.

What is younger than a day is left for the next: stores and our inbox both lag. Before anything is called missing the
store is asked about it by name, and what it sold and we do not have is booked as if it had told us.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from celery.exceptions import SoftTimeLimitExceeded
from django.db.models import QuerySet

from payments.models import Reconciliation, RunState, StoreReport
from payments.providers.base import Listed, ListedKind, Lists, ProviderError
from payments.reconciliation import booked
from payments.reconciliation.booked import Window
from payments.reconciliation.comparison import Comparison, TooManyQuestions
from payments.reconciliation.looking_again import OVERLAP, SecondLook
from payments.store import purchases

logger = logging.getLogger(__name__)

#: An advisory lock, so that one worker compares at a time.
LOCK = 7_164_207
EVERY = timedelta(days=1)
#: One that failed is tried again after that.
AGAIN = timedelta(hours=1)
#: What happened later is looked at the next day.
YOUNG = timedelta(days=1)
#: Lists are read back by OVERLAP, and so much further on.
MARGIN = timedelta(days=1)
#: A run looks at so many sales of ours; a busy day takes several, one after the other.
MAXIMUM_BOOKED = 2_000
FIRST = timedelta(days=7)
FURTHEST = timedelta(days=30)


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


def _carried_out(comparison: Comparison, lines: Callable[[], Iterator[Listed]]) -> Reconciliation:
    row, reason = comparison.row, ""
    try:
        comparison.carry_out(lines())
        SecondLook(comparison).carry_out()
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
