"""Figures of viewers: who came back, and what they brought."""

from analytics.reports.definitions.definition import ACTIVE, EVENTS, PAYMENTS, Definition

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
    source=f"cohorts: {EVENTS}; money: {PAYMENTS}",
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
    source=f"cohorts: {EVENTS}; money: {PAYMENTS}",
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
    source=f"viewers: {EVENTS}; money: {PAYMENTS}",
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
    source=PAYMENTS,
)
REPURCHASE_RATE = Definition(
    key="repurchase_rate",
    name="repeat pay",
    formula=(
        "payers with a second purchase within 30 d of their first ÷ payers of the cohort; a purchase is of"
        " coins or a pass, or was imported, has a price, and did not go back in full; a renewal that a"
        " store makes by itself is none"
    ),
    window="30 d from the first purchase; empty until every payer of the cohort has had all of it",
    anchor="the viewer's own first purchase",
    source=PAYMENTS,
)
REPURCHASE_COHORT = Definition(
    key="repurchase_cohort",
    name="repurchase by cohort",
    formula="payers with a purchase in period c+n, counted once, of those whose first is in period c",
    window="local day, ISO week or month; a cell is empty until it is over before the watermark",
    anchor="the local day, ISO week or month of the viewer's first purchase",
    source=PAYMENTS,
)
PURCHASE_RHYTHM = Definition(
    key="purchase_rhythm",
    name="rhythm of purchases",
    formula=(
        "frequency = local days with a purchase − 1; recency = days from the first of them to the last;"
        " age = days from the first to the end of observation; repeat_micros = gross of the days after"
        " the first"
    ),
    window="to the end of the local day `until`, which is over before the watermark",
    anchor="the local day of the viewer's first purchase",
    source=PAYMENTS,
)
