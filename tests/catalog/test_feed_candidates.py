"""What a process draws from is read when it has changed, by one thread, and nobody waits for it."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from uuid import UUID

import pytest
from django.core.cache import caches
from django.db import connection

from catalog import candidates, feed
from catalog.candidates import Candidates
from catalog.models import Series
from tests.factories.catalog import SeriesFactory

THREADS = 8


@pytest.fixture(autouse=True)
def _a_process_that_has_read_nothing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(candidates, "_kept", candidates._Kept())
    yield
    caches["local"].clear()


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[Candidates]:
    """Everything that is read from now on."""
    read, found = candidates._read, []

    def noted() -> Candidates:
        found.append(read())
        return found[-1]

    monkeypatch.setattr(candidates, "_read", noted)
    return found


def looked() -> Candidates:
    """What is drawn from by a process that looks for a change."""
    candidates.look_again()
    return candidates.current()


def ids(pool: Candidates) -> set[UUID]:
    return {pool.odds.id_at(place) for place in range(len(pool.odds))}


def test_reads_nothing_anew_while_nothing_has_changed(db, readings):
    SeriesFactory.create_batch(3)

    pools = [looked() for _ in range(4)]

    assert len(readings) == 1
    assert all(pool is pools[0] for pool in pools)


def test_an_empty_catalog_is_read_once_too(db, readings):
    assert [len(looked().odds) for _ in range(3)] == [0, 0, 0]
    assert len(readings) == 1


@pytest.mark.parametrize("what", ["published", "withdrawn", "exchanged", "table"])
def test_reads_anew_when_series_or_table_have_changed(db, now, readings, what):
    one, two = SeriesFactory.create_batch(2)
    hidden = SeriesFactory(state="withdrawn")
    assert ids(looked()) == {one.id, two.id}

    if what in {"published", "exchanged"}:
        Series.objects.filter(id=hidden.id).update(state="published")
    if what in {"withdrawn", "exchanged"}:
        Series.objects.filter(id=one.id).update(state="withdrawn")
    if what == "table":
        feed.publish_table(probabilities={one.id: 0.9, two.id: 0.1}, version="t", now=now)

    pool = looked()
    assert ids(pool) == set(Series.objects.visible().values_list("id", flat=True))
    assert pool.version == ("t" if what == "table" else "")
    assert len(readings) == 2


def test_does_not_even_look_again_within_seconds(db, django_assert_num_queries):
    SeriesFactory()
    looked()

    with django_assert_num_queries(0):
        candidates.current()
    with django_assert_num_queries(1):
        looked()


def test_the_digest_is_of_the_candidates_that_are_left(db):
    rows = sorted(SeriesFactory.create_batch(3), key=lambda row: row.id)
    pool = looked()

    for places, left in (((), rows), ({1}, [rows[0], rows[2]])):
        expected = hashlib.sha256(b"".join(row.id.bytes for row in left)).digest()
        assert pool.digest_without(places) == expected


def _apart(call: Callable[[], Candidates]) -> Candidates:
    try:
        return call()
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_threads_of_a_new_process_wait_for_one_reading(readings):
    SeriesFactory.create_batch(3)
    barrier = Barrier(THREADS)

    def ask() -> Candidates:
        barrier.wait(timeout=10)
        return candidates.current()

    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(_apart, ask) for _ in range(THREADS)]
        found = {id(future.result(timeout=10)) for future in asked}

    assert len(readings) == len(found) == 1


@pytest.mark.django_db(transaction=True)
def test_others_draw_from_the_old_while_one_thread_reads(monkeypatch):
    SeriesFactory()
    old, read = looked(), candidates._read
    SeriesFactory()
    has_begun, may_go_on = Event(), Event()

    def slowly() -> Candidates:
        has_begun.set()
        assert may_go_on.wait(timeout=10)
        return read()

    monkeypatch.setattr(candidates, "_read", slowly)
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(_apart, looked)
        assert has_begun.wait(timeout=10)
        assert [candidates.current() for _ in range(3)] == [old] * 3
        may_go_on.set()
        new = reader.result(timeout=10)

    assert len(new.odds) == 2
    assert candidates.current() is new


def test_a_reading_that_fails_is_tried_again(db, monkeypatch):
    SeriesFactory()
    read = candidates._read
    monkeypatch.setattr(candidates, "_read", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        looked()
    monkeypatch.setattr(candidates, "_read", read)

    assert len(candidates.current().odds) == 1
