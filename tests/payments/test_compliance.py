"""What is owed to viewers is looked up in the rows: each rule is kept, and its breach is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from pytest_django.fixtures import Settings

from catalog.models import Series
from payments import compliance
from payments.compliance import Finding, Found
from payments.desk import price_versions
from payments.models import Lot, Unlock
from tests.factories.operators import operator, signed_in
from tests.factories.payments import (
    CoinPackFactory,
    OfferFactory,
    as_owner,
    default_plan,
    fund,
    give_bonus,
)
from tests.factories.viewers import clock_headers, viewer_headers
from tests.payments import ways
from tests.payments.calls import episode, unlock
from viewers.models import Device

EQUIVALENTS, PACK, SAME, PAID, AGREED, ASKED, LIMITED = range(7)
DAY = timedelta(days=1)
PAGE = "/admin/payments/priceplan/compliance/"


@pytest.fixture
def sold(db: None) -> None:
    """A pack of eight episodes at the usual price."""
    CoinPackFactory(paid_coins=480, bonus_coins=20)


def finding(rule: int, now: datetime) -> Finding:
    return compliance.report(now=now)[rule]


def broken(now: datetime) -> list[int]:
    return [rule for rule, each in enumerate(compliance.report(now=now)) if not each.is_kept]


@contextmanager
def damaged(*statements: str) -> Iterator[None]:
    """For a while there is what no door would write, past the checks that would refuse it."""
    with transaction.atomic():
        with as_owner() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
            cursor.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                cursor.execute(statement)
        yield
        transaction.set_rollback(True)


def spend_in_every_way(api: Client, series: Series, device: Device, now: datetime) -> None:
    """An episode by itself, one rented, one without a tap, and the rest at once."""
    ways.sell(now)
    fund(device.viewer_id, now=now, paid=5000)
    headers = viewer_headers(device, now=now)
    shown = ways.paywall(api, series, headers)
    assert unlock(api, episode(series, 9), headers, quote=shown["quote"]).status_code == 200
    rental = ways.option(api, series, headers, "rental")["quote"]
    assert unlock(api, episode(series, 10), headers, quote=rental).status_code == 200
    agreed = ways.agree(api, series, headers, quote=shown["quote"], daily_cap_coins=100)
    assert agreed.status_code == 200
    assert ways.auto_unlock(api, episode(series, 11), headers).status_code == 200
    bundle = ways.option(api, series, headers, "bundle")["quote"]
    assert ways.unlock_rest(api, series, headers, quote=bundle).status_code == 200


def test_every_rule_is_kept_after_spending_in_every_way(
    api: Client, series: Series, device: Device, sold: None, now: datetime
) -> None:
    spend_in_every_way(api, series, device, now)
    give_bonus(device.viewer_id, coins=10, now=now, expires_at=now + DAY)
    OfferFactory(stock=10)
    OfferFactory(ends_at=now + DAY)

    assert broken(now) == []
    assert finding(SAME, now).found.startswith("4 combinations")


def test_without_a_pack_on_sale_no_price_can_be_told_in_money(
    series: Series, now: datetime
) -> None:
    CoinPackFactory(is_active=False)

    assert broken(now) == [EQUIVALENTS]


@pytest.mark.parametrize(("coins", "is_kept"), [(59, False), (60, True), (659, True), (660, False)])
def test_the_smallest_pack_opens_an_episode_and_not_many_more(
    series: Series, now: datetime, coins: int, is_kept: bool
) -> None:
    CoinPackFactory(paid_coins=coins)
    CoinPackFactory(paid_coins=50_000)

    assert finding(PACK, now).is_kept == is_kept


def test_a_charge_that_its_terms_do_not_say_is_found(
    api: Client, series: Series, device: Device, sold: None, now: datetime
) -> None:
    spend_in_every_way(api, series, device, now)
    with damaged("UPDATE payments_unlock SET price_coins = 61, paid_coins = 61 WHERE number = 9"):
        assert broken(now) == [SAME]
        assert "1 were charged otherwise" in finding(SAME, now).found
        assert finding(SAME, now + 8 * DAY).is_kept


def test_paid_coins_with_an_end_are_found(device: Device, sold: None, now: datetime) -> None:
    default_plan()
    fund(device.viewer_id, now=now)

    with damaged(
        "ALTER TABLE payments_lot DROP CONSTRAINT payments_lot_paid_never_expires",
        "UPDATE payments_lot SET expires_at = now()",
    ):
        assert Lot.objects.get().kind == "paid"
        assert broken(now) == [PAID]


@pytest.mark.parametrize(
    "change", ["SET agreed_at = agreed_at + interval '1 hour'", "SET daily_cap_coins = 59"]
)
def test_an_unlock_without_a_tap_outside_of_what_was_agreed_is_found(
    api: Client, series: Series, device: Device, sold: None, now: datetime, change: str
) -> None:
    spend_in_every_way(api, series, device, now)
    assert Unlock.objects.filter(way="auto").count() == 1

    with damaged(f"UPDATE payments_autounlockconsent {change}"):
        assert broken(now) == [AGREED]


def test_asking_nobody_who_spends_much_is_found(
    series: Series, sold: None, now: datetime, settings: Settings
) -> None:
    settings.SPEND_CONFIRM_COINS = 0

    assert broken(now) == [ASKED]


def test_a_limited_offer_without_a_limit_is_found(
    series: Series, sold: None, now: datetime
) -> None:
    OfferFactory(code="endless", stock=None, ends_at=None)
    OfferFactory(code="off", stock=None, ends_at=None, is_active=False)

    assert broken(now) == [LIMITED]
    assert "endless." in finding(LIMITED, now).found


def test_unlocking_without_a_tap_is_off_until_agreed_to(
    api: Client, series: Series, headers: Any, device: Device, now: datetime
) -> None:
    fund(device.viewer_id, now=now)

    refused = ways.auto_unlock(api, episode(series, 9), headers)

    assert refused.json()["code"] == "auto_unlock_off"
    assert api.get("/v1/me/auto-unlock", headers=headers).json() == {"series": []}


def test_the_page_tells_what_is_not_kept_first(
    series: Series, sold: None, now: datetime, settings: Settings
) -> None:
    settings.SPEND_CONFIRM_COINS = 0
    page = signed_in(operator(role="pricing")).get(PAGE, headers=clock_headers(now))

    assert page.status_code == 200
    assert page.context["broken_count"] == 1
    assert [each.is_kept for each in page.context["findings"]] == [False, *[True] * 6]
    assert "Set it to what a day may come to" in page.content.decode()


def test_the_page_opens_when_a_rule_takes_too_long(
    series: Series, sold: None, now: datetime, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asleep(now: datetime) -> Found:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(30)")
        raise AssertionError

    slow = replace(compliance.RULES[PAID], look=asleep)
    rules = [*compliance.RULES[:PAID], slow, *compliance.RULES[PAID + 1 :]]
    monkeypatch.setattr(compliance, "RULES", rules)
    monkeypatch.setattr(compliance, "PATIENCE_MS", 500)
    page = signed_in(operator(role="pricing")).get(PAGE, headers=clock_headers(now))

    assert page.status_code == 200
    assert [each.is_kept for each in page.context["findings"]] == [None, *[True] * 6]
    assert page.context["findings"][0].rule == slow.rule
    assert "1 of 7 rules could not be looked at" in page.content.decode()


def test_no_more_than_the_newest_unlocks_are_looked_at(
    api: Client,
    series: Series,
    device: Device,
    sold: None,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spend_in_every_way(api, series, device, now)
    monkeypatch.setattr(compliance, "SAMPLED", 2)

    assert finding(SAME, now).found.startswith("2 combinations")


def test_the_page_is_for_those_who_may_see_prices(db: None) -> None:
    assert signed_in(operator(role="analyst")).get(PAGE).status_code == 403


def test_prices_that_rise_in_a_version_are_each_their_own_combination(
    api: Client, series: Series, device: Device, sold: None, now: datetime
) -> None:
    price_versions.add(
        plan=default_plan(),
        effective_from=now,
        free_count=8,
        base_price_coins=60,
        steps={10: 70},
        now=now,
    )
    fund(device.viewer_id, now=now)
    headers = viewer_headers(device, now=now)
    quote = ways.paywall(api, series, headers)["quote"]
    for number in (9, 10):
        assert unlock(api, episode(series, number), headers, quote=quote).status_code == 200

    assert broken(now) == []
    assert finding(SAME, now).found.startswith("2 combinations")
