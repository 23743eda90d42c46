"""Coins lapse at their moment, each lot by a transfer of its own, and a notice goes before."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from time_machine import TimeMachineFixture

from catalog.models import Series
from config.celery import app
from payments import tasks
from payments.ledger import expiry
from payments.models import ExpiryNotice, Lot, Transfer, Unlock, Wallet
from payments.store import refunds
from tests import ledger_rules
from tests.factories.operators import operator
from tests.factories.payments import as_owner, fund, give_bonus
from tests.factories.viewers import DeviceFactory, pipeline_headers, viewer_headers
from tests.payments.calls import episode, unlock
from tests.payments.untouched import untouched
from viewers.models import Device, Scope

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "EXPIRED_AT_ONCE", 2)
    monkeypatch.setattr(expiry, "NOTICED_AT_ONCE", 2)


def lapsing(viewer_id: UUID, *, now: datetime, after: timedelta, coins: int = 30) -> Lot:
    """Earned coins that lapse some time after `now`."""
    lot = give_bonus(viewer_id, coins=coins, now=now, expires_at=now + after)
    assert lot is not None
    return lot


def drain(batch: Any, *, now: datetime) -> int:
    """Every batch that there is at a moment."""
    total = 0
    while done := batch(now=now):
        total += done
    return total


def test_each_lot_lapses_by_a_transfer_of_its_own(device: Device, now: datetime) -> None:
    fund(device.viewer_id, now=now, paid=10)
    lots = [lapsing(device.viewer_id, now=now, after=HOUR, coins=coins) for coins in (1, 2, 3)]
    kept = lapsing(device.viewer_id, now=now, after=2 * HOUR, coins=4)

    assert drain(expiry.expire, now=now + HOUR) == 3

    expiries = Transfer.objects.filter(code="expiry")
    assert {transfer.event_at for transfer in expiries} == {now + HOUR}
    assert {m.lot_id for t in expiries for m in t.lot_movements.all()} == {lot.id for lot in lots}
    held = Wallet.objects.get()
    assert (held.paid_coins, held.bonus_coins) == (10, 4)
    kept.refresh_from_db()
    assert kept.remaining_coins == 4


def test_nothing_lapses_a_microsecond_early_or_twice(device: Device, now: datetime) -> None:
    lapsing(device.viewer_id, now=now, after=HOUR)
    with untouched():
        assert expiry.expire(now=now + HOUR - timedelta(microseconds=1)) == 0
    assert expiry.expire(now=now + HOUR) == 1
    with untouched():
        assert expiry.expire(now=now + DAY) == 0


def test_what_has_lapsed_is_not_spendable_before_the_job_has_run(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    lapsing(device.viewer_id, now=now - DAY, after=DAY, coins=100)

    with untouched():
        response = unlock(api, episode(series, 9), headers, quote=quote)

    assert (response.status_code, response.json()["code"]) == (402, "insufficient_coins")


def test_coins_that_come_back_to_a_lapsed_lot_lapse_again(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    lot = lapsing(device.viewer_id, now=now, after=HOUR, coins=100)
    unlock(api, episode(series, 9), headers, quote=quote)
    assert drain(expiry.expire, now=now + 2 * HOUR) == 1
    refunds.undo_unlock(
        Unlock.objects.get(), operator_id=operator().id, reason="A test", now=now + 2 * HOUR
    )
    lot.refresh_from_db()
    assert lot.remaining_coins == 60

    assert drain(expiry.expire, now=now + 2 * HOUR) == 1

    lot.refresh_from_db()
    assert lot.remaining_coins == 0
    lapsed = Transfer.objects.filter(code="expiry").order_by("id")
    assert [transfer.lot_movements.get().coins for transfer in lapsed] == [-40, -60]


@contextmanager
def held_elsewhere(viewer_id: UUID) -> Iterator[None]:
    """Somebody else has locked the viewer's wallet meanwhile."""
    locked, done = Event(), Event()

    def hold() -> None:
        try:
            with transaction.atomic(), as_owner() as cursor:
                cursor.execute(
                    "SELECT FROM payments_wallet WHERE viewer_id = %s FOR UPDATE", [viewer_id]
                )
                locked.set()
                done.wait(timeout=10)
        finally:
            connection.close()

    holder = Thread(target=hold)
    holder.start()
    assert locked.wait(timeout=10)
    yield
    done.set()
    holder.join()


