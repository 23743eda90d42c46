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
RETENTION_ON_OR_AFTER = Definition(
    key="retention_on_or_after",
    name="unbounded retention",
    formula=(
        "viewers active on local day (or ISO week) c+n or on any later one up to the watermark ÷"
        f" viewers of cohort c; active = {ACTIVE}; the later the watermark, the higher the figure"
    ),
    window=(
        "from the local day or ISO week to the watermark; a cell is empty until the whole of that day"
        " or week lies before the watermark"
    ),
    anchor="the local day or ISO week of the viewer's first app_open",
    source=EVENTS,
)
LTV = Definition(
    key="ltv",
    name="realised LTV",
    formula=(
        "(net billings + ad revenue) of the cohort's viewers ÷ viewers of the cohort; net billings ="
        " gross − tax − store fee − refunds, each on its own day, of coins and passes; ad revenue ="
        " what confirmed views are taken to have earned; money that came before the first app_open"
        " counts on the day of it. Realised, not predicted"
    ),
    window=(
        "local days 0 to n of the viewer; the horizon n is printed; a cell is empty until day n of"
        " whoever comes last is over before the watermark"
    ),
    anchor="the local day of the viewer's first app_open",
    source=f"cohorts: {EVENTS}; money: {LEDGER}",
)
COHORT_ARPPU = Definition(
    key="cohort_arppu",
    name="realised revenue per payer of a cohort",
    formula=(
        "net billings of the cohort's viewers ÷ its payers; a payer has paid something that did not"
        " go back in full"
    ),
    window="local days 0 to n of the viewer, as LTV",
    anchor="the local day of the viewer's first app_open",
    source=f"cohorts: {EVENTS}; money: {LEDGER}",
)
ARPU = Definition(
    key="arpu",
    name="revenue per active viewer",
    formula=f"(net billings + ad revenue) ÷ active viewers; active = {ACTIVE}",
    window="local day, ISO week or month; empty until it is over before the watermark",
    anchor="the local day, ISO week or month",
    source=f"viewers: {EVENTS}; money: {LEDGER}",
)
ARPPU = Definition(
    key="arppu",
    name="revenue per payer",
    formula=(
        "net billings ÷ payers; a payer has paid something in the window that did not go back in full"
        " within it"
    ),
    window="local day, ISO week or month; empty until it is over before the watermark",
    anchor="the local day, ISO week or month",
    source=LEDGER,
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
FUNNEL = Definition(
    key="funnel",
    name="ordered funnel",
    formula=(
        "units that came to step k ÷ units that came to the first, and to step k − 1; a unit is a"
        " viewer, or a viewer and a series, which steps without a series belong to as well. The first"
        " step counts at its first occurrence; every other at its first occurrence at or after that"
        f" of the step before, within its window. A start is {START}"
    ),
    window=(
        "each step's own, from the step before; a unit whose windows together are not over before the"
        " watermark is counted as immature and nowhere else"
    ),
    anchor="the first occurrence of the first step",
    source=f"unlocks and purchases: {LEDGER}; the rest: {EVENTS}",
)
EPISODE_SURVIVAL = Definition(
    key="episode_survival",
    name="episode-to-episode survival",
    formula=(
        "S = Π(1 − h), h = dropped ÷ n', n' = at risk − censored ÷ 2; a viewer is at risk in the"
        " episode that they played first, and in each following one that they went on to; played = a"
        " session with at least 3 s; passed = a session of the next released episode began after the"
        " first of this one, and within 7 d after the last of this one; censored = this is the last"
        " released episode, or the 7 d are not over at the watermark; dropped = the others."
        " dropped_at_paywall = of those, who met the next episode's paywall in that time;"
        " paywall_after = the episode after which most met the series' paywall for the first time;"
        " 95 % interval by Greenwood on log(−log S)"
    ),
    window="7 d from the last session of the episode",
    anchor="the first played episode of viewer × series",
    source=EVENTS,
)
ENCOUNTER_CONVERSION = Definition(
    key="encounter_conversion",
    name="conversion by paywall encounter",
    formula=(
        "encounters after which the episode was opened, by coins, ad or subscription, ÷ encounters;"
        " an encounter is the first paywall_shown of a viewer and an episode, its number that among"
        " the viewer's encounters in the series"
    ),
    window="24 h from the encounter; one that is not over at the watermark is immature",
    anchor="the first paywall_shown of viewer × episode",
    source=f"encounters: {EVENTS}; unlocks: {LEDGER}",
)
ENCOUNTER_ABANDONMENT = Definition(
    key="encounter_abandonment",
    name="abandonment by paywall encounter",
    formula=(
        "encounters after which the episode was not opened, and no stretch of at least 1 s of the"
        " series was played, ÷ encounters"
    ),
    window="24 h from the encounter; one that is not over at the watermark is immature",
    anchor="the first paywall_shown of viewer × episode",
    source=f"encounters and plays: {EVENTS}; unlocks: {LEDGER}",
)
HEAT = Definition(
    key="heat",
    name="watch heat map",
    formula=(
        "heat = story ms played of a stretch ÷ (its length × viewers of the version); share = viewers"
        " who played any of it ÷ viewers of the version; replayed = what a viewer played of it beyond"
        " its length; every session counts"
    ),
    window="life to date",
    anchor="the position in the version",
    source=EVENTS,
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
        " if the session is of that viewer and series; else on that of the viewer's last stretch of"
        " the series in the 30 min before; else on no beat, with the reason: none (no stretch before"
        " it is known), window (the last one was earlier), other_version (of a version that is not"
        " shown), no_beat (none is there). What is received 48 h after an unlock moves it no more;"
        " of a bundle, or without a tap, all is on one beat and counted as `together`; an unlock that was undone, and what refunds took back, are"
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
GROSS_BILLINGS = Definition(
    key="gross_billings",
    name="gross billings",
    formula="what viewers paid for coins and passes, tax included",
    window="local day",
    anchor="the purchase",
    source=LEDGER,
)
NET_BILLINGS = Definition(
    key="net_billings",
    name="net billings",
    formula=(
        "gross billings − tax − store fee, by the terms kept on the purchase − refunds and"
        " chargebacks, each on the day that it was booked"
    ),
    window="local day",
    anchor="the booking",
    source=LEDGER,
)
RECOGNISED_REVENUE = Definition(
    key="recognised_revenue",
    name="recognised revenue",
    formula=(
        "coins: value of the coins spent, less what refunds took back of it, + bought coins that"
        " lapsed + what partial refunds leave over; passes: the net, less what went back, evenly over"
        " their time, floor(worth × elapsed ÷ length); ads: what confirmed views are taken to have"
        " earned. By title and locale: title_revenue"
    ),
    window="local day",
    anchor="the commit; of passes, time",
    source=LEDGER,
)
DEFERRED_REVENUE = Definition(
    key="deferred_revenue",
    name="deferred revenue",
    formula=(
        "net billings − recognised revenue of coins and passes, from the first day on: the value left"
        " in bought coins and in passes' time ahead"
    ),
    window="at the end of the local day, or at the watermark if that is earlier",
    anchor="the end of the local day",
    source=LEDGER,
)
CHARTS = Definition(
    key="charts",
    name="top charts",
    formula=(
        "titles by one of: starts (a start is "
        f"{START}), viewers (with a stretch of at least 1 s), watched (actual ms), revenue"
        " (title_revenue); equal ones by external id"
    ),
    window="local days, all of them over before the watermark",
    anchor="the local day",
    source=f"revenue: {LEDGER}; the rest: {EVENTS}",
)
AI_SHARE = Definition(
    key="ai_share",
    name="provenance of the chart",
    formula=(
        "titles of the chart made by people, with AI, or by AI ÷ titles of the chart; and the same by"
        " revenue: Σ revenue ÷ Σ revenue"
    ),
    window="local days, all of them over before the watermark",
    anchor="the local day",
    source="the catalog, as it is now",
)
AD_REVENUE = Definition(
    key="ad_revenue",
    name="ad revenue",
    formula="net revenue of confirmed views, estimated by the placement when each was confirmed",
    window="local day",
    anchor="the confirmation",
    source=LEDGER,
)
ECPM = Definition(
    key="ecpm",
    name="ad revenue per mille",
    formula="ad revenue × 1000 ÷ ad_shown",
    window="local day",
    anchor="the confirmation, the showing",
    source=f"revenue: {LEDGER}; ads shown: {EVENTS}",
)
AD_FILL_RATE = Definition(
    key="ad_fill_rate",
    name="fill rate",
    formula="ad_requested with the result filled ÷ ad_requested, each result of a session once",
    window="local day",
    anchor="the request",
    source=EVENTS,
)
AD_SHOW_RATE = Definition(
    key="ad_show_rate",
    name="show rate",
    formula="sessions with ad_shown ÷ sessions with a request that was filled",
    window="local day",
    anchor="the showing, the request",
    source=EVENTS,
)
AD_REWARD_RATE = Definition(
    key="ad_reward_rate",
    name="paid sessions",
    formula="sessions with ad_shown that their network has confirmed ÷ sessions with ad_shown",
    window="local day; confirmed at any time before the watermark",
    anchor="the showing",
    source=f"ads shown: {EVENTS}; confirmations: {LEDGER}",
)
TTFF = Definition(
    key="ttff",
    name="time to the first frame",
    formula=(
        "p50 and p95 of first_frame_ms over playback_start events that have it: the smallest value"
        " that so many percent do not exceed"
    ),
    window="local day",
    anchor="the first frame",
    source=EVENTS,
)
REBUFFER_RATIO = Definition(
    key="rebuffer_ratio",
    name="rebuffering",
    formula="Σ ms of playback_stall ÷ Σ actual ms of playback_progress",
    window="local day",
    anchor="the event",
    source=EVENTS,
)
START_FAILURE = Definition(
    key="start_failure",
    name="failed starts",
    formula=(
        "playback_failed but those that the viewer abandoned ÷ attempts; attempts = playback_start +"
        " playback_failed"
    ),
    window="local day",
    anchor="the event",
    source=EVENTS,
)
EXIT_BEFORE_START = Definition(
    key="exit_before_start",
    name="exits before the start",
    formula="playback_failed that the viewer abandoned ÷ attempts",
    window="local day",
    anchor="the event",
    source=EVENTS,
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
    RETENTION_ON_OR_AFTER,
    LTV,
    COHORT_ARPPU,
    ARPU,
    ARPPU,
    FUNNEL,
    PAYWALL_REACH,
    PAYWALL_CONVERSION,
    UNLOCK_WATCHED,
    TOP_UP_BETWEEN,
    ENCOUNTER_CONVERSION,
    ENCOUNTER_ABANDONMENT,
    EPISODE_SURVIVAL,
    BEAT_SURVIVAL,
    BEAT_BOOKED,
    HEAT,
    TITLE_REVENUE,
    GROSS_BILLINGS,
    NET_BILLINGS,
    RECOGNISED_REVENUE,
    DEFERRED_REVENUE,
    AD_REVENUE,
    ECPM,
    AD_FILL_RATE,
    AD_SHOW_RATE,
    AD_REWARD_RATE,
    CHARTS,
    AI_SHARE,
    TTFF,
    REBUFFER_RATIO,
    START_FAILURE,
    EXIT_BEFORE_START,
    NET_REVENUE_PER_START,
)
