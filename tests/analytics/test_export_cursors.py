"""Each export continues where the last one ended: nothing is told twice or never, in whatever order it commits."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from analytics.exports import datasets
from analytics.exports.datasets import DATASETS, DatasetQuery
from analytics.intake import inbox
from analytics.lake import flushing, merging, repeats
from analytics.lake.flushing import Claim
from analytics.models import EventBatch, Flush, LakeFile, RepeatedEvent
from config import pages
from config.ids import first_at
from tests.factories.events import app_open, body
from tests.factories.payments import fund
from tests.factories.viewers import ViewerFactory
from tests.proof import Proof


class Consumer:
    """Takes a data set in increments, and keeps the first column of each row."""

    def __init__(self, name: str) -> None:
        self.name, self.cursor, self.taken = name, "", list[str]()

    def take(self) -> int:
        """Everything that is new; returns how many rows."""
        span = datasets.span(self.name, DatasetQuery(cursor=self.cursor))
        with DATASETS[self.name].opened(span) as opened:
            rows = [str(row[0]) for part in opened.parts for row in part]
            assert len(rows) == opened.count
        self.cursor = datasets.cursor_after(self.name, span)
        self.taken += rows
        return len(rows)


class Lake:
    """Batches, flushes that begin and end in any order, merges, and a consumer in between."""

    def __init__(self, now: datetime) -> None:
        self.now, self.reported = now, list[dict[str, Any]]()
        self.in_hand: list[Claim] = []
        self.consumer = Consumer("events")

    def report(self) -> None:
        """New events, and one that was reported before, received at another moment."""
        new = [app_open(at=self.now) for _ in range(2)]
        received = self.now + timedelta(seconds=len(self.reported) * 7 % 11)
        self.reported += new
        inbox.receive(
            viewer_id=uuid4(),
            environment="production",
            body=body([*new, self.reported[0]], sent_at=self.now),
            now=received,
        )

    def begin(self) -> None:
        claim = flushing.claim(now=self.now)
        if claim is not None:
            self.in_hand.append(claim)

    def end_first(self) -> None:
        self._end(0)

    def end_last(self) -> None:
        self._end(-1)

    def _end(self, place: int) -> None:
        if self.in_hand:
            flushing.finish(flushing.write(self.in_hand.pop(place)), now=self.now)

    def settle(self) -> None:
        repeats.settle(now=self.now)

    def merge(self) -> None:
        """All files of a day that may be merged, as one."""
        files = list(LakeFile.objects.filter(retired_at=None, compared_at__isnull=False))
        if len(files) > 1:
            merging._merge((files[0].day, files[0].dataset), files, now=self.now)

    def take(self) -> None:
        self.consumer.take()

    def rest(self) -> None:
        """Everything that was begun ends, and all of it is taken."""
        self.begin()
        while self.in_hand:
            self.end_first()
        self.take()


STEPS = [
    name for name in vars(Lake) if not name.startswith("_") and name not in ("rest", "reported")
]


def test_events_are_told_once_whatever_flushes_and_merges_do_in_between(
    db: None, own_lake: Path, now: datetime, proof: Proof
) -> None:
    wrong = 0

    @seeded(proof.seed)
    @settings(
        max_examples=proof.rounds(full=600),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(steps=st.lists(st.sampled_from(STEPS), min_size=8, max_size=25))
    def explore(steps: list[str]) -> None:
        nonlocal wrong
        for model in (RepeatedEvent, LakeFile, EventBatch, Flush):
            model.objects.all().delete()
        lake = Lake(now)
        for step in ["report", *steps]:
            getattr(lake, step)()
        lake.rest()
        expected = sorted(event["event_id"] for event in lake.reported)
        wrong += sorted(lake.consumer.taken) != expected
        assert wrong == 0

    explore()
    proof.record("T40", "exports of events, each continued from the last", violations=wrong)


def test_a_flush_that_ends_late_is_told_by_the_next_export(
    db: None, own_lake: Path, now: datetime
) -> None:
    lake = Lake(now)
    lake.report()
    lake.begin()
    lake.report()
    lake.begin()
    lake.end_last()
    lake.take()
    assert lake.consumer.taken == []

    lake.end_first()
    lake.settle()
    lake.merge()
    lake.take()
    lake.take()

    assert sorted(lake.consumer.taken) == sorted(event["event_id"] for event in lake.reported)


@contextmanager
def _open_transaction(now: datetime) -> Iterator[threading.Event]:
    """A purchase that has its id and commits when it is told to."""
    is_drawn, may_commit = threading.Event(), threading.Event()

    def buy() -> None:
        try:
            with transaction.atomic():
                fund(viewer.id, now=now)
                is_drawn.set()
                assert may_commit.wait(timeout=30)
        finally:
            is_drawn.set()
            connection.close()

    viewer = ViewerFactory()
    buying = threading.Thread(target=buy)
    buying.start()
    assert is_drawn.wait(timeout=30)
    try:
        yield may_commit
    finally:
        may_commit.set()
        buying.join()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["entries", "purchases"])
def test_money_that_commits_late_is_told_once_by_the_next_export(name: str, now: datetime) -> None:
    consumer = Consumer(name)
    before = fund(ViewerFactory().id, now=now)
    with _open_transaction(now) as may_commit:
        after = fund(ViewerFactory().id, now=now)
        consumer.take()
        first = list(consumer.taken)
        may_commit.set()

    counts = [consumer.take(), consumer.take()]

    per_purchase = 1 if name == "purchases" else 2
    assert len(first) == per_purchase
    assert counts == [2 * per_purchase, 0]
    assert len(set(consumer.taken)) == 3 * per_purchase
    if name == "purchases":
        assert first == [str(before.id)]
        assert str(after.id) in consumer.taken


def test_a_cursor_is_of_its_own_data_set_and_never_goes_back(db: None, now: datetime) -> None:
    ahead = pages.encode(["purchases", 2**52])
    span = datasets.span("purchases", DatasetQuery(cursor=ahead))

    assert datasets.cursor_after("purchases", span) == ahead
    for wrong in (ahead, "abc", pages.encode(["unlocks", 2**62])):
        with pytest.raises(pages.CursorInvalid):
            datasets.span("unlocks", DatasetQuery(cursor=wrong))


@settings(max_examples=30, deadline=None)
@given(microseconds=st.integers(0, 2**48))
def test_ids_of_a_moment_are_not_before_it_and_those_of_earlier_ones_are(microseconds: int) -> None:
    moment = datetime.fromisoformat("1970-01-01T00:00:00Z") + timedelta(microseconds=microseconds)

    bound = first_at(moment)

    assert bound.int >> 80 == microseconds // 1000
    assert bound.int & (1 << 80) - 1 == 0