@pytest.mark.django_db(transaction=True)
def test_a_wallet_that_somebody_holds_waits_for_the_next_call(now: datetime) -> None:
    busy, idle = DeviceFactory().viewer_id, DeviceFactory().viewer_id
    for viewer_id in (busy, idle):
        lapsing(viewer_id, now=now, after=HOUR)
    with held_elsewhere(busy):
        assert expiry.expire(now=now + DAY) == 1
    assert expiry.expire(now=now + DAY) == 1
    assert ledger_rules.broken() == []


def test_a_lot_is_noticed_once_when_its_end_is_near(device: Device, now: datetime) -> None:
    near, far = (
        lapsing(device.viewer_id, now=now, after=after) for after in (71 * HOUR, 73 * HOUR)
    )
    at_once = lapsing(device.viewer_id, now=now, after=HOUR)
    fund(device.viewer_id, now=now)

    drain(expiry.notice, now=now)

    assert set(ExpiryNotice.objects.values_list("lot_id", flat=True)) == {near.id, at_once.id}
    told = ExpiryNotice.objects.get(lot=near)
    assert (told.viewer_id, told.environment, told.coins, told.expires_at, told.created_at) == (
        device.viewer_id,
        "production",
        30,
        now + 71 * HOUR,
        now,
    )
    with untouched():
        assert expiry.notice(now=now) == 0
    assert drain(expiry.notice, now=now + HOUR) == 1
    assert ExpiryNotice.objects.get(lot=far).created_at == now + HOUR


def test_a_short_life_is_noticed_as_soon_as_it_is_there(device: Device, now: datetime) -> None:
    lot = lapsing(device.viewer_id, now=now, after=timedelta(minutes=1))

    expiry.notice(now=now)

    assert ExpiryNotice.objects.get().lot_id == lot.id


