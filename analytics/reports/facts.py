"""Money as the ledger has it, as tables that queries over the lake can join.

Facts of money come from the rows that moved it, never from what apps report, and their moment is
that of the ledger. Production only.
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
#: the episode was unlocked, in every row.
UNLOCKS = pa.schema(
    [
        ("unlock_id", pa.string()),
        ("means", pa.string()),
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
        ("is_published", pa.bool_()),
    ]
)
SCHEMAS: Mapping[str, pa.Schema] = {"unlocks": UNLOCKS, "purchases": PURCHASES, "titles": TITLES}

_QUERIES: Mapping[str, str] = {
    "unlocks": """
        SELECT spent.id::text, 'coins', 1, spent.viewer_id::text, episode.series_id::text,
               spent.episode_id::text, spent.price_coins,
               spent.value_micros + spent.attribution_micros,
               spent.playback_session_id::text, spent.position_ms,
               spent.created_at AT TIME ZONE 'UTC', spent.created_at AT TIME ZONE 'UTC'
        FROM payments_unlock AS spent
        JOIN catalog_episode AS episode ON episode.id = spent.episode_id
        WHERE spent.environment = 'production'
          AND (%(series_id)s::uuid IS NULL OR episode.series_id = %(series_id)s)
        UNION ALL
        SELECT spent.id::text, 'coins', CASE WHEN reversal.id IS NULL THEN 0 ELSE -1 END,
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
        SELECT reward.id::text, 'ad', 1, reward.viewer_id::text, reward.series_id::text,
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
        SELECT id::text, external_id, genre, original_locale, state = 'published'
        FROM catalog_series
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
