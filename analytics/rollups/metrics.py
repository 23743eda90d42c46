"""What is rolled up: metrics, and the queries that fill them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

#: An hour takes events in for so long after its end. What is received later is counted as late, once, in
#: `late_events`, and in nothing else (metrics.md, Watermark). The view `timely` says the same in SQL.
OPEN_FOR = timedelta(hours=48)


class Basis(StrEnum):
    """Where a metric is counted."""

    LAKE = "lake"
    LEDGER = "ledger"


class Dimension(StrEnum):
    """What some metrics can be split by."""

    SOURCE = "source"  # of money: coins, passes, ads
    SERIES = "series_id"
    COUNTRY = "country"
    PLATFORM = "platform"
    LOCALE = "locale"  # of the app
    CHANNEL = "channel"
    COHORT = "cohort"  # the local day of the viewer's first app_open
    PLACEMENT = "placement"


class MetricUnit(StrEnum):
    """What its whole numbers are of."""

    COUNT = "count"
    COINS = "coins"
    MICROS = "micros"
    MILLISECONDS = "milliseconds"


class Reach(StrEnum):
    """Which hours an event or a posting of an hour can change."""

    OWN = "own"  # that hour
    LATE = "late"  # that hour, also when it is closed for all other queries
    ONWARDS = "onwards"  # that hour and all later ones: the query looks for the first of something


@dataclass(frozen=True)
class Query:
    """A text in `sql/lake` or `sql/ledger`: a column for the slice, environment, dimensions, and metrics.

    Where `settles` is more than nothing the hour is filled once so much time has passed since its end,
    since its figures are of what follows in that time. `facts` are tables of the ledger that a query of
    the lake reads beside it.
    """

    name: str
    basis: Basis
    dimensions: Sequence[Dimension] = ()
    reach: Reach = Reach.OWN
    settles: timedelta = timedelta()
    facts: Sequence[str] = ()
    has_local_days: bool = False
    hours_at_once: int = 168


@dataclass(frozen=True)
class Metric:
    """One figure. Raise `version` with every change of what it counts: its history is filled anew."""

    name: str
    sentence: str
    unit: MetricUnit
    query: Query
    version: int = 1

    @property
    def basis(self) -> Basis:
        """Lake or ledger."""
        return self.query.basis

    @property
    def dimensions(self) -> Sequence[Dimension]:
        """What it can be split by."""
        return self.query.dimensions

    def definition(self, zone: str) -> str:
        """What hours are filled by: another zone is another definition where local days are counted."""
        return f"{self.version} {zone}" if self.query.has_local_days else str(self.version)


#: Start to paywall, paywall to unlock, unlock to watching: analytics.reports.funnels.
_FUNNEL_SETTLES = timedelta(days=9)

_BILLINGS = Query("billings", Basis.LEDGER, (Dimension.SOURCE,))
#: What passes earn is counted at the edge of each slice for each pass that runs: of so few hours at once that
#: hundreds of thousands of passes are counted in the time that a statement has.
_EARNINGS = Query("earnings", Basis.LEDGER, (Dimension.SOURCE,), Reach.ONWARDS, hours_at_once=6)
_UNLOCKS = Query("unlocks", Basis.LEDGER, (Dimension.SERIES,))
_EVENTS = Query("events", Basis.LAKE, (Dimension.PLATFORM,))
_LATE = Query("late", Basis.LAKE, (), Reach.LATE)
_ACTIVE = Query(
    "active",
    Basis.LAKE,
    (Dimension.COUNTRY, Dimension.PLATFORM),
    Reach.ONWARDS,
    has_local_days=True,
)
_RETURNED = Query("returned", Basis.LAKE, (Dimension.COHORT,), Reach.ONWARDS, has_local_days=True)
_FIRST_OPENS = Query(
    "first_opens",
    Basis.LAKE,
    (Dimension.COUNTRY, Dimension.PLATFORM, Dimension.CHANNEL),
    Reach.ONWARDS,
)
_STARTS = Query(
    "starts", Basis.LAKE, (Dimension.SERIES, Dimension.COUNTRY, Dimension.LOCALE), Reach.ONWARDS
)
_PLAYBACK = Query("playback", Basis.LAKE, (Dimension.SERIES, Dimension.LOCALE))
_ADS = Query("ads", Basis.LAKE, (Dimension.PLACEMENT,), Reach.ONWARDS)
_FUNNEL = Query(
    "funnel",
    Basis.LAKE,
    (Dimension.SERIES,),
    Reach.ONWARDS,
    settles=_FUNNEL_SETTLES,
    facts=("unlocks", "covered", "purchases"),
)

_DECLARED = (
    Metric("gross_billings", "What viewers paid, tax included.", MetricUnit.MICROS, _BILLINGS),
    Metric("billed_tax", "The tax in it.", MetricUnit.MICROS, _BILLINGS),
    Metric(
        "store_fees",
        "What stores kept: estimated at the purchase, and what it came to beyond that when it was told.",
        MetricUnit.MICROS,
        _BILLINGS,
    ),
    Metric("refunds", "The net that went back, when it was booked.", MetricUnit.MICROS, _BILLINGS),
    Metric("purchases", "Packs and periods of passes bought.", MetricUnit.COUNT, _BILLINGS),
    Metric(
        "recognised_revenue",
        "Coins when they are spent or lapse, passes by time, ads at their confirmation and when more is known.",
        MetricUnit.MICROS,
        _EARNINGS,
    ),
    Metric("coin_unlocks", "Unlocks by coins, less those undone.", MetricUnit.COUNT, _UNLOCKS),
    Metric("ad_unlocks", "Unlocks by ads.", MetricUnit.COUNT, _UNLOCKS),
    Metric("coins_spent", "Coins spent, less those given back.", MetricUnit.COINS, _UNLOCKS),
    Metric(
        "coin_revenue",
        "The value of coins spent, less what refunds took.",
        MetricUnit.MICROS,
        _UNLOCKS,
    ),
    Metric(
        "ad_revenue",
        "What views of ads earned, as far as it is known, less what coins they gave took to titles since.",
        MetricUnit.MICROS,
        _UNLOCKS,
    ),
    Metric("events", "Events received in time.", MetricUnit.COUNT, _EVENTS, version=2),
    Metric(
        "late_events",
        "Events received 48 h after their hour or later; no other of these figures has them.",
        MetricUnit.COUNT,
        _LATE,
        version=2,
    ),
    Metric(
        "active_viewers",
        "Viewers at the first moment of the local day that they are active: of a day, those active in it.",
        MetricUnit.COUNT,
        _ACTIVE,
        version=2,
    ),
    Metric(
        "returning_viewers",
        "The same by the local day of their first app_open, up to 90 days after it, and that day itself.",
        MetricUnit.COUNT,
        _RETURNED,
        version=2,
    ),
    Metric(
        "new_viewers", "Viewers at their first app_open.", MetricUnit.COUNT, _FIRST_OPENS, version=2
    ),
    Metric(
        "starts",
        "Viewer × series at the end of the stretch that completes the first second of its first session.",
        MetricUnit.COUNT,
        _STARTS,
        version=2,
    ),
    Metric(
        "watch_time",
        "Time spent watching, pauses and seeks excluded; at double speed half the story's.",
        MetricUnit.MILLISECONDS,
        _PLAYBACK,
        version=2,
    ),
    Metric(
        "playbacks", "Playback sessions that began to play.", MetricUnit.COUNT, _PLAYBACK, version=2
    ),
    Metric(
        "failed_playbacks",
        "Playbacks that failed, those given up excluded.",
        MetricUnit.COUNT,
        _PLAYBACK,
        version=2,
    ),
    Metric("paywalls_shown", "Paywalls shown.", MetricUnit.COUNT, _PLAYBACK, version=2),
    Metric(
        "ads_shown", "Sessions of ads, when each is first shown.", MetricUnit.COUNT, _ADS, version=2
    ),
    Metric("funnel_starters", "Starts, 9 days after them.", MetricUnit.COUNT, _FUNNEL, version=2),
    Metric(
        "funnel_reached",
        "Of those, the paywall was met within 7 days.",
        MetricUnit.COUNT,
        _FUNNEL,
        version=2,
    ),
    Metric(
        "funnel_unlocked_by_coins",
        "Of those, an unlock by coins came first within 24 h.",
        MetricUnit.COUNT,
        _FUNNEL,
        version=2,
    ),
    Metric("funnel_unlocked_by_ad", "Or an unlock by an ad.", MetricUnit.COUNT, _FUNNEL, version=2),
    Metric(
        "funnel_unlocked_by_subscription",
        "Or a pass opened it.",
        MetricUnit.COUNT,
        _FUNNEL,
        version=2,
    ),
    Metric(
        "funnel_watched",
        "What was unlocked was watched for 3 s within 24 h.",
        MetricUnit.COUNT,
        _FUNNEL,
        version=2,
    ),
    Metric(
        "funnel_topped_up",
        "Coins were bought between paywall and unlock.",
        MetricUnit.COUNT,
        _FUNNEL,
        version=2,
    ),
)

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _DECLARED}
QUERIES: Sequence[Query] = tuple(dict.fromkeys(metric.query for metric in _DECLARED))


def of_query(query: Query) -> Sequence[Metric]:
    """The metrics that a query fills."""
    return [metric for metric in METRICS.values() if metric.query is query]