def test_nothing_is_noticed_that_is_spent_or_has_lapsed(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    lapsing(device.viewer_id, now=now, after=HOUR, coins=60)
    unlock(api, episode(series, 9), headers, quote=quote)
    lapsing(DeviceFactory().viewer_id, now=now - DAY, after=DAY)

    with untouched():
        assert expiry.notice(now=now) == 0


def test_the_wallet_tells_what_has_been_noticed(
    api: Client, device: Device, headers: Any, now: datetime
) -> None:
    lapsing(device.viewer_id, now=now, after=HOUR, coins=1)
    lapsing(device.viewer_id, now=now, after=100 * HOUR, coins=2)
    drain(expiry.notice, now=now)

    shown = api.get("/v1/me/wallet", headers=headers).json()

    assert [(each["coins"], each["noticed"]) for each in shown["expiring"]] == [
        (1, True),
        (2, False),
    ]


def test_the_wallet_takes_as_many_queries_for_many_lots(
    api: Client, device: Device, headers: Any, now: datetime, django_assert_max_num_queries: Any
) -> None:
    for hours in range(1, 20):
        lapsing(device.viewer_id, now=now, after=hours * HOUR, coins=1)
    drain(expiry.notice, now=now)

    with django_assert_max_num_queries(4):
        api.get("/v1/me/wallet", headers=headers)


@pytest.mark.parametrize("task", [tasks.notice_expiring_coins, tasks.expire_coins])
def test_the_sweeper_rings_for_it(task: Any) -> None:
    assert task.name in settings.SWEPT_TASKS
    assert task.name in app.tasks


def test_the_tasks_do_all_that_is_due(
    device: Device, now: datetime, time_machine: TimeMachineFixture
) -> None:
    for minutes in range(1, 6):
        lapsing(device.viewer_id, now=now, after=timedelta(minutes=minutes), coins=minutes)
    time_machine.move_to(now, tick=False)
    assert app.tasks["payments.tasks.notice_expiring_coins"]() == 5
    assert ExpiryNotice.objects.count() == 5

    time_machine.move_to(now + HOUR, tick=False)
    assert app.tasks["payments.tasks.expire_coins"]() == 5
    assert Wallet.objects.get().bonus_coins == 0


class TestFeed:
    """GET /v1/support/expiry-notices, for whoever sends messages."""

    URL = "/v1/support/expiry-notices"

    def read(self, api: Client, *, now: datetime, **query: Any) -> dict[str, Any]:
        headers = pipeline_headers(now=now, scopes=[Scope.SUPPORT_READ])
        response = api.get(self.URL, query, headers=headers)
        assert response.status_code == 200
        body: dict[str, Any] = response.json()
        return body

    def test_tells_each_notice_once_oldest_first(
        self, api: Client, device: Device, now: datetime
    ) -> None:
        for minutes in (5, 4, 3, 2, 1):
            lot = lapsing(device.viewer_id, now=now, after=timedelta(hours=minutes))
            expiry.notice(now=now + timedelta(seconds=10 - minutes))
        told, cursor = [], ""
        for _ in range(3):
            page = self.read(api, now=now + HOUR, limit=2, cursor=cursor)
            told += page["notices"]
            cursor = page["next_cursor"]

        assert not page["has_more"]
        assert [each["expires_at"][11:13] for each in told] == ["17", "16", "15", "14", "13"]
        assert told[-1] == {
            "notice_id": str(ExpiryNotice.objects.get(lot=lot).id),
            "viewer_id": str(device.viewer_id),
            "environment": "production",
            "coins": 30,
            "expires_at": "2026-03-14T13:00:00Z",
            "created_at": "2026-03-14T12:00:09Z",
        }

    def test_goes_on_from_its_end_when_there_is_more(
        self, api: Client, device: Device, now: datetime
    ) -> None:
        first = self.read(api, now=now)
        assert (first["notices"], first["has_more"]) == ([], False)
        lapsing(device.viewer_id, now=now, after=HOUR)
        expiry.notice(now=now)
        second = self.read(api, now=now + HOUR, cursor=first["next_cursor"])
        assert (len(second["notices"]), second["has_more"]) == (1, False)
        lapsing(device.viewer_id, now=now, after=2 * HOUR)
        expiry.notice(now=now)
        third = self.read(api, now=now + HOUR, cursor=second["next_cursor"])

        assert len(third["notices"]) == 1
        assert third["notices"] != second["notices"]
        last = self.read(api, now=now + HOUR, cursor=third["next_cursor"])
        assert (last["notices"], last["next_cursor"]) == ([], third["next_cursor"])

    def test_waits_until_no_earlier_one_can_appear(
        self, api: Client, device: Device, now: datetime
    ) -> None:
        lapsing(device.viewer_id, now=now, after=HOUR)
        expiry.notice(now=now)
        almost = now + expiry.SETTLED - timedelta(microseconds=1)

        assert self.read(api, now=almost)["notices"] == []
        assert len(self.read(api, now=now + expiry.SETTLED)["notices"]) == 1

    @pytest.mark.parametrize("cursor", ["x", "WyJ4Il0", "WzEsMl0", "bnVsbA", "é"])
    def test_refuses_a_cursor_it_did_not_issue(
        self, api: Client, now: datetime, cursor: str
    ) -> None:
        headers = pipeline_headers(now=now, scopes=[Scope.SUPPORT_READ])
        response = api.get(self.URL, {"cursor": cursor}, headers=headers)

        assert (response.status_code, response.json()["code"]) == (400, "cursor_invalid")

    def test_is_not_for_viewers_or_other_machines(
        self, api: Client, device: Device, now: datetime
    ) -> None:
        others = [scope for scope in Scope if scope != Scope.SUPPORT_READ]
        machine = api.get(self.URL, headers=pipeline_headers(now=now, scopes=others))
        viewer = api.get(self.URL, headers=viewer_headers(device, now=now))

        assert (machine.status_code, machine.json()["code"]) == (403, "scope_missing")
        assert (viewer.status_code, viewer.json()["code"]) == (401, "api_key_invalid")
