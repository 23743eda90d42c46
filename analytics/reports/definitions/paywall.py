"""Figures of the way to the paywall and past it."""

from analytics.reports.definitions.definition import EVENTS, LEDGER, START, Definition

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
OFFER_CONVERSION = Definition(
    key="offer_conversion",
    name="conversion by offer arm",
    formula=(
        "decisions after which the episode was opened, by the first of coins, ad and subscription, ÷"
        " decisions; a decision is made once for viewer and episode, when its paywall is first shown"
        " under a policy, in the holdout too"
    ),
    window="24 h from the decision; one that is not over at the watermark is immature",
    anchor="the decision",
    source=f"the log of decisions; unlocks: {LEDGER}",
)
OFFER_REVENUE = Definition(
    key="offer_revenue",
    name="revenue per encounter by offer arm",
    formula=(
        "paid: value of the coins that opened the decision's episode, less what refunds took back since, plus the"
        " net of subscriptions and passes that the viewer bought after this decision and before their next one;"
        " ad: what ads that opened the episode are taken to have earned; ÷ decisions. The interval is"
        " mean ± 1.96 standard errors, by viewers; empty below 200 effective viewers"
    ),
    window="24 h from the decision; one that is not over at the watermark is immature",
    anchor="the decision",
    source=f"the log of decisions; money: {LEDGER}",
)
OFFER_CANNIBALISATION = Definition(
    key="offer_cannibalisation",
    name="what the ad takes and brings",
    formula=(
        "Σwr ÷ Σw of decisions that show the ad, less the same of those that do not, with w one over the logged"
        " chance of showing it or not, and r the paid or the ad revenue of the decision; of rules of which"
        " some decisions show it and some do not. The interval is difference ± 1.96 standard errors, by"
        " viewers. Insufficient overlap: an effective size (Σw)² ÷ Σw² below 200, or one weight above 5 % of Σw"
    ),
    window="24 h from the decision; one that is not over at the watermark is left out",
    anchor="the decision",
    source=f"the log of decisions with their propensities; money: {LEDGER}",
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
