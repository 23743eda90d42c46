"""Money as the ledger has it, read into the tables that queries over the lake can join (fact_tables).

Facts of money come from the rows that moved it, never from what apps report, and their moment is
that of the ledger. Purchases of the past, which were imported, are facts of `billings` and `sales` beside those,
under a source of their own. Production only. Tables of what viewers did have nothing of the flagged; what was billed and
earned is accounting, and has all of it.

What ads earned follows one rule: the estimate that a reward keeps, plus every correction that was booked since
(the view `ads_earning`, ads/sql/earning_0001.sql). Reports of ads, of viewers and the ranking count all of it for
the day of the view; what closes its days (money by day, titles by day) has a correction on the day on
which it was booked.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import pyarrow as pa
from django.conf import settings
from django.db import connection, transaction

from analytics.reports.fact_tables import SCHEMAS

#: A ledger of millions is read in chunks of so many rows, each in far less than the time it has.
CHUNK_ROWS = 50_000
STATEMENT_SECONDS = 60

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
        SELECT earned.id::text, 'ad', NULL,
               CASE WHEN reward.entitlement_id IS NULL THEN 0 ELSE 1 END,
               earned.viewer_id::text, earned.series_id::text, earned.episode_id::text, 0,
               earned.micros, NULL, NULL, earned.booked_at AT TIME ZONE 'UTC',
               earned.viewed_at AT TIME ZONE 'UTC'
        FROM ads_earning AS earned
        LEFT JOIN ads_reward AS reward ON reward.id = earned.id
        WHERE earned.environment = 'production'
          AND (%(series_id)s::uuid IS NULL OR earned.series_id = %(series_id)s)
        UNION ALL
        SELECT opening.id::text, 'ad', NULL, 1, reward.viewer_id::text, reward.series_id::text,
               entitlement.episode_id::text, 0, 0, NULL, NULL,
               reward.created_at AT TIME ZONE 'UTC', reward.created_at AT TIME ZONE 'UTC'
        FROM ads_opening AS opening
        JOIN ads_reward AS reward ON reward.id = opening.reward_id
        JOIN payments_entitlement AS entitlement ON entitlement.id = opening.entitlement_id
        WHERE reward.environment = 'production' AND entitlement.ends_at IS NULL
          AND opening.entitlement_id <> reward.entitlement_id
          AND (%(series_id)s::uuid IS NULL OR reward.series_id = %(series_id)s)
        UNION ALL
        SELECT carried.id::text, 'carried', NULL, 0, spent.viewer_id::text, NULL, NULL, 0,
               -carried.micros, NULL, NULL, carried.created_at AT TIME ZONE 'UTC',
               spent.created_at AT TIME ZONE 'UTC'
        FROM (
            SELECT id, id AS unlock_id, attribution_micros AS micros, created_at
            FROM payments_unlock
            UNION ALL
            SELECT id, unlock_id, attribution_micros, created_at FROM payments_unlockcorrection
        ) AS carried
        JOIN payments_unlock AS spent ON spent.id = carried.unlock_id
        WHERE spent.environment = 'production' AND carried.micros <> 0
          AND %(series_id)s::uuid IS NULL
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
        SELECT 'ads', micros, booked_at AT TIME ZONE 'UTC'
        FROM ads_earning
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
               coalesce(opened.closed_at, opened.expires_at) AT TIME ZONE 'UTC'
        FROM ads_adsession AS opened
        JOIN ads_placement AS placement ON placement.id = opened.placement_id
        LEFT JOIN ads_reward AS reward ON reward.session_id = opened.id
        WHERE opened.environment = 'production'
    """,
    "ad_earnings": """
        SELECT earned.network, coalesce(placement.code, ''), earned.micros,
               CASE WHEN earned.basis = 'reported' THEN 0 ELSE earned.micros END,
               earned.impressions, earned.of_view,
               EXISTS (
                   SELECT FROM viewers_flag AS flag
                   WHERE flag.viewer_id = earned.viewer_id AND flag.lifted_at IS NULL
                     AND flag.playback_session_id IS NULL),
               earned.viewed_at AT TIME ZONE 'UTC', earned.booked_at AT TIME ZONE 'UTC'
        FROM ads_earning AS earned
        LEFT JOIN ads_placement AS placement ON placement.id = earned.placement_id
        WHERE earned.environment = 'production'
    """,
    "ad_true_ups": """
        SELECT concat_ws(' ', known.id, trued.ad_unit_id, trued.country), trued.number,
               known.day - DATE '1970-01-01', known.network, coalesce(placement.code, ''),
               trued.estimated_micros, trued.reported_micros, trued.created_at AT TIME ZONE 'UTC'
        FROM ads_trueup AS trued
        JOIN ads_revenueday AS known ON known.id = trued.revenue_day_id
        LEFT JOIN ads_placement AS placement ON placement.id = trued.placement_id
        WHERE known.environment = 'production'
    """,
    "shared_devices": """
        SELECT DISTINCT install_id::text, viewer_id::text
        FROM viewers_device
        WHERE install_id IN (
            SELECT install_id FROM viewers_device GROUP BY install_id
            HAVING count(*) > %(accounts)s)
    """,
    "ad_origins": """
        SELECT (day - date '1970-01-01')::bigint, kind, encode(origin, 'hex'), viewer_id::text
        FROM ads_adorigin
        WHERE environment = 'production'
    """,
    "offer_decisions": """
        SELECT decision.id::text, decision.viewer_id::text, decision.episode_id::text,
               policy.id::text, policy.name, coalesce(rule.position, 0), coalesce(rule.name, ''),
               CASE WHEN is_holdout THEN 'holdout' ELSE coalesce(arm.code, 'default') END,
               'ad' = ANY (decision.shown), ad_propensity_parts_per_billion,
               decided_at AT TIME ZONE 'UTC'
        FROM payments_offerdecision AS decision
        JOIN payments_offerpolicy AS policy ON policy.id = decision.policy_id
        LEFT JOIN payments_offerrule AS rule ON rule.id = decision.rule_id
        LEFT JOIN payments_offerarm AS arm ON arm.id = decision.arm_id
        WHERE decision.environment = 'production'
    """,
}


