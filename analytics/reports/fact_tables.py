"""The tables of facts that queries over the lake can join: what each row is, and its columns.

Rows come from analytics.reports.facts. Moments are those of the ledger.
"""

from collections.abc import Mapping

import pyarrow as pa

from analytics.lake.schema import MOMENT

#: What opened episodes: by coins, with the value they carried, or by an ad, with what it is estimated to have
#: earned; what ads earned beyond that, by the rule of analytics.reports.facts, has a row more each, of no
#: `unlocks`, whose `series_id` and `viewer_id` are null where that is known of neither, and whose `unlocked_at` is the view's. An unlock
#: whose revenue a refund took back, or that was undone, has a row more for each time that happened,
#: with the difference: sums are what is left. `unlocks` is 1 for the unlock itself, −1 where it was
#: undone, and 0 where only revenue moved. `created_at` is when that was booked, `unlocked_at` when
#: the episode was unlocked, in every row. `way` is that of coins: `bundle` and `auto` are decisions on
#: several episodes, or on none by itself.
#:
#: An ad's revenue is in the row of the ad: `unlocks` is 1 where it opened its episode, and 0 where more ads were
#: needed. Other episodes that it opened for good have rows without revenue. An ad for coins is of no title; as its
#: coins are spent, the revenue is in the unlock's value, and a row of means `carried` takes as much back from what
#: is of no title: nothing is counted twice.
UNLOCKS = pa.schema(
    [
        ("unlock_id", pa.string()),
        ("means", pa.string()),
        ("way", pa.string()),
        ("unlocks", pa.int32()),
        ("viewer_id", pa.string()),
        ("series_id", pa.string()),
        ("episode_id", pa.string()),
        ("coins", pa.int64()),
        ("value_micros", pa.int64()),
        ("playback_session_id", pa.string()),
        ("position_ms", pa.int32()),
        ("created_at", MOMENT),
        ("unlocked_at", MOMENT),
    ]
)
#: The same of viewers and playbacks that are flagged: money that belongs to no title.
UNLOCKS_LEFT_OUT = UNLOCKS
PURCHASES = pa.schema(
    [
        ("purchase_id", pa.string()),
        ("viewer_id", pa.string()),
        ("net_micros", pa.int64()),
        ("coins", pa.int64()),
        ("created_at", MOMENT),
    ]
)
#: Not money, but what gives it a name and a stratum.
TITLES = pa.schema(
    [
        ("series_id", pa.string()),
        ("external_id", pa.string()),
        ("genre", pa.string()),
        ("locale", pa.string()),
        ("provenance", pa.string()),
        ("is_published", pa.bool_()),
    ]
)
EPISODES = pa.schema(
    [
        ("series_id", pa.string()),
        ("episode_id", pa.string()),
        ("number", pa.int32()),
        ("is_published", pa.bool_()),
    ]
)
#: What a subscription or pass opened.
COVERED = pa.schema(
    [
        ("entitlement_id", pa.string()),
        ("viewer_id", pa.string()),
        ("series_id", pa.string()),
        ("episode_id", pa.string()),
        ("created_at", MOMENT),
    ]
)
#: Money that viewers paid, and that went back to them, in micros of the reporting currency but for
#: `paid_micros`, which is gross in the currency of the payment: more than nothing over all of a viewer's
#: rows if and only if not everything went back. `source` is what was bought: `coins` or `passes`, or it is
#: `imported`: what another system took, which is in no ledger and earned by nothing here. A refund
#: has what it took of the net in `refunds_micros`, and nothing in gross, tax and fee; what a store's fee
#: came to beyond its estimate is in `fee_micros` alone, on the day that told of it. `net_micros` is
#: gross − tax − fee − refunds.
BILLINGS = pa.schema(
    [
        ("source", pa.string()),
        ("viewer_id", pa.string()),
        ("paid_micros", pa.int64()),
        ("gross_micros", pa.int64()),
        ("tax_micros", pa.int64()),
        ("fee_micros", pa.int64()),
        ("refunds_micros", pa.int64()),
        ("net_micros", pa.int64()),
        ("created_at", MOMENT),
    ]
)
#: What viewers decided to buy, and what of it went back: sums over a purchase's rows are what is left.
#: `paid_micros` is in the currency of the payment, `gross_micros` in the reporting one. `sold_at` is when it
#: was bought, in every row. A renewal that a store makes by itself is none.
SALES = pa.schema(
    [
        ("purchase_id", pa.string()),
        ("source", pa.string()),
        ("viewer_id", pa.string()),
        ("paid_micros", pa.int64()),
        ("gross_micros", pa.int64()),
        ("sold_at", MOMENT),
        ("created_at", MOMENT),
    ]
)
#: Revenue at the moment that it is recognised, less what stores' fees came to beyond their estimates. Of
#: passes only the latter: their revenue is earned by time.
EARNINGS = pa.schema(
    [("source", pa.string()), ("earned_micros", pa.int64()), ("created_at", MOMENT)]
)
PASSES = pa.schema(
    [
        ("purchase_id", pa.string()),
        ("net_micros", pa.int64()),
        ("starts_at", MOMENT),
        ("ends_at", MOMENT),
        ("created_at", MOMENT),
    ]
)
PASS_REFUNDS = pa.schema(
    [("purchase_id", pa.string()), ("net_micros", pa.int64()), ("created_at", MOMENT)]
)
#: The arm of each experiment that a viewer has met; nobody who has met two.
EXPOSURES = pa.schema(
    [
        ("viewer_id", pa.string()),
        ("experiment", pa.string()),
        ("arm", pa.string()),
        ("exposed_at", MOMENT),
    ]
)
#: Sessions of rewarded ads. From `settled_at` on nothing that the network says of the view changes whether it
#: paid: the session was closed, or is over.
AD_SESSIONS = pa.schema(
    [
        ("ad_session_id", pa.string()),
        ("viewer_id", pa.string()),
        ("network", pa.string()),
        ("placement", pa.string()),
        ("opened_at", MOMENT),
        ("rewarded_at", MOMENT),
        ("settled_at", MOMENT),
    ]
)
#: What ads earned, by the rule of analytics.reports.facts. `estimated_micros` is the part of it that no report says.
#: `impressions` is 1 once for each that was told of outside of sessions. `of_view` is false for what reports have of no view. What
#: views of flagged viewers earned is here too, since networks report it, and `is_left_out`.
AD_EARNINGS = pa.schema(
    [
        ("network", pa.string()),
        ("placement", pa.string()),
        ("micros", pa.int64()),
        ("estimated_micros", pa.int64()),
        ("impressions", pa.int32()),
        ("of_view", pa.bool_()),
        ("is_left_out", pa.bool_()),
        ("viewed_at", MOMENT),
        ("booked_at", MOMENT),
    ]
)
#: What a network reported of a cell of its own `day` (days since 1970), and what was estimated of it: that of the
#: highest `number` counts.
AD_TRUE_UPS = pa.schema(
    [
        ("cell", pa.string()),
        ("number", pa.int32()),
        ("day", pa.int64()),
        ("network", pa.string()),
        ("placement", pa.string()),
        ("estimated_micros", pa.int64()),
        ("reported_micros", pa.int64()),
        ("created_at", MOMENT),
    ]
)
#: What viewers in front of locked episodes were shown, and by which chance, in parts per billion. `arm` is
#: `holdout` for whom the policy holds out, `default` where no rule fitted; a rule's place counts from 1.
OFFER_DECISIONS = pa.schema(
    [
        ("decision_id", pa.string()),
        ("viewer_id", pa.string()),
        ("episode_id", pa.string()),
        ("policy_id", pa.string()),
        ("policy", pa.string()),
        ("rule_place", pa.int32()),
        ("rule_name", pa.string()),
        ("arm", pa.string()),
        ("shows_ad", pa.bool_()),
        ("ad_propensity", pa.int64()),
        ("decided_at", MOMENT),
    ]
)
#: Installations of the app on which more accounts have been than FRAUD_ACCOUNTS_PER_INSTALL.
SHARED_DEVICES = pa.schema([("install_id", pa.string()), ("viewer_id", pa.string())])
#: From which device and block of addresses viewers opened ad sessions on a day of the reporting zone, by its
#: number since 1970.
AD_ORIGINS = pa.schema(
    [
        ("day", pa.int64()),
        ("kind", pa.string()),
        ("origin", pa.string()),
        ("viewer_id", pa.string()),
    ]
)
SCHEMAS: Mapping[str, pa.Schema] = {
    "unlocks": UNLOCKS,
    "unlocks_left_out": UNLOCKS_LEFT_OUT,
    "purchases": PURCHASES,
    "titles": TITLES,
    "episodes": EPISODES,
    "covered": COVERED,
    "billings": BILLINGS,
    "sales": SALES,
    "earnings": EARNINGS,
    "passes": PASSES,
    "pass_refunds": PASS_REFUNDS,
    "exposures": EXPOSURES,
    "ad_sessions": AD_SESSIONS,
    "ad_earnings": AD_EARNINGS,
    "ad_true_ups": AD_TRUE_UPS,
    "offer_decisions": OFFER_DECISIONS,
    "shared_devices": SHARED_DEVICES,
    "ad_origins": AD_ORIGINS,
}
