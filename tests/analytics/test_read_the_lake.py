"""An analyst reads what the manifest names, and nothing else."""

from datetime import timedelta
from uuid import UUID

import pytest

from analytics.lake import reading, repeats
from analytics.models import LakeFile


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


def test_a_copy_is_looked_for_in_files_of_up_to_31_days_before_and_after(now):
    def file(days, ids=(1, 9)):
        first, last = (UUID(int=each) for each in ids)
        day = now.date() + timedelta(days=days)
        return LakeFile(path=f"{days}", day=day, first_event_id=first, last_event_id=last)

    files = [file(days) for days in (-32, -31, 0, 31, 32)]
    apart = file(0, ids=(10, 19))

    assert repeats.rivals([file(0)], [*files, apart]) == files[1:4]
    assert repeats.rivals([file(63), apart], files) == [files[4]]