_FLAGGED_VIEWERS = """
    SELECT viewer_id::text FROM viewers_flag
    WHERE lifted_at IS NULL AND playback_session_id IS NULL
"""
_FLAGGED_SESSIONS = """
    SELECT playback_session_id::text FROM viewers_flag
    WHERE lifted_at IS NULL AND playback_session_id IS NOT NULL
"""
_IS_FLAGGED = f"coalesce(viewer_id IN ({_FLAGGED_VIEWERS}), false)"
_IS_OF_FLAGGED_SESSION = f"coalesce(playback_session_id IN ({_FLAGGED_SESSIONS}), false)"
#: What tables leave out.
_LEFT_OUT: Mapping[str, str] = {
    "unlocks": f"({_IS_FLAGGED} OR {_IS_OF_FLAGGED_SESSION})",
    "unlocks_left_out": f"NOT ({_IS_FLAGGED} OR {_IS_OF_FLAGGED_SESSION})",
    "purchases": _IS_FLAGGED,
    "sales": _IS_FLAGGED,
    "covered": _IS_FLAGGED,
    "exposures": _IS_FLAGGED,
    "ad_sessions": _IS_FLAGGED,
    "offer_decisions": _IS_FLAGGED,
}


def query_of(name: str, *, of_all: bool = False) -> str:
    """The query for a table of facts, without what it leaves out; `of_all` with what the flagged did."""
    query = _QUERIES["unlocks" if name == "unlocks_left_out" else name]
    if of_all or name not in _LEFT_OUT:
        return query
    columns = ", ".join(SCHEMAS[name].names)
    return f"SELECT * FROM ({query}) AS fact ({columns}) WHERE NOT ({_LEFT_OUT[name]})"  # noqa: S608


def read(name: str, *, series_id: UUID | None = None, of_all: bool = False) -> Iterator[pa.Table]:
    """A table of facts in pieces, at least one; of the unlocks only those of a series, if it is given. With
    what the flagged did if it is to be `of_all`.

    All pieces are of one moment. Not to be called in a transaction, whose time limit it would change.
    """
    schema = SCHEMAS[name]
    yield schema.empty_table()
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        with connection.chunked_cursor() as cursor:
            asked = {"series_id": series_id, "accounts": settings.FRAUD_ACCOUNTS_PER_INSTALL}
            cursor.execute(query_of(name, of_all=of_all), asked)
            while rows := cursor.fetchmany(CHUNK_ROWS):
                yield _table(rows, schema)


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)],
        schema=schema,
    )
