"""Money as the ledger has it, as tables that queries over the lake can join.

Facts of money come from the rows that moved it, never from what apps report, and their moment is
that of the ledger. Production only.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from django.db import connection

from analytics.lake.schema import MOMENT

#: What opened episodes: by coins, with the value they carried, or by an ad, with what it earned.
UNLOCKS = pa.schema(
    [
        ("unlock_id", pa.string()),
        ("means", pa.string()),
        ("viewer_id", pa.string()),
        ("series_id", pa.string()),
        ("episode_id", pa.string()),
        ("coins", pa.int64()),
        ("value_micros", pa.int64()),
        ("playback_session_id", pa.string()),
        ("position_ms", pa.int32()),
        ("created_at", MOMENT),
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
        SELECT spent.id::text, 'coins', spent.viewer_id::text, episode.series_id::text,
               spent.episode_id::text, spent.price_coins, spent.value_micros,
               spent.playback_session_id::text, spent.position_ms,
               spent.created_at AT TIME ZONE 'UTC'
        FROM payments_unlock AS spent
        JOIN catalog_episode AS episode ON episode.id = spent.episode_id
        WHERE spent.environment = 'production'
        UNION ALL
        SELECT reward.id::text, 'ad', reward.viewer_id::text, reward.series_id::text,
               reward.episode_id::text, 0, reward.revenue_micros, NULL, NULL,
               reward.created_at AT TIME ZONE 'UTC'
        FROM ads_reward AS reward
        WHERE reward.environment = 'production'
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


def tables() -> dict[str, pa.Table]:
    """Every table of facts, by the name under which queries know it."""
    return {name: _read(_QUERIES[name], schema) for name, schema in SCHEMAS.items()}


def _read(query: str, schema: pa.Schema) -> pa.Table:
    with connection.cursor() as cursor:
        cursor.execute(query)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)],
        schema=schema,
    )
