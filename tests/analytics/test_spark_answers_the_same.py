"""Every report and both rankings are the same to the byte, whether DuckDB counts them or a Spark cluster.

Of the suite's own run this is not part: a cluster takes longer to start than most tests together. `make prove` runs
it where Spark is installed.
"""

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from pytest_django.fixtures import Settings

from analytics.lake import repeats, writing
from analytics.lake.datasets import EVENTS
from analytics.lake.schema import EVENT_SCHEMA
from analytics.models import LakeFile, RepeatedEvent
from analytics.reports import queries, sources
from analytics.reports.sources import Source
from tests.analytics import spark_cluster
from tests.analytics.lakes import DAY, Row
from tests.analytics.seeded_lakes import Seeded, table
from tests.analytics.spark_cluster import PATIENCE_SECONDS, Cluster
from tests.proof import Proof

WHAT = "every report and ranking on DuckDB and on two Spark workers, one killed while it counted"


# py4j leaves the sockets of threads that are over to the collector of garbage.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
# No transaction around it: for minutes only Spark is at work, and the database ends one that rests.
@pytest.mark.django_db(transaction=True)
def test_every_report_is_the_same_on_both_engines(
    proof: Proof, own_lake: Path, settings: Settings, tmp_path: Path
) -> None:
    if not proof.is_full:
        pytest.skip("A cluster is started by `make prove`.")
    if reason := spark_cluster.missing():
        proof.skip("A2", WHAT, reason=reason)
    seeded = Seeded(proof.seed)
    _fill(seeded)

    with _source(seeded) as source:
        expected = {name: _digest(make(source)) for name, make in seeded.reports().items()}
    folder = tmp_path / "spark"
    folder.mkdir()
    with spark_cluster.driver(folder), spark_cluster.started(folder, workers=2) as cluster:
        settings.SPARK_MASTER = cluster.url
        with _source(seeded) as source:
            assert source.engine == "Spark"
            found = {name: _digest(make(source)) for name, make in seeded.reports().items()}
        with _source(seeded) as source:
            killing = _Killing(cluster)
            killing.start()
            again = {name: _digest(make(source)) for name, make in seeded.reports().items()}
            killing.join()

    assert killing.was_counting
    proof.rounds(full=2 * len(expected))
    differing = sorted(
        name for name in expected if not expected[name] == found[name] == again[name]
    )
    proof.record("A2", WHAT, violations=len(differing))
    assert differing == []


class _Killing(threading.Thread):
    """Kills a worker as soon as the cluster is at a query, and remembers that it was."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(daemon=True)
        self._cluster, self.was_counting = cluster, False

    def run(self) -> None:
        from pyspark import SparkContext

        tracker = SparkContext.getOrCreate().statusTracker()
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            if tracker.getActiveStageIds():
                self._cluster.workers[0].kill()
                self._cluster.workers[0].wait()
                self.was_counting = True
                return
            time.sleep(0.01)


@contextmanager
def _source(seeded: Seeded) -> Iterator[Source]:
    """The lake by its manifest, and the seed's money."""
    with sources.opened(now=seeded.watermark) as source:
        yield replace(source, read_facts=seeded.read_facts)


def _digest(report: object) -> str:
    """Of all that a report says but which engine counted it."""
    plain = msgspec.to_builtins(report, str_keys=True)
    if isinstance(plain, dict):
        del plain["engine"]
    return hashlib.sha256(msgspec.json.encode(plain)).hexdigest()


def _fill(seeded: Seeded) -> None:
    """Files of each day, the first of before columns were added; and two of copies: one that was compared,
    and one that never was.
    """
    by_day: dict[str, list[Row]] = {}
    for row in seeded.events:
        by_day.setdefault(row["occurred_at"].date().isoformat(), []).append(row)
    for number, rows in enumerate(by_day.values()):
        _write("first", rows, seeded, version=min(number + 1, EVENTS.version))
    day = max(by_day.values(), key=len)
    later = [row | {"received_at": row["received_at"] + DAY / 24, "batch_id": "z"} for row in day]
    _write("compared", later[: len(later) // 2], seeded)
    assert repeats.settle(now=seeded.watermark) == len(by_day) + 1
    assert RepeatedEvent.objects.count() == len(later) // 2
    _write("new", later[len(later) // 3 :], seeded)


def _write(
    name: str, rows: list[Row], seeded: Seeded, *, version: int = EVENTS.version
) -> LakeFile:
    day = rows[0]["occurred_at"].date()
    content = table(rows, EVENT_SCHEMA).drop_columns(sorted(EVENTS.absent(version)))
    written = writing.write(f"events/day={day}/{name}.parquet", day, content)
    made: LakeFile = written.as_row(now=seeded.watermark - timedelta(minutes=1))
    made.columns_version = version
    made.save()
    return made


def test_the_seed_is_all_that_a_lake_depends_on() -> None:
    one, same, other = Seeded(7), Seeded(7), Seeded(8)

    assert (one.events, one.facts) == (same.events, same.facts)
    assert one.events != other.events
    assert isinstance(UUID(one.viewers[0]), UUID)
    asked: Mapping[str, object] = one.reports()
    assert len(asked) > 20
    assert queries.every()
