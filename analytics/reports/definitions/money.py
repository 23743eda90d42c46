"""Figures of money, and of what brings it."""

from analytics.reports.definitions.definition import EVENTS, LEDGER, OVER, START, Definition

TITLE_REVENUE = Definition(
    key="title_revenue",
    name="revenue by title",
    formula=(
        "value of the coins spent on the title's unlocks, that of coins which ads had earned"
        " included + net revenue of the ads watched to open its episodes − what refunds took back of"
        " its unlocks, on the day that they did, and what became known of an ad later, on the day that it"
        " was booked; an ad that was shown to open an episode and paid nothing is the title's as well where"
        " the network's server tells of it, not at an app's word;"
        " `unattributed` = ads of no title, those watched for coins less what was carried to titles as"
        " these were spent, and what reports have of no view; titles + unattributed = what the ledger"
        " has of coins spent and ads, to the micro. Passes are of no title:"
        " recognised_revenue has them"
    ),
    window="local day, or life to date",
    anchor="the commit",
    source=LEDGER,
)
GROSS_BILLINGS = Definition(
    key="gross_billings",
    name="gross billings",
    formula="what viewers paid for coins and passes, tax included; imported purchases are in no ledger and not in it",
    window="local day",
    anchor="the purchase",
    source=LEDGER,
)
NET_BILLINGS = Definition(
    key="net_billings",
    name="net billings",
    formula=(
        "gross billings − tax − store fee − refunds and chargebacks, each on the day that it was booked;"
        " a store's fee is estimated by the terms kept on the purchase, and what its own report says"
        " beyond or below that is a fee of the day that hears of it"
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
        " their time, floor(worth × elapsed ÷ length); ads: what confirmed views are estimated to have"
        " earned, and what impressions and networks' reports say beyond that, on the day that hears of"
        " it; coins and passes bear what the fees of their purchases came to beyond the estimates,"
        " on the day that hears of it. By title and locale, where lots keep the value that they were"
        " sold with: title_revenue"
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
AD_REVENUE = Definition(
    key="ad_revenue",
    name="ad revenue",
    formula=(
        "of each view the best that is known: what impression-level revenue told of it, else the estimate"
        " that the placement had when it was confirmed; × ad_estimate_factor, once its network has reported the"
        " day; + what reports have of no view (`remainder`). So a reported day earns what its report says. A view"
        " is a confirmed reward, or an impression without one; rewards keep their estimate, differences are rows"
        " beside it. What ads of the flagged earned is part of it, and told apart (`left_out_micros`)"
    ),
    window="local day",
    anchor="the confirmation; without one the showing",
    source=f"{LEDGER}; differences that were booked before the watermark",
)
AD_ESTIMATE_FACTOR = Definition(
    key="ad_estimate_factor",
    name="true-up",
    formula=(
        "R the network's report, its latest version ÷ Σ I what views were estimated to have earned, by ad unit"
        " (shown by its placement) × country; a country that R or I alone has is taken together with the ad"
        " unit's others of that kind, an ad unit that R does not name with the day's"
    ),
    window="the network's day, as a rule two days later",
    anchor="the network's day",
    source="networks' reports; estimates: ad_revenue",
)
ECPM = Definition(
    key="ecpm",
    name="ad revenue per mille",
    formula=(
        "(ad revenue − remainder − what ads of the flagged earned) × 1000 ÷ (ad_shown + impressions told of"
        " outside of sessions)"
    ),
    window=OVER,
    anchor="the confirmation, the showing",
    source=f"revenue: {LEDGER}; ads shown: {EVENTS}",
)
AD_FILL_RATE = Definition(
    key="ad_fill_rate",
    name="fill rate",
    formula="ad_requested with the result filled ÷ ad_requested, each result of a session once",
    window=OVER,
    anchor="the request",
    source=EVENTS,
)
AD_SHOW_RATE = Definition(
    key="ad_show_rate",
    name="show rate",
    formula="sessions with ad_shown ÷ sessions with a request that was filled",
    window=OVER,
    anchor="the showing, the request",
    source=EVENTS,
)
AD_REWARD_RATE = Definition(
    key="ad_reward_rate",
    name="paid sessions",
    formula=(
        "sessions with ad_shown that their network has confirmed ÷ sessions with ad_shown; beside it the"
        " lag p95: the time from ad_shown to the confirmation, never less than 0, that 95 % of the"
        " confirmed do not exceed"
    ),
    window=(
        "local day, and of each session until it is closed or over; empty until all of that is before"
        " the watermark"
    ),
    anchor="the showing",
    source=f"ads shown: {EVENTS}; confirmations: {LEDGER}",
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
NET_REVENUE_PER_START = Definition(
    key="net_revenue_per_start",
    name="expected net revenue per start",
    formula=(
        "v(H) = p·μ + a: conversion p ~ Beta, capped coin value per converter μ ~ inverse gamma"
        " (quasi-gamma), capped ad revenue per start a the same without the hurdle; priors by maximum"
        " marginal likelihood over genre × locale, genre or all titles, whichever first has 20, else"
        " a weak prior at the pooled rates worth 20 starts and 2 converters; cap = full list price"
        " of the series' paid episodes at the dearest coin sold, for coins and for ads. Plain form:"
        " starts with an incomplete window are left out instead of weighted by censoring curves; no recency"
        " weights, no propensity weights of the feed, no versions; refunds until the watermark are"
        " taken off the unlocks that they came from, in place of a refund factor"
    ),
    window="H = 24 h or 7 d, complete before the watermark",
    anchor="the start of viewer × series",
    source=f"starts: {EVENTS}; revenue: {LEDGER}",
)
