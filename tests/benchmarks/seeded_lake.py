"""A lake of millions of events that is the same each time: what viewers of a drama app do in 91 days.

Every choice is a hash of who, when and what, so no generator has to be kept in step. Viewers come over
the whole time and come back less and less; most of what is watched is of few titles.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics.lake import file_store, writing
from analytics.lake.schema import EVENT_SCHEMA
from analytics.models import LakeFile
from analytics.reports import cuts, fact_tables
from analytics.reports.cuts import Cut

FIRST_DAY = date(2026, 1, 1)
DAYS = 91
#: What was received is in the lake up to here, hours after the last event.
WATERMARK = datetime(2026, 4, 2, 12, tzinfo=UTC)
#: How many events a viewer comes to, so that a lake is about as large as was asked for.
EVENTS_PER_VIEWER = 135
SERIES = 200
EPISODES = 60
FIRST_LOCKED = 10
EPISODE_MS = 80_000
STRETCH_MS = 10_000
#: Where the facts of money are kept beside the lake, under DATA_DIR.
FACTS = "seeded-facts"

_FUNCTIONS = """
    CREATE MACRO id_of(name) AS CAST(CAST(md5(name) AS UUID) AS VARCHAR);
    CREATE MACRO chance(a, b, c) AS hash(a, b, c) % 1000000 / 1000000.0;
    CREATE MACRO of_many(texts, a, c) AS texts[1 + CAST(hash(a, c) % len(texts) AS INTEGER)];
    CREATE MACRO first_day(viewer) AS CAST(hash(viewer, 'first') % {days} AS INTEGER);
    -- An episode of a session: on which day, whose, which of the session, of which title.
    CREATE MACRO watched_on(on_day, viewers) AS TABLE
        WITH present AS (
            SELECT range AS viewer, on_day - first_day(range) AS age FROM range(viewers)
        ), session AS (
            SELECT viewer,
                   epoch_ms(1767225600000 + on_day * 86400000::BIGINT
                            + CAST(chance(viewer, on_day, 'hour') * 80000000 AS BIGINT)) AS opened_at,
                   CAST(floor({series} * pow(chance(viewer, on_day, 'title'), 3)) AS INTEGER) AS title,
                   CAST(hash(viewer, on_day, 'from') % 20 AS INTEGER) AS first_number,
                   CAST(hash(viewer, on_day, 'length') % 5 AS INTEGER) AS last_of_session
            FROM present
            WHERE age = 0 OR (age > 0 AND chance(viewer, on_day, 'back') < 0.6 / pow(1 + age, 0.7))
        )
        SELECT on_day AS day, viewer, title, opened_at, place, first_number + place + 1 AS number,
               opened_at + INTERVAL 1 SECOND * (20 + 90 * place) AS began_at,
               least(8, 1 + CAST(floor(ln(chance(viewer, on_day * 100 + place, 'stay') + 0.000001)
                                       / ln(0.94)) AS INTEGER)) AS stretches,
               place = last_of_session AS is_last
        FROM session, unnest(range(0, last_of_session + 1)) AS unnested(place);
