"""Identifiers are of the standard's shape and in the order in which they were made."""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122

import pytest

from config.ids import uuid7


def test_they_are_version_7_with_the_time_in_front() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000

    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= made.int >> 80 <= after


def test_of_one_millisecond_each_is_greater_than_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)

    made = [uuid7() for _ in range(1_000)]

    assert made == sorted(made)
    assert len(set(made)) == 1_000
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}


def test_those_of_threads_are_all_different() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: uuid7(), range(10_000)))

    assert len(set(made)) == 10_000


def test_a_clock_that_was_set_back_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    later, now = uuid7(), time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3_600 * 10**9)

    assert uuid7() < later
