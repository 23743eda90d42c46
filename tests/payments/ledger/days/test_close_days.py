"""Days are computed once they are over, anew when money comes in late, and by one worker at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event, Thread

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from catalog.models import Series
from config import advisory_lock, clock
from payments import tasks
from payments.ledger.days import closing
from payments.models import MoneyDay, RefundBooking
from tests.factories.payments import fund
from tests.payments.ledger.days.story import (
    DAY,
    HOUR,
    MINUTE,
    PRODUCTION,
    close_all,
    money_back,
    see_ad,
    spend,
)
from viewers.models import Device


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is posted has settled: what is late is late by an instant."""
    monkeypatch.setattr(closing, "SETTLES", timedelta())


def test_every_day_that_is_over_is_computed_once(
    example: None, now: datetime, later: datetime
) -> None:
    close_all(later)
    days = MoneyDay.objects.filter(environment=PRODUCTION).values_list("day", flat=True)
    last = closing.local_date(later - HOUR) - DAY
    assert sorted(days) == [
        closing.local_date(now) + n * DAY for n in range((last - closing.local_date(now)).days + 1)
    ]
    before = list(MoneyDay.objects.values())
    assert closing.close_next(now=later + MINUTE) == 0
    assert list(MoneyDay.objects.values()) == before


def test_a_day_is_not_computed_before_it_has_been_over_for_an_hour(
    device: Device, now: datetime
) -> None:
    fund(device.viewer_id, now=now)
    over = closing.day_starts_at(closing.local_date(now) + DAY)
    assert closing.close_next(now=over + HOUR - MINUTE) == 0
    assert closing.close_next(now=over + HOUR) == 1
    assert set(MoneyDay.objects.values_list("day", flat=True)) == {closing.local_date(now)}


def test_nothing_is_computed_where_no_money_has_moved(later: datetime) -> None:
    assert closing.close_next(now=later) == 0
    assert not MoneyDay.objects.exists()


def test_money_posted_into_a_past_day_computes_it_and_those_after_it_anew(
    device: Device, series: Series, now: datetime, later: datetime, at_once: None
) -> None:
    fund(device.viewer_id, now=now, paid=100, price_micros=1_000_000)
    close_all(later)
    computed = dict(MoneyDay.objects.filter(environment=PRODUCTION).values_list("day", "id"))
    long_after = clock.read()  # what is posted from here on is late
    MoneyDay.objects.update(computed_at=long_after)
    spend(device.viewer_id, series, 9, now + 2 * DAY)
    close_all(later + HOUR)

    late = closing.local_date(now + 2 * DAY)
    rows = MoneyDay.objects.filter(environment=PRODUCTION).order_by("day")
    for row in rows:
        is_before = row.day < late
        assert row.computed_at == (long_after if is_before else later + HOUR)
        assert row.deferred_micros == (1_000_000 if is_before else 400_000)
        assert (row.coins_micros, row.violations) == (600_000 if row.day == late else 0, [])
    assert {row.day: row.id for row in rows} == computed


def test_money_posted_before_the_first_day_begins_the_days_anew(
    device: Device, now: datetime, later: datetime, at_once: None
) -> None:
    fund(device.viewer_id, now=now)
    close_all(later)
    MoneyDay.objects.update(computed_at=clock.read())
    fund(device.viewer_id, now=now - 2 * DAY, price_micros=1)
    close_all(later + HOUR)

    rows = list(MoneyDay.objects.filter(environment=PRODUCTION).order_by("day"))
    assert rows[0].day == closing.local_date(now - 2 * DAY)
    assert [row.deferred_micros for row in rows[:3]] == [1, 1, 4_990_001]
    assert not any(row.violations for row in rows)


def test_an_ad_and_a_refund_that_moves_no_coin_are_late_money_too(
    device: Device, series: Series, now: datetime, later: datetime, at_once: None
) -> None:
    def figures() -> tuple[int, int]:
        row = MoneyDay.objects.get(day=closing.local_date(now), environment=PRODUCTION)
        return row.ads_micros, row.refunds_micros

    bought = fund(device.viewer_id, now=now, paid=60, price_micros=1_000_000)
    close_all(later)
    MoneyDay.objects.update(computed_at=clock.read())
    see_ad(device.viewer_id, series.episodes.get(number=9), now)
    close_all(later + MINUTE)
    assert figures() == (12_000, 0)

    MoneyDay.objects.update(computed_at=clock.read())
    money_back(bought, now, amount_micros=1)
    assert RefundBooking.objects.get().transfer is None
    close_all(later + 2 * MINUTE)
    assert figures() == (12_000, 1)


def test_a_late_day_is_not_computed_again_within_a_minute(
    device: Device, now: datetime, later: datetime
) -> None:
    fund(device.viewer_id, now=now)
    soon = clock.read()
    close_all(soon)
    assert closing.close_next(now=soon + timedelta(seconds=59)) == 0
    assert closing.close_next(now=soon + MINUTE) == 1
    again = MoneyDay.objects.get(day=closing.local_date(now), environment=PRODUCTION)
    assert again.computed_at == soon + MINUTE


def test_an_interrupted_run_goes_on_where_it_ended(
    example: None, now: datetime, later: datetime
) -> None:
    close_all(later)
    first = closing.local_date(now)
    MoneyDay.objects.filter(day=first + DAY).update(computed_at=later + HOUR)

    assert closing.close_next(now=later + HOUR) == 1
    redone = MoneyDay.objects.filter(environment=PRODUCTION, computed_at=later + HOUR)
    assert [row.day for row in redone] == [first + 2 * DAY, first + DAY]


def test_it_is_written_down_that_nothing_came_in_late(
    device: Device, now: datetime, later: datetime
) -> None:
    fund(device.viewer_id, now=now)
    close_all(later)
    assert closing.close_next(now=later + 10 * MINUTE) == 0
    newest = MoneyDay.objects.filter(environment=PRODUCTION).first()
    assert newest.computed_at == later + 10 * MINUTE


def test_the_sweeper_rings_for_it() -> None:
    assert tasks.close_days.name in settings.SWEPT_TASKS


def test_the_task_closes_days_while_nobody_else_does(example: None) -> None:
    assert tasks.close_days() > 0
    assert MoneyDay.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_task_leaves_it_to_who_is_at_it(example: None) -> None:
    with another_session(closing.LOCK):
        assert tasks.close_days() == 0
    assert not MoneyDay.objects.exists()


@contextmanager
def another_session(lock: int) -> Iterator[None]:
    """Holds an advisory lock as another worker does."""
    taken, done = Event(), Event()

    def hold() -> None:
        with advisory_lock.tried(lock):
            taken.set()
            done.wait()
        connection.close()

    thread = Thread(target=hold)
    thread.start()
    taken.wait()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_the_command_prints_the_ladder(example: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("close_days")
    printed = capsys.readouterr().out
    assert "8,491,500" in printed
    assert "-970,457" in printed


def test_the_command_fails_where_an_invariant_does(
    example: None, now: datetime, later: datetime
) -> None:
    close_all(later)
    MoneyDay.objects.filter(day=closing.local_date(now)).update(violations=["No."])
    with pytest.raises(CommandError, match="invariants do not hold"):
        call_command("close_days")