"""

_EVENTS = """
    WITH watched AS (
        SELECT *, concat(viewer, '/', day, '/', place) AS name, concat('v', viewer) AS viewer_name
        FROM watched_on({day}, {viewers})
    ), told AS (
        SELECT viewer, concat(name, '/open') AS event_name, 'app_open' AS type, viewer_name,
               opened_at AS occurred_at, NULL::INTEGER AS title, NULL::BIGINT AS number,
               NULL AS session_name, NULL::INTEGER AS from_ms, NULL::INTEGER AS to_ms,
               NULL AS reason
        FROM watched WHERE place = 0
        UNION ALL
        SELECT viewer, concat(name, '/start'), 'playback_start', viewer_name, began_at, title, number,
               name, NULL, NULL, NULL
        FROM watched
        UNION ALL
        SELECT viewer, concat(name, '/', stretch), 'playback_progress', viewer_name,
               began_at + INTERVAL 10 SECOND * (stretch + 1), title, number, name,
               {stretch_ms} * stretch, {stretch_ms} * (stretch + 1), NULL
        FROM watched, unnest(range(0, stretches)) AS unnested(stretch)
        UNION ALL
        SELECT viewer, concat(name, '/seek'), 'playback_seek', viewer_name,
               began_at + INTERVAL 10 SECOND * stretches, title, number, name,
               {stretch_ms} * stretches, {stretch_ms} * (stretches - 2), NULL
        FROM watched WHERE stretches BETWEEN 3 AND 5
        UNION ALL
        SELECT viewer, concat(name, '/end'), 'playback_end', viewer_name,
               began_at + INTERVAL 10 SECOND * stretches + INTERVAL 1 SECOND, title, number, name,
               NULL, NULL,
               CASE WHEN stretches = 8 THEN 'completed' WHEN is_last THEN 'exit' ELSE 'next' END
        FROM watched
        UNION ALL
        SELECT viewer, concat(name, '/paywall'), 'paywall_shown', viewer_name,
               began_at - INTERVAL 1 SECOND, title, number, NULL, NULL, NULL, NULL
        FROM watched WHERE number >= {first_locked}
    )
    SELECT id_of(event_name) AS event_id, type, id_of(viewer_name) AS viewer_id,
           'production' AS environment, occurred_at, occurred_at AS created_at,
           occurred_at + INTERVAL 5 SECOND AS sent_at, occurred_at + INTERVAL 5 SECOND AS received_at,
           of_many(['ios', 'android', 'web'], viewer, 'platform') AS platform, '1.4.0' AS app_version,
           'en' AS locale,
           of_many(['US', 'BR', 'IN', 'ID', 'MX', 'PH', 'TH', 'JP', 'KR', 'DE', 'FR', 'GB'],
                   viewer, 'country') AS country,
           CASE WHEN type = 'app_open'
                THEN of_many(['organic', 'tiktok', 'meta', 'google', 'apple', 'referral'],
                             viewer, 'channel') END AS channel,
           NULL AS campaign,
           CASE WHEN session_name IS NOT NULL THEN id_of(session_name) END AS playback_session_id,
           CASE WHEN title IS NOT NULL THEN id_of(concat('s', title)) END AS series_id,
           CASE WHEN title IS NOT NULL THEN id_of(concat('e', title, '/', number)) END AS episode_id,
           CASE WHEN session_name IS NOT NULL
                THEN id_of(concat('c', title, '/', number)) END AS version_id,
           NULL AS decision_id, NULL::INTEGER AS slot, NULL::INTEGER AS visible_ms,
           NULL::INTEGER AS position_ms, from_ms, to_ms,
           CASE WHEN type = 'playback_progress' THEN to_ms - from_ms END AS actual_ms,
           NULL::INTEGER AS first_frame_ms, reason,
           CASE WHEN type = 'paywall_shown' THEN 50::BIGINT END AS price_coins,
           NULL AS placement, NULL AS ad_session_id, id_of(concat(viewer_name, '/', {day})) AS batch_id
    FROM told
    ORDER BY series_id, type, occurred_at, event_id
