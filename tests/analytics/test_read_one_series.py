"""A question about one series reads the part of the lake that has it, within the memory that is allowed."""

import json
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pytest
from pytest_django.fixtures import Settings

from analytics.lake import engine, file_store, writing
from analytics.lake.schema import EVENT_SCHEMA
from analytics.reports import cuts, fact_tables, queries, sources
from tests.analytics.lakes import DAY, UTC_ZONE, played, utc

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

START = utc("2026-03-01 10:00")
SERIES = [str(UUID(int=number)) for number in range(1, 6)]
EVENTS_OF_EACH = 30_000
#: Of 20,000 rows each; the middle series has the whole of one and half of another.
GROUPS = 8
GROUPS_OF_THE_MIDDLE = 2


@cache
def _five_series() -> pa.Table:
    """Events of five series, sorted as those of all files are."""
    count = EVENTS_OF_EACH * len(SERIES)
    own = {
        "series_id": [series for series in SERIES for _ in range(EVENTS_OF_EACH)],
        "viewer_id": [str(UUID(int=n % 5000)) for n in range(count)],
        "event_id": [str(UUID(int=n)) for n in range(count)],
    }
    same = {
        name: queries.naive(value) if isinstance(value, datetime) else value
        for name, value in played("a", START).items()
    }
    columns = [
        pa.array(own[field.name], field.type)
        if field.name in own
        else pa.repeat(pa.scalar(same[field.name], field.type), count)
        for field in EVENT_SCHEMA
    ]
    return pa.table(columns, schema=EVENT_SCHEMA)


@pytest.fixture
def lake_file(own_lake: Path) -> Path:
    """A file of the lake with five series."""
    path = "events/day=2026-03-01/one.parquet"
    writing.write(path, START.date(), _five_series())
    return file_store.local_path(path)


@pytest.fixture
def connection(lake_file: Path) -> Iterator["DuckDBPyConnection"]:
    """The lake as reports have it, with no money and no beats beside it."""
    with engine.opened([lake_file]) as opened:
        paths = engine.path_list([lake_file])
        opened.execute(f"CREATE VIEW events AS SELECT * FROM read_parquet({paths})")
        source = sources.prepared(opened, watermark=START + DAY, zone=UTC_ZONE)
        for name in ("episodes", "unlocks", "unlocks_left_out"):
            source.create(name, fact_tables.SCHEMAS[name].empty_table())
        source.create("beats", cuts.SCHEMA.empty_table())
        source.create("cuts", cuts.LENGTHS.empty_table())
        yield opened


def _groups_read(connection: "DuckDBPyConnection", query: str, **given: Any) -> list[int]:
    """How many groups of rows each look at the lake has read."""
    asked = queries.named(query)
    ((_, plan),) = connection.execute(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {asked.text}", asked.bind(given)
    ).fetchall()

    def walk(node: dict[str, Any]) -> Iterator[int]:
        if node.get("name") == "READ_PARQUET":
            yield node["row_groups_scanned"]
        for child in node.get("children", []):
            yield from walk(child)

    return [groups for operator in json.loads(plan)["operator"] for groups in walk(operator)]


@pytest.mark.parametrize(
    ("query", "more", "looks"),
    [
        ("beat_outcomes", {}, 1),
        ("beat_bookings", {}, 2),
        ("heat_map", {"stretch_ms": 1000}, 1),
        ("episode_survival", {}, 2),
    ],
)
def test_what_is_asked_of_one_series_reads_the_groups_that_have_it(
    connection: "DuckDBPyConnection", query: str, more: dict[str, int], looks: int
) -> None:
    found = _groups_read(connection, query, series_id=SERIES[2], watermark=START + DAY, **more)

    assert len(found) <= looks
    assert max(found) <= GROUPS_OF_THE_MIDDLE


def test_what_is_asked_of_all_series_reads_every_group(connection: "DuckDBPyConnection") -> None:
    assert _groups_read(connection, "starts", watermark=START + DAY) == [GROUPS]


def test_what_is_more_than_memory_spills_to_a_folder_that_is_gone_afterwards(
    lake_file: Path, settings: Settings
) -> None:
    settings.LAKE_MEMORY_MB = 64
    folder = settings.DATA_DIR / "spill"

    with engine.opened([lake_file]) as opened:
        paths = engine.path_list([lake_file])
        opened.execute(
            "CREATE TEMP TABLE wide AS SELECT md5(event_id || n) || n AS text"
            f" FROM read_parquet({paths}), range(20) AS copies(n)"
        )
        spilled = [file for file in folder.rglob("*") if file.is_file()]
        found = opened.execute("SELECT count(DISTINCT text) FROM wide").fetchall()

    assert spilled
    assert found == [(20 * EVENTS_OF_EACH * len(SERIES),)]
    assert list(folder.iterdir()) == []
