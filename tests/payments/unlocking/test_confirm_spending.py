"""Who would spend much in a day is asked first; nothing is charged until they have said so."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from catalog.models import Series
from payments.models import IdempotencyRecord, Purchase, Unlock, Wallet
from tests.factories.payments import fund
from tests.factories.viewers import viewer_headers
from tests.payments import ways
from tests.payments.calls import episode, refund, unlock
from tests.payments.untouched import untouched
from tests.payments.ways import BUNDLE_PRICE, SINGLE_PRICE, agree, auto_unlock, undo, unlock_rest
from viewers.models import Device

LIMIT = 100  # one episode, and not two

Spend = Callable[..., HttpResponse]


@pytest.fixture(autouse=True)
def _sold(series: Series, now: datetime, settings: Settings) -> None:
    settings.SPEND_CONFIRM_COINS = LIMIT
    ways.sell(now - timedelta(hours=1))


@pytest.fixture(autouse=True)
def bought(device: Device, now: datetime) -> Purchase:
    return fund(device.viewer_id, now=now, paid=500)


@pytest.fixture
def spend(api: Client, series: Series, headers: dict[str, str], quote: str) -> Spend:
    """Unlocks an episode by its number."""

    def spent(number: int, key: str | None = None, **body: Any) -> HttpResponse:
        keyed = headers | ({"Idempotency-Key": key} if key else {})
        return unlock(api, episode(series, number), keyed, quote=quote, **body)

    return spent


def asked(response: HttpResponse) -> tuple[int, int, int]:
    """What was spent, what this costs, and what to confirm."""
    body = response.json()
    assert (response.status_code, body["code"]) == (409, "spend_confirmation_needed")
    return body["spent_today_coins"], body["price_coins"], body["confirm_spend_coins"]


def test_up_to_the_limit_nobody_is_asked(spend: Spend, settings: Settings) -> None:
    settings.SPEND_CONFIRM_COINS = 2 * SINGLE_PRICE
    assert [spend(number).status_code for number in (9, 10)] == [200, 200]


def test_beyond_it_nothing_moves_until_it_is_confirmed(spend: Spend) -> None:
    spend(9)
    with untouched():
        assert asked(spend(10)) == (60, 60, 120)

    body = spend(10, confirmed_spend_coins=120).json()

    assert (body["outcome"], body["price_coins"]) == ("unlocked", 60)
    assert asked(spend(11)) == (120, 60, 180)


@pytest.mark.parametrize("coins", [0, 119])
def test_less_than_it_comes_to_confirms_nothing(spend: Spend, coins: int) -> None:
    spend(9)
    with untouched():
        assert asked(spend(10, confirmed_spend_coins=coins)) == (60, 60, 120)


def test_confirming_little_does_not_lower_the_limit(spend: Spend) -> None:
    assert spend(9, confirmed_spend_coins=1).status_code == 200


def test_more_that_was_spent_meanwhile_is_asked_for_anew(spend: Spend) -> None:
    spend(9)
    _, _, confirmed = asked(spend(10))
    spend(11, confirmed_spend_coins=confirmed)

    assert asked(spend(10, confirmed_spend_coins=confirmed)) == (120, 60, 180)


def test_the_key_is_as_good_as_new_for_the_confirmed_request(spend: Spend) -> None:
    spend(9)
    asked(spend(10, "ten"))
    assert not IdempotencyRecord.objects.filter(key="ten").exists()
    confirmed = spend(10, "ten", confirmed_spend_coins=120)
    with untouched():
        again = spend(10, "ten", confirmed_spend_coins=120)

    assert (confirmed.json()["outcome"], again.content) == ("unlocked", confirmed.content)


def test_what_costs_nothing_is_never_asked_about(spend: Spend) -> None:
    spend(9)
    with untouched():
        assert spend(9).json()["outcome"] == "already_unlocked"
        assert spend(1).json()["outcome"] == "free"


def test_zero_never_asks(spend: Spend, settings: Settings) -> None:
    settings.SPEND_CONFIRM_COINS = 0
    assert {spend(number).status_code for number in (9, 10, 11, 12)} == {200}


def test_too_few_coins_are_said_before_anything_is_asked(
    spend: Spend, device: Device, now: datetime, settings: Settings
) -> None:
    settings.SPEND_CONFIRM_COINS = 1
    Wallet.objects.get()
    for number in (9, 10, 11, 12):
        spend(number, confirmed_spend_coins=10**12)
    refund(Purchase.objects.get(), now=now)  # nothing was played: all of it is back, and gone

    assert spend(9).json()["code"] == "insufficient_coins"


def test_a_day_is_one_of_the_reporting_zone(
    api: Client, series: Series, device: Device, settings: Settings
) -> None:
    settings.REPORTING_ZONE = ZoneInfo("America/Los_Angeles")

    def at(moment: datetime, number: int) -> HttpResponse:
        headers = viewer_headers(device, now=moment)
        quote = ways.paywall(api, series, headers)["quote"]
        return unlock(api, episode(series, number), headers, quote=quote)

    assert at(datetime(2026, 3, 15, 6, 59, tzinfo=UTC), 9).status_code == 200
    assert asked(at(datetime(2026, 3, 15, 6, 59, 59, tzinfo=UTC), 10))[0] == 60
    assert at(datetime(2026, 3, 15, 7, 0, tzinfo=UTC), 10).status_code == 200


def test_a_request_of_yesterday_that_comes_late_counts_for_today(
    api: Client, series: Series, device: Device
) -> None:
    def at(moment: datetime, number: int) -> HttpResponse:
        headers = viewer_headers(device, now=moment)
        quote = ways.paywall(api, series, headers)["quote"]
        return unlock(api, episode(series, number), headers, quote=quote)

    at(datetime(2026, 3, 15, 0, 0, 1, tzinfo=UTC), 9)

    assert asked(at(datetime(2026, 3, 14, 23, 59, 59, tzinfo=UTC), 10)) == (60, 60, 120)


def test_a_bundle_is_asked_about_as_a_whole(
    api: Client, series: Series, headers: dict[str, str], spend: Spend
) -> None:
    quote = ways.option(api, series, headers, "bundle")["quote"]
    with untouched():
        assert asked(unlock_rest(api, series, headers, quote=quote)) == (0, 168, 168)

    confirmed = unlock_rest(api, series, headers, quote=quote, confirmed_spend_coins=168)

    assert confirmed.json()["price_coins"] == 4 * BUNDLE_PRICE
    assert Wallet.objects.get().spent_coins == 168


def test_a_rental_is_asked_about(
    api: Client, series: Series, headers: dict[str, str], settings: Settings
) -> None:
    settings.SPEND_CONFIRM_COINS = 19
    rental = ways.option(api, series, headers, "rental")
    with untouched():
        response = unlock(api, rental["episode_id"], headers, quote=rental["quote"])
    assert asked(response) == (0, 20, 20)


def test_without_a_tap_it_stops_there(
    api: Client, series: Series, headers: dict[str, str], quote: str
) -> None:
    agree(api, series, headers, quote=quote, daily_cap_coins=1_000)
    auto_unlock(api, episode(series, 9), headers)
    with untouched():
        body = auto_unlock(api, episode(series, 10), headers).json()

    assert (body["code"], body["spent_today_coins"]) == ("auto_unlock_stopped", 60)


def test_what_is_undone_today_is_not_spent_today(
    api: Client, series: Series, headers: dict[str, str], quote: str, spend: Spend
) -> None:
    agree(api, series, headers, quote=quote, daily_cap_coins=1_000)
    made = auto_unlock(api, episode(series, 9), headers).json()
    undo(api, made["unlock_id"], headers)

    assert spend(9).status_code == 200
    assert asked(spend(10)) == (60, 60, 120)


def test_what_a_refund_undoes_of_another_day_changes_nothing_of_today(
    api: Client,
    series: Series,
    device: Device,
    spend: Spend,
    bought: Purchase,
    now: datetime,
) -> None:
    spend(9)
    tomorrow = now + timedelta(days=1)
    fund(device.viewer_id, now=tomorrow, paid=100)
    headers = viewer_headers(device, now=tomorrow)
    quote = ways.paywall(api, series, headers)["quote"]
    unlock(api, episode(series, 10), headers, quote=quote)

    refund(bought, now=tomorrow)

    standing = Unlock.objects.filter(reversal=None)
    today = [one for one in standing if one.day == tomorrow.date()]
    assert Wallet.objects.get().spent_coins == sum(one.price_coins for one in today)
    assert Unlock.objects.filter(reversal=None, day=now.date()).count() == 0
