"""What the reports say of the viewer of `demo.loop`, held against what the viewer did."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from demo.facts import WrongFact, fact
from demo.journey import Step, Walk
from demo.loop import AGO, Bargain
from demo.reports import Cohort, FunnelCounts, RankedTitle, ReportsClient, Revenue
from demo.transport import Refused

PATIENCE_SECONDS = 45
HORIZON_DAYS = 3

_POLL_SECONDS = 0.2

Found = TypeVar("Found")


def walk(reports: ReportsClient, bargain: Bargain, revenue: Revenue, *, now: datetime) -> Walk:
    """Each report in turn. `revenue` is what the ledger must say of the series, to the micro."""
    first_day = (now - AGO).date()
    # The day after tomorrow was over long ago: nobody came, and that is a 0, not an empty cell.
    came = Cohort(starts_on=first_day, viewers=1, active=[1, 1, 0, 0])
    started = time.monotonic()
    _eventually("the cohort", lambda: reports.retention(horizon=HORIZON_DAYS).cohorts, [came])
    yield Step("worker", f"the inbox is in the lake, {time.monotonic() - started:.1f} s later")
    yield Step("cohort", f"of {first_day}: 1 viewer, back on day 1, not on days 2 and 3")

    funnel = FunnelCounts(
        starters=1, reached=1, unlocked_by_coins=0, unlocked_by_ad=1, watched=1, topped_up=0
    )
    fact("the funnel", reports.funnel(bargain.series_id), funnel)
    yield Step("funnel", "started, reached the paywall, opened it by an ad, watched")

    fact("the revenue", reports.revenue(bargain.series_id), revenue)
    yield Step(
        "revenue",
        f"{revenue.coin_value_micros} micros from coins + {revenue.ad_revenue_micros} from an ad",
    )

    first = reports.beats(bargain.external_id).versions[0]
    seen = [(beat.at_risk, beat.exits) for beat in first.beats]
    fact("at risk and exits of each beat", seen, [(1, 0)] * len(first.beats))
    yield Step("beats", f"{len(seen)} beats of episode {first.episode_number}: 1 at risk, 0 left")

    title = _eventually_ranked(reports, bargain, revenue)
    yield Step(
        "ranking",
        f"1 start, 1 converter, {title.revenue_micros} micros; a start is worth "
        f"{title.low_micros} to {title.high_micros}",
    )


def _eventually_ranked(reports: ReportsClient, bargain: Bargain, revenue: Revenue) -> RankedTitle:
    def ranked() -> RankedTitle | None:
        try:
            return reports.ranking(horizon="7d").of(bargain.external_id)
        except Refused as refusal:
            if refusal.code != "ranking_unavailable":
                raise
            return None

    def told() -> tuple[int | None, ...]:
        title = ranked()
        return (title.starts, title.converters, title.revenue_micros) if title else ()

    must_be: tuple[int | None, ...] = (1, 1, revenue.total_micros)
    _eventually("the ranking", told, must_be)
    title = ranked()
    if title is None or None in (title.low_micros, title.mean_micros, title.high_micros):
        raise WrongFact(f"the ranking has no interval: {title}")
    fact("the interval is around the mean", _is_ordered(title), True)
    return title


def _is_ordered(title: RankedTitle) -> bool:
    low, mean, high = title.low_micros or 0, title.mean_micros or 0, title.high_micros or 0
    return 0 < low < mean < high


def _eventually(what: str, ask: Callable[[], Found], must_be: Found) -> None:
    """Asks until the answer is right; raises WrongFact with the last one when it does not become so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := ask()) != must_be and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    fact(what, found, must_be)