"""

#: Of each day but the titles, which are there from the first.
_FACTS: Mapping[str, str] = {
    "unlocks": """
        SELECT id_of(concat('u', viewer, '/', day, '/', place)), 'coins',
               CASE WHEN place = 3 THEN 'auto' ELSE 'single' END, 1, id_of(concat('v', viewer)),
               id_of(concat('s', title)), id_of(concat('e', title, '/', number)), 50, 450000,
               CASE WHEN place % 2 = 1
                    THEN id_of(concat(viewer, '/', day, '/', place - 1)) END,
               CASE WHEN place % 2 = 1 THEN 61000 END, began_at, began_at
        FROM watched_on({day}, {viewers})
        WHERE number >= {first_locked} AND hash(viewer, 'payer') % 20 = 0
    """,
    "billings": """
        SELECT 'coins', id_of(concat('v', viewer)), 4990000, 4990000, 490000, 900000, 0, 3600000,
               opened_at + INTERVAL 3 MINUTE
        FROM watched_on({day}, {viewers})
        WHERE place = 0 AND hash(viewer, 'payer') % 20 = 0 AND hash(viewer, day, 'pays') % 2 = 0
    """,
    "titles": """
        SELECT id_of(concat('s', range)), concat('title-', lpad(CAST(range AS VARCHAR), 3, '0')), 'romance', 'en',
               of_many(['human', 'ai_assisted', 'ai_native'], range, 'made'), true
        FROM range({series})
    """,
}


class SeededLake:
    """So many events, in the files of its days and in the manifest; the facts of money beside them."""

    def __init__(self, events: int) -> None:
        self.viewers = events // EVENTS_PER_VIEWER
        self._engine = duckdb.connect(":memory:", config={"threads": 2})
        self._engine.execute(self._filled(_FUNCTIONS))

    def write(self, *, files_a_day: int = 1) -> int:
        """Writes the files and names them in the manifest; returns how many events there are."""
        return sum(self._write_day(number, files_a_day) for number in range(DAYS))

    def write_facts(self, folder: Path) -> None:
        """Writes the facts of money, for `read_facts` of another process."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _FACTS:
            pq.write_table(self._facts(name), folder / f"{name}.parquet")

    def _facts(self, name: str) -> pa.Table:
        schema = fact_tables.SCHEMAS[name]
        days = range(1 if name == "titles" else DAYS)
        found = (
            self._engine.sql(self._filled(_FACTS[name], day=day)).to_arrow_table() for day in days
        )
        return pa.concat_tables(each.rename_columns(schema.names).cast(schema) for each in found)

    def _write_day(self, number: int, files_a_day: int) -> int:
        day = FIRST_DAY + timedelta(days=number)
        rows = self._engine.sql(self._filled(_EVENTS, day=number)).to_arrow_table()
        for part in range(files_a_day):
            # Each part in its order, as a flush leaves it, with something of every title and time.
            own = rows.take(pa.array(range(part, rows.num_rows, files_a_day), pa.int64()))
            path = f"events/day={day}/seeded-{self.viewers}-{part}.parquet"
            row = writing.write(path, day, own.cast(EVENT_SCHEMA)).as_row(now=WATERMARK)
            row.compared_at = WATERMARK
            row.save()
        return int(rows.num_rows)

    def _filled(self, text: str, **more: int) -> str:
        return text.format(
            viewers=self.viewers,
            days=DAYS,
            series=SERIES,
            first_locked=FIRST_LOCKED,
            stretch_ms=STRETCH_MS,
            **more,
        )


def read_facts(folder: Path, name: str, *, series_id: UUID | None = None) -> Iterator[pa.Table]:
    """A table of facts in one piece, in the place of analytics.reports.facts.read."""
    if name not in _FACTS:
        yield fact_tables.SCHEMAS[name].empty_table()
        return
    table = pq.read_table(folder / f"{name}.parquet")
    yield table if series_id is None else table.filter(pc.field("series_id") == str(series_id))


def paths() -> Sequence[Path]:
    """Where the lake's files can be read."""
    names = LakeFile.objects.filter(retired_at=None).order_by("id").values_list("path", flat=True)
    return [file_store.local_path(name) for name in names]


def most_watched() -> Sequence[Cut]:
    """The episodes of the title that most is watched of, on a grid of beats."""
    with duckdb.connect(":memory:") as engine:
        engine.execute("CREATE MACRO id_of(name) AS CAST(CAST(md5(name) AS UUID) AS VARCHAR)")

        def named(name: str) -> UUID:
            (row,) = engine.execute("SELECT id_of(?)", [name]).fetchall()
            return UUID(row[0])

        return [
            Cut(
                series_id=named("s0"),
                version_id=named(f"c0/{number}"),
                external_id=f"title-000/{number}",
                episode_id=named(f"e0/{number}"),
                number=number,
                duration_ms=EPISODE_MS,
                beats=cuts.grid(EPISODE_MS),
            )
            for number in range(1, EPISODES + 1)
        ]
