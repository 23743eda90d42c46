"""An episode is rented for as long as it was quoted for, and is locked again afterwards."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from catalog.models import Series
from payments.desk import promotions
from payments.models import Entitlement, Purchase, Unlock
from payments.prices.terms import Adjustment
from tests.factories.payments import fund
from tests.factories.viewers import viewer_headers
from tests.payments import ways
from tests.payments.calls import episode, refund, unlock
from tests.payments.untouched import untouched
from tests.payments.ways import RENTAL_PRICE, SINGLE_PRICE
from viewers.models import Device

HOURS = timedelta(hours=48)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _sold(series: Series, now: datetime) -> None:
    ways.sell(now - timedelta(hours=1))


@pytest.fixture
def rental(api: Client, series: Series, headers: dict[str, str]) -> dict[str, Any]:
    return ways.option(api, series, headers, "rental")


@pytest.fixture
def bought(device: Device, now: datetime) -> Purchase:
    return fund(device.viewer_id, now=now, paid=500)


def shown(api: Client, series: Series, headers: dict[str, str], number: int = 9) -> dict[str, Any]:
    found: dict[str, Any] = ways.paywall(api, series, headers)["episodes"][number - 1]
    return found


def test_the_paywall_offers_the_next_locked_episode_for_a_time(
    series: Series, rental: dict[str, Any]
) -> None:
    assert rental.pop("quote")
    assert rental == {
        "kind": "rental",
        "episode_id": str(episode(series, 9)),
        "price_coins": RENTAL_PRICE,
        "equivalent": None,
        "rental_seconds": 172_800,
        "shortfall_coins": RENTAL_PRICE,
        "quote_expires_at": "2026-03-14T12:15:00Z",
    }


def test_it_is_open_until_its_time_is_over_and_not_a_moment_longer(
    api: Client,
    series: Series,
    device: Device,
    headers: dict[str, str],
    rental: dict[str, Any],
    bought: Purchase,
    now: datetime,
) -> None:
    nine = episode(series, 9)
    body = unlock(api, nine, headers, quote=rental["quote"]).json()

    assert (body["outcome"], body["price_coins"]) == ("unlocked", RENTAL_PRICE)
    assert body["ends_at"] == "2026-03-16T12:00:00Z"
    assert shown(api, series, headers)["state"] == "owned"
    assert shown(api, series, headers)["ends_at"] == "2026-03-16T12:00:00Z"
    last = viewer_headers(device, now=now + HOURS - timedelta(microseconds=1))
    over = viewer_headers(device, now=now + HOURS)
    assert ways.play(api, nine, last).status_code == 200
    assert ways.play(api, nine, over).status_code == 402
    assert (shown(api, series, over)["state"], shown(api, series, over)["ends_at"]) == (
        "locked",
        None,
    )
    kept = Unlock.objects.get()
    assert (kept.way, kept.adjustments) == ("rental", [kept.price_version.rental_adjustment_id])


def test_while_it_lasts_nothing_is_charged_for_it(
    api: Client,
    series: Series,
    headers: dict[str, str],
    quote: str,
    rental: dict[str, Any],
    bought: Purchase,
) -> None:
    unlock(api, episode(series, 9), headers, quote=rental["quote"])
    with untouched():
        for again in (rental["quote"], quote):
            body = unlock(api, episode(series, 9), headers, quote=again).json()
            assert (body["outcome"], body["ends_at"]) == (
                "already_unlocked",
                "2026-03-16T12:00:00Z",
            )


@pytest.mark.parametrize("kind", ["rental", "for good"])
def test_afterwards_it_can_be_rented_again_or_bought(
    api: Client,
    series: Series,
    device: Device,
    headers: dict[str, str],
    rental: dict[str, Any],
    bought: Purchase,
    now: datetime,
    kind: str,
) -> None:
    nine = episode(series, 9)
    unlock(api, nine, headers, quote=rental["quote"])
    over = viewer_headers(device, now=now + HOURS)
    shown_then = ways.paywall(api, series, over)
    quote = (
        ways.option(api, series, over, "rental")["quote"]
        if kind == "rental"
        else shown_then["quote"]
    )

    body = unlock(api, nine, over, quote=quote).json()

    price = RENTAL_PRICE if kind == "rental" else SINGLE_PRICE
    assert (body["outcome"], body["price_coins"]) == ("unlocked", price)
    assert body["balance"]["coins"] == 500 - RENTAL_PRICE - price
    assert Entitlement.objects.filter(closed_at=None).count() == 1


def test_a_rental_quote_opens_another_locked_episode_of_the_series_too(
    api: Client, series: Series, headers: dict[str, str], rental: dict[str, Any], bought: Purchase
) -> None:
    assert unlock(api, episode(series, 12), headers, quote=rental["quote"]).json()["ends_at"]


def test_a_lapsed_rental_quote_comes_back_as_one_and_says_so(
    api: Client,
    series: Series,
    device: Device,
    rental: dict[str, Any],
    bought: Purchase,
    now: datetime,
) -> None:
    after = viewer_headers(device, now=now + timedelta(seconds=settings.QUOTE_SECONDS))
    with untouched():
        body = unlock(api, episode(series, 9), after, quote=rental["quote"]).json()
    assert (body["code"], body["price_coins"], body["rental_seconds"]) == (
        "quote_expired",
        RENTAL_PRICE,
        172_800,
    )

    assert unlock(api, episode(series, 9), after, quote=body["quote"]).json()["ends_at"]


def test_where_nothing_is_rented_any_more_the_new_quote_is_for_good_and_says_so(
    api: Client,
    series: Series,
    headers: dict[str, str],
    rental: dict[str, Any],
    bought: Purchase,
    now: datetime,
) -> None:
    ways.sell(now, rental=None)
    Series.objects.filter(id=series.id).update(numbering=series.numbering + 1)

    body = unlock(api, episode(series, 9), headers, quote=rental["quote"]).json()

    assert (body["code"], body["price_coins"], body["rental_seconds"]) == (
        "quote_invalid",
        SINGLE_PRICE,
        None,
    )


def test_what_was_quoted_is_honoured_though_nothing_is_rented_any_more(
    api: Client,
    series: Series,
    headers: dict[str, str],
    rental: dict[str, Any],
    bought: Purchase,
    now: datetime,
) -> None:
    ways.sell(now, rental=None)
    with pytest.raises(KeyError):
        ways.option(api, series, headers, "rental")

    body = unlock(api, episode(series, 9), headers, quote=rental["quote"]).json()

    assert (body["price_coins"], body["ends_at"]) == (RENTAL_PRICE, "2026-03-16T12:00:00Z")


def test_no_rental_is_offered_that_costs_as_much_as_buying(
    api: Client, series: Series, headers: dict[str, str], now: datetime
) -> None:
    promotions.start(
        name="Sale",
        series_ids=[series.id],
        starts_at=now,
        ends_at=now + HOURS,
        adjustment=Adjustment(price_coins=RENTAL_PRICE),
        now=now,
    )
    with pytest.raises(KeyError):
        ways.option(api, series, headers, "rental")


def test_refunded_and_the_refund_reversed_it_is_open_for_what_was_left_of_its_time(
    api: Client,
    series: Series,
    device: Device,
    headers: dict[str, str],
    rental: dict[str, Any],
    now: datetime,
) -> None:
    bought = fund(device.viewer_id, now=now, paid=RENTAL_PRICE)
    unlock(api, episode(series, 9), headers, quote=rental["quote"])
    refund(bought, now=now + timedelta(hours=8))
    assert Entitlement.objects.get().closed_at == now + timedelta(hours=8)

    refund(bought, now=now + timedelta(days=9), is_reversed=True)

    restored = Entitlement.objects.latest("id")
    assert restored.ends_at == now + timedelta(days=9, hours=40)
    assert (restored.unlock.way, restored.unlock.price_coins) == ("rental", RENTAL_PRICE)


def test_refunded_after_its_time_it_is_not_opened_anew(
    api: Client,
    series: Series,
    device: Device,
    headers: dict[str, str],
    rental: dict[str, Any],
    now: datetime,
) -> None:
    bought = fund(device.viewer_id, now=now, paid=RENTAL_PRICE)
    unlock(api, episode(series, 9), headers, quote=rental["quote"])
    refund(bought, now=now + HOURS + SECOND)

    refund(bought, now=now + timedelta(days=9), is_reversed=True)

    assert Entitlement.objects.count() == 1
    after = viewer_headers(device, now=now + timedelta(days=9))
    assert ways.paywall(api, series, after)["balance"]["coins"] == RENTAL_PRICE
