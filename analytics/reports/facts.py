"""Money as the ledger has it, as tables that queries over the lake can join.

Facts of money come from the rows that moved it, never from what apps report, and their moment is
that of the ledger. Purchases of the past, which were imported, are facts of `billings` and `sales` beside
those, under a source of their own. Production only.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import pyarrow as pa
from django.db import connection, transaction

from analytics.lake.schema import MOMENT

#: A ledger of millions is read in chunks of so many rows, each in far less than the time it has.
CHUNK_ROWS = 50_000
STATEMENT_SECONDS = 60

#: What opened episodes: by coins, with the value they carried, or by an ad, with what it earned. An unlock
#: whose revenue a refund took back, or that was undone, has a row more for each time that happened,
#: with the difference: sums are what is left. `unlocks` is 1 for the unlock itself, −1 where it was
#: undone, and 0 where only revenue moved. `created_at` is when that was booked, `unlocked_at` when
#: the episode was unlocked, in every row. `way` is that of coins: `bundle` and `auto` are decisions on
#: several episodes, or on none by itself.
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
#: Sessions of rewarded ads, with what the view is taken to have earned once its network has confirmed it.
#: From `settled_at` on nothing that the network says changes that: the session was closed, or is over.
AD_SESSIONS = pa.schema(
    [
        ("ad_session_id", pa.string()),
        ("viewer_id", pa.string()),
        ("network", pa.string()),
        ("placement", pa.string()),
        ("opened_at", MOMENT),
        ("rewarded_at", MOMENT),
        ("settled_at", MOMENT),
        ("revenue_micros", pa.int64()),
    ]
)
SCHEMAS: Mapping[str, pa.Schema] = {
    "unlocks": UNLOCKS,
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
}

_QUERIES: Mapping[str, str] = {
    "unlocks": """
        SELECT spent.id::text, 'coins', spent.way, 1, spent.viewer_id::text, episode.series_id::text,
               spent.episode_id::text, spent.price_coins,
               spent.value_micros + spent.attribution_micros,
               spent.playback_session_id::text, spent.position_ms,
               spent.created_at AT TIME ZONE 'UTC', spent.created_at AT TIME ZONE 'UTC'
        FROM payments_unlock AS spent
        JOIN catalog_episode AS episode ON episode.id = spent.episode_id
        WHERE spent.environment = 'production'
          AND (%(series_id)s::uuid IS NULL OR episode.series_id = %(series_id)s)
        UNION ALL
        SELECT spent.id::text, 'coins', spent.way, CASE WHEN reversal.id IS NULL THEN 0 ELSE -1 END,
               spent.viewer_id::text, episode.series_id::text, spent.episode_id::text,
               corrected.coins, corrected.micros,
               spent.playback_session_id::text, spent.position_ms,
               corrected.created_at AT TIME ZONE 'UTC', spent.created_at AT TIME ZONE 'UTC'
        FROM (
            SELECT unlock_id, transfer_id, min(created_at) AS created_at,
                   sum(coins)::bigint AS coins,
                   sum(value_micros + attribution_micros)::bigint AS micros
            FROM payments_unlockcorrection GROUP BY unlock_id, transfer_id
        ) AS corrected
        JOIN payments_unlock AS spent ON spent.id = corrected.unlock_id
        JOIN catalog_episode AS episode ON episode.id = spent.episode_id
        LEFT JOIN payments_unlockreversal AS reversal
          ON reversal.transfer_id = corrected.transfer_id
        WHERE spent.environment = 'production'
          AND (%(series_id)s::uuid IS NULL OR episode.series_id = %(series_id)s)
        UNION ALL
        SELECT reward.id::text, 'ad', NULL, 1, reward.viewer_id::text, reward.series_id::text,
               reward.episode_id::text, 0, reward.revenue_micros, NULL, NULL,
               reward.created_at AT TIME ZONE 'UTC', reward.created_at AT TIME ZONE 'UTC'
        FROM ads_reward AS reward
        WHERE reward.environment = 'production'
          AND (%(series_id)s::uuid IS NULL OR reward.series_id = %(series_id)s)
    """,
    "purchases": """
        SELECT id::text, viewer_id::text, net_micros, paid_coins + bonus_coins,
               created_at AT TIME ZONE 'UTC'
        FROM payments_purchase
        WHERE environment = 'production'
    """,
    "titles": """
        SELECT id::text, external_id, genre, original_locale, provenance_kind,
               state = 'published'
        FROM catalog_series
    """,
    "episodes": """
        SELECT series_id::text, id::text, number, state = 'published'
        FROM catalog_episode
        WHERE %(series_id)s::uuid IS NULL OR series_id = %(series_id)s
    """,
    "covered": """
        SELECT id::text, viewer_id::text, series_id::text, episode_id::text,
               starts_at AT TIME ZONE 'UTC'
        FROM payments_entitlement
        WHERE environment = 'production' AND source = 'subscription'
          AND (%(series_id)s::uuid IS NULL OR series_id = %(series_id)s)
    """,
    "billings": """
        SELECT 'coins', viewer_id::text, gross_micros, round(gross_micros * exchange_rate)::bigint,
               round(tax_micros * exchange_rate)::bigint,
               (round(gross_micros * exchange_rate) - round(tax_micros * exchange_rate)
                - net_micros)::bigint,
               0, net_micros, created_at AT TIME ZONE 'UTC'
        FROM payments_purchase
        WHERE environment = 'production'
        UNION ALL
        SELECT 'coins', purchase.viewer_id::text, -booking.gross_micros, 0, 0, 0,
               booking.net_micros, -booking.net_micros, booking.created_at AT TIME ZONE 'UTC'
        FROM payments_refundbooking AS booking
        JOIN payments_purchase AS purchase ON purchase.id = booking.purchase_id
        WHERE purchase.environment = 'production'
        UNION ALL
        SELECT 'passes', viewer_id::text, gross_micros, round(gross_micros * exchange_rate)::bigint,
               round(tax_micros * exchange_rate)::bigint,
               (round(gross_micros * exchange_rate) - round(tax_micros * exchange_rate)
                - net_micros)::bigint,
               0, net_micros, created_at AT TIME ZONE 'UTC'
        FROM payments_passpurchase
        WHERE environment = 'production'
        UNION ALL
        SELECT 'passes', purchase.viewer_id::text, -booking.gross_micros, 0, 0, 0,
               booking.net_micros, -booking.net_micros, booking.created_at AT TIME ZONE 'UTC'
        FROM payments_passrefundbooking AS booking
        JOIN payments_passpurchase AS purchase ON purchase.id = booking.purchase_id
        WHERE purchase.environment = 'production'
        UNION ALL
        SELECT CASE WHEN pass.id IS NULL THEN 'coins' ELSE 'passes' END,
               coalesce(pass.viewer_id, purchase.viewer_id)::text, 0, 0, 0,
               settled.difference_micros, 0, -settled.difference_micros,
               settled.created_at AT TIME ZONE 'UTC'
        FROM payments_feeadjustment AS settled
        LEFT JOIN payments_purchase AS purchase ON purchase.id = settled.purchase_id
        LEFT JOIN payments_passpurchase AS pass ON pass.id = settled.pass_purchase_id
        WHERE settled.environment = 'production'
        UNION ALL
        SELECT 'imported', viewer_id::text, gross_micros,
               round(gross_micros * exchange_rate)::bigint,
               round(tax_micros * exchange_rate)::bigint,
               (round(gross_micros * exchange_rate) - round(tax_micros * exchange_rate)
                - net_micros)::bigint,
               0, net_micros, purchased_at AT TIME ZONE 'UTC'
        FROM payments_importedpurchase
        WHERE environment = 'production'
    """,
    "sales": """
        WITH sold AS (
            SELECT id, 'coins' AS source, viewer_id, gross_micros, exchange_rate, created_at
            FROM payments_purchase
            WHERE environment = 'production'
            UNION ALL
            SELECT id, 'passes', viewer_id, gross_micros, exchange_rate, created_at
            FROM payments_passpurchase AS period
            WHERE environment = 'production'
              AND NOT EXISTS (
                  SELECT FROM payments_passpurchase AS earlier
                  WHERE earlier.subscription_id = period.subscription_id
                    AND (earlier.created_at, earlier.id) < (period.created_at, period.id)
                    AND earlier.gross_micros > 0
              )
            UNION ALL
            SELECT id, 'imported', viewer_id, gross_micros, exchange_rate, purchased_at
            FROM payments_importedpurchase
            WHERE environment = 'production'
        ), gone_back AS (
            SELECT purchase_id, gross_micros, created_at FROM payments_refundbooking
            UNION ALL
            SELECT purchase_id, gross_micros, created_at FROM payments_passrefundbooking
        )
        SELECT id::text, source, viewer_id::text, gross_micros,
               round(gross_micros * exchange_rate)::bigint,
               created_at AT TIME ZONE 'UTC', created_at AT TIME ZONE 'UTC'
        FROM sold
        UNION ALL
        SELECT sold.id::text, source, viewer_id::text, -gone_back.gross_micros,
               -round(gone_back.gross_micros * exchange_rate)::bigint,
               sold.created_at AT TIME ZONE 'UTC', gone_back.created_at AT TIME ZONE 'UTC'
        FROM sold JOIN gone_back ON gone_back.purchase_id = sold.id
    """,
    "earnings": """
        SELECT 'coins', value_micros, created_at AT TIME ZONE 'UTC'
        FROM payments_unlock
        WHERE environment = 'production'
        UNION ALL
        SELECT 'coins', correction.value_micros, correction.created_at AT TIME ZONE 'UTC'
        FROM payments_unlockcorrection AS correction
        JOIN payments_unlock AS spent ON spent.id = correction.unlock_id
        WHERE spent.environment = 'production'
        UNION ALL
        SELECT 'coins', -movement.value_micros, movement.created_at AT TIME ZONE 'UTC'
        FROM payments_lotmovement AS movement
        JOIN payments_lot AS lot ON lot.id = movement.lot_id
        JOIN payments_transfer AS transfer ON transfer.id = movement.transfer_id
        WHERE lot.environment = 'production' AND transfer.code = 'expiry'
          AND lot.origin IN ('purchase', 'pack_bonus')
        UNION ALL
        SELECT 'coins', -booking.difference_micros, booking.created_at AT TIME ZONE 'UTC'
        FROM payments_refundbooking AS booking
        JOIN payments_purchase AS purchase ON purchase.id = booking.purchase_id
        WHERE purchase.environment = 'production'
        UNION ALL
        SELECT CASE WHEN pass_purchase_id IS NULL THEN 'coins' ELSE 'passes' END,
               -difference_micros, created_at AT TIME ZONE 'UTC'
        FROM payments_feeadjustment
        WHERE environment = 'production'
        UNION ALL
        SELECT 'ads', revenue_micros, created_at AT TIME ZONE 'UTC'
        FROM ads_reward
        WHERE environment = 'production'
    """,
    "passes": """
        SELECT id::text, net_micros, starts_at AT TIME ZONE 'UTC', ends_at AT TIME ZONE 'UTC',
               created_at AT TIME ZONE 'UTC'
        FROM payments_passpurchase
        WHERE environment = 'production'
    """,
    "pass_refunds": """
        SELECT purchase.id::text, booking.net_micros, booking.created_at AT TIME ZONE 'UTC'
        FROM payments_passrefundbooking AS booking
        JOIN payments_passpurchase AS purchase ON purchase.id = booking.purchase_id
        WHERE purchase.environment = 'production'
    """,
    "exposures": """
        SELECT exposure.viewer_id::text, experiment.code, arm.code,
               exposure.exposed_at AT TIME ZONE 'UTC'
        FROM viewers_exposure AS exposure
        JOIN viewers_experiment AS experiment ON experiment.id = exposure.experiment_id
        JOIN viewers_arm AS arm ON arm.id = exposure.arm_id
        WHERE exposure.environment = 'production'
          AND exposure.carried_to_id IS NULL AND exposure.conflicted_at IS NULL
    """,
    "ad_sessions": """
        SELECT opened.id::text, opened.viewer_id::text, opened.network, placement.code,
               opened.opened_at AT TIME ZONE 'UTC', reward.created_at AT TIME ZONE 'UTC',
               coalesce(opened.closed_at, opened.expires_at) AT TIME ZONE 'UTC',
               reward.revenue_micros
        FROM ads_adsession AS opened
        JOIN ads_placement AS placement ON placement.id = opened.placement_id
        LEFT JOIN ads_reward AS reward ON reward.session_id = opened.id
        WHERE opened.environment = 'production'
    """,
}


def read(name: str, *, series_id: UUID | None = None) -> Iterator[pa.Table]:
    """A table of facts in pieces, at least one; of the unlocks only those of a series, if it is given.

    All pieces are of one moment. Not to be called in a transaction, whose time limit it would change.
    """
    schema = SCHEMAS[name]
    yield schema.empty_table()
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        with connection.chunked_cursor() as cursor:
            cursor.execute(_QUERIES[name], {"series_id": series_id})
            while rows := cursor.fetchmany(CHUNK_ROWS):
                yield _table(rows, schema)


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)],
        schema=schema,
    )
