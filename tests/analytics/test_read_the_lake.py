"""An analyst reads what the manifest names, and nothing else."""

import pytest

from analytics.lake import reading


@pytest.mark.django_db
def test_an_empty_lake_has_all_columns_and_no_event():
    with reading.connection() as connection:
        found = connection.execute(
            "SELECT event_id, occurred_at + INTERVAL 1 DAY, slot FROM events"
        )
        assert found.fetchall() == []


@pytest.mark.django_db
def test_an_empty_inbox_is_complete_up_to_now(now):
    assert reading.watermark(now=now) == now


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/left-by-a-query.parquet'",
        "SELECT * FROM glob('/*')",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "ATTACH '/tmp/left-by-a-query.duckdb'",
    ],
)
def test_a_query_reaches_nothing_but_the_lake(statement):
    import duckdb

    with reading.connection() as connection, pytest.raises(duckdb.Error):
        connection.execute(statement).fetchall()
