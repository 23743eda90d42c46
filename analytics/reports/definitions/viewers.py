"""Figures of viewers: who came back, and what they brought."""

from analytics.reports.definitions.definition import ACTIVE, EVENTS, LEDGER, Definition

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
        " gross − tax − store fee − refunds, each on its own day, of coins and passes; a fee is at first"
        " estimated, and what the store's report says beyond that is of the day that hears of it, so it"
        " is in horizons that reach so far; ad revenue ="
        " what the viewer's views earned by the best that is known, on the day of the view; money that came before the first app_open"
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
    formula=(
        "(net billings + ad revenue, on the day of the view by the best that is known) ÷ active viewers;"
        f" active = {ACTIVE}"
    ),
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
