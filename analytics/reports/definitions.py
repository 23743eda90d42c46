"""Every figure that we show, written down once and printed with each table that shows it.

The texts follow the metric table of docs/analytics.md: numerator ÷ denominator, the window, the
moment that the window counts from, and where the facts come from.
"""

import msgspec


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What one figure means."""

    key: str
    name: str
    formula: str
    window: str
    anchor: str
    source: str

    def sentence(self) -> str:
        """The definition on one line, as CSV files and terminals print it."""
        return (
            f"{self.key} ({self.name}): {self.formula}; window: {self.window};"
            f" anchor: {self.anchor}; source: {self.source}"
        )


EVENTS = "events received before the watermark, by corrected client time"
LEDGER = "the ledger, by commit time"

ACTIVE = "at least one app_open, or a stretch of at least 1 s played"
START = (
    "a viewer's first playback session of a series with at least 1 s played, once per viewer and"
    " series"
)

RETENTION_CALENDAR = Definition(
    key="retention_calendar",
    name="calendar retention",
    formula=f"viewers active on local day (or ISO week) c+n ÷ viewers of cohort c; active = {ACTIVE}",
    window="local day or ISO week; a cell is empty until the whole of it lies before the watermark",
    anchor="the local day or ISO week of the viewer's first app_open",
    source=EVENTS,
)
RETENTION_ELAPSED = Definition(
    key="retention_elapsed",
    name="elapsed-time retention",
    formula=(
        "viewers active in [t0+n·w, t0+(n+1)·w) ÷ viewers of the cohort; w = 24 h, by week 7×24 h;"
        f" active = {ACTIVE}"
    ),
    window=(
        "24 h or 7×24 h; a cell is empty until every member of the cohort had the whole of it"
        " before the watermark"
    ),
    anchor="t0 = the moment of the viewer's own first app_open",
    source=EVENTS,
)
PAYWALL_REACH = Definition(
    key="paywall_reach",
    name="reached the paywall",
    formula=f"starters with a paywall_shown of the series ÷ starters; a start is {START}",
    window="7 d from the start",
    anchor="the start of viewer × series",
    source=EVENTS,
)
PAYWALL_CONVERSION = Definition(
    key="paywall_conversion",
    name="paywall conversion",
    formula=(
        "starters with any unlock of the series ÷ starters who reached the paywall; split by the"
        " means of the first unlock"
    ),
    window="24 h from the encounter",
    anchor="the first paywall_shown",
    source=f"encounters: {EVENTS}; unlocks: {LEDGER}",
)
UNLOCK_WATCHED = Definition(
    key="unlock_watched",
    name="watched what was unlocked",
    formula="starters who played at least 3 s of the first unlocked episode ÷ starters who unlocked",
    window="24 h from the unlock",
    anchor="the first unlock after the encounter",
    source=f"plays: {EVENTS}; unlocks: {LEDGER}",
)
TOP_UP_BETWEEN = Definition(
    key="top_up_between",
    name="topped up at the paywall",
    formula="starters with a purchase after the encounter and before the first unlock",
    window="24 h from the encounter",
    anchor="the first paywall_shown",
    source=f"encounters: {EVENTS}; purchases: {LEDGER}",
)
BEAT_SURVIVAL = Definition(
    key="beat_survival",
    name="beat survival",
    formula=(
        "S = Π(1 − h), h = exits ÷ n', n' = at risk − (censored + next + skipped) ÷ 2; at risk ="
        " at least 500 ms of the beat played; one outcome each, the first that holds of: passed"
        " (plays a later beat, or reaches the end), skipped (seeks forward out of the beat), next"
        " (plays another episode of the series, or the player says so), censored (an error in the"
        " last 5 s, 30 min not over at the watermark, or still playing when the first pass ends),"
        " exit; 95 % interval by Greenwood on log(−log S), and [0.025^(1/n'), 1] before the first"
        " exit; the withdrawal of an episode is not known by its moment and censors nobody"
    ),
    window="the first pass: until the end is reached, at most 24 h",
    anchor="the first played moment of viewer × version",
    source=EVENTS,
)
BEAT_BOOKED = Definition(
    key="beat_booked",
    name="booked",
    formula=(
        "coins and value of unlocks, each on the beat that its playback session and position name,"
        " or on no beat with the reason; an unlock that was undone, and what refunds took back, are"
        " booked with the opposite sign on the same beat; all rows together are the ledger's unlocks"
        " of the series."
        " Accounting, not a cause: most of it is booked before the paywall by construction"
    ),
    window="life to date",
    anchor="the unlock",
    source=LEDGER,
)
TITLE_REVENUE = Definition(
    key="title_revenue",
    name="revenue by title",
    formula=(
        "value of the coins spent on the title's unlocks, that of coins which ads had earned"
        " included + net revenue of the ads watched to open its episodes − what refunds took back of"
        " its unlocks, on the day that they did; `unattributed` = ads that opened no title; titles +"
        " unattributed = the ledger, to the micro"
    ),
    window="local day, or life to date",
    anchor="the commit",
    source=LEDGER,
)
NET_REVENUE_PER_START = Definition(
    key="net_revenue_per_start",
    name="expected net revenue per start",
    formula=(
        "v(H) = p·μ + a: conversion p ~ Beta, capped coin value per converter μ ~ inverse gamma"
        " (quasi-gamma), ad revenue per start a the same without the hurdle; priors by maximum"
        " marginal likelihood over genre × locale, genre or all titles, whichever first has 20, else"
        " a weak prior at the pooled rates worth 20 starts and 2 converters; cap = full list price"
        " of the series' paid episodes at the dearest coin sold. Plain form: starts with an"
        " incomplete window are left out instead of weighted by censoring curves; no recency"
        " weights, no propensity weights of the feed, no versions; refunds until the watermark are"
        " taken off the unlocks that they came from, in place of a refund factor"
    ),
    window="H = 24 h or 7 d, complete before the watermark",
    anchor="the start of viewer × series",
    source=f"starts: {EVENTS}; revenue: {LEDGER}",
)

#: All of them, in the order of docs/analytics.md.
ALL = (
    RETENTION_CALENDAR,
    RETENTION_ELAPSED,
    PAYWALL_REACH,
    PAYWALL_CONVERSION,
    UNLOCK_WATCHED,
    TOP_UP_BETWEEN,
    BEAT_SURVIVAL,
    BEAT_BOOKED,
    TITLE_REVENUE,
    NET_REVENUE_PER_START,
)
