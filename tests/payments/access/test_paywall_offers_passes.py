"""Passes as a way past the paywall, and what the paywall shows under one, after one and between two."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from catalog.models import Series
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.payments import (
    PassProductFactory,
    StorePassFactory,
    as_owner,
    buy_pass,
)
from tests.factories.viewers import viewer_headers
from tests.payments.calls import episode, unlock
from viewers.models import Device

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


def paywall(api: Client, series: Series, headers: Any) -> dict[str, Any]:
    response = api.get(f"/v1/series/{series.id}/paywall", headers=headers)
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def option(shown: dict[str, Any]) -> dict[str, Any] | None:
    return next((each for each in shown["options"] if each["kind"] == "subscription"), None)


def locked(shown: dict[str, Any]) -> list[int]:
    return [each["number"] for each in shown["episodes"] if each["state"] == "locked"]


def at(device: Device, moment: datetime) -> dict[str, str]:
    return viewer_headers(device, now=moment)


def test_a_locked_series_offers_the_passes_on_sale(
    api: Client, series: Series, headers: Any
) -> None:
    StorePassFactory(pass_product__code="year", pass_product__position=2)
    StorePassFactory(pass_product__code="week", pass_product__position=1)
    PassProductFactory(is_active=False)

    shown = paywall(api, series, headers)

    found = option(shown)
    assert found is not None
    assert [each["code"] for each in found["passes"]] == ["week", "year"]
    assert found["passes"] == api.get("/v1/passes", headers=headers).json()["passes"]


def test_a_pass_is_offered_by_its_latest_name_in_a_store(
    api: Client, series: Series, headers: Any
) -> None:
    week = StorePassFactory(pass_product__position=1).pass_product
    for name in ("vip.v2", "vip.v1"):
        StorePassFactory(pass_product=week, store_product_id=name)
    PassProductFactory(position=2)

    found = option(paywall(api, series, headers))

    assert found is not None
    assert [each["store_products"] for each in found["passes"]] == [{"fake": "vip.v1"}, {}]


def test_without_passes_on_sale_there_is_no_such_option(
    api: Client, series: Series, headers: Any
) -> None:
    assert option(paywall(api, series, headers)) is None


def test_where_everything_is_free_no_pass_is_sold(
    api: Client, series: Series, headers: Any
) -> None:
    StorePassFactory()
    short = SeriesFactory(state="published")
    episodes_of(short, range(1, 4))

    assert option(paywall(api, short, headers)) is None


def test_from_its_first_to_its_last_microsecond_a_pass_covers_and_nothing_is_sold(
    api: Client, series: Series, device: Device, now: datetime
) -> None:
    bought = buy_pass(device.viewer_id, now=now)

    for moment in (now, bought.ends_at - TICK):
        shown = paywall(api, series, at(device, moment))
        assert (locked(shown), shown["options"]) == ([], [])
    after = paywall(api, series, at(device, bought.ends_at))
    assert locked(after) == [9, 10, 11, 12]
    assert option(after) is not None


def test_from_one_pass_to_the_next_nothing_is_locked(
    api: Client, series: Series, device: Device, now: datetime
) -> None:
    first, second = (buy_pass(device.viewer_id, now=now + n * DAY) for n in (0, 3))
    quote = paywall(api, series, at(device, first.ends_at - TICK))["quote"]
    opened = unlock(api, episode(series, 9), at(device, first.ends_at - TICK), quote=quote)
    assert opened.json()["outcome"] == "covered"

    shown = paywall(api, series, at(device, first.ends_at))
    assert (locked(shown), shown["options"]) == ([], [])
    again = unlock(api, episode(series, 9), at(device, first.ends_at), quote=shown["quote"]).json()
    assert again["outcome"] == "covered"
    assert again["entitlement_id"] != opened.json()["entitlement_id"]
    assert locked(paywall(api, series, at(device, second.ends_at - TICK))) == []
    assert locked(paywall(api, series, at(device, second.ends_at))) == [9, 10, 11, 12]


def test_a_pass_that_is_ahead_alone_covers_nothing_yet(
    api: Client, series: Series, device: Device, now: datetime
) -> None:
    """The one that ran was taken back; whoever buys again is covered at once, and not behind the other."""
    first, second = (buy_pass(device.viewer_id, now=now) for _ in "ab")
    with as_owner() as cursor:
        cursor.execute("SELECT payments_close_cover(%s, %s)", [first.cover_id, now + DAY])
    assert locked(paywall(api, series, at(device, now + DAY))) == [9, 10, 11, 12]

    third = buy_pass(device.viewer_id, now=now + DAY, days=1)

    assert (third.starts_at, second.starts_at) == (now + DAY, now + 7 * DAY)
    assert locked(paywall(api, series, at(device, now + DAY))) == []
    # Behind what covers without a gap, again.
    fourth = buy_pass(device.viewer_id, now=second.starts_at)
    assert fourth.starts_at == second.ends_at
    with as_owner() as cursor:
        # No refund closed it, so that the rules would complain.
        cursor.execute("UPDATE payments_cover SET closed_at = NULL")
        cursor.execute("DELETE FROM payments_passpurchase WHERE id = %s", [third.id])
        cursor.execute("DELETE FROM payments_cover WHERE id = %s", [third.cover_id])


@pytest.mark.parametrize("passes", [1, 12])
def test_a_paywall_asks_as_much_for_a_dozen_passes_as_for_one(
    api: Client, series: Series, headers: Any, passes: int, django_assert_max_num_queries: Any
) -> None:
    for _ in range(passes):
        StorePassFactory()
    api.get(f"/v1/series/{series.id}/paywall", headers=headers)  # what never changes is read once
    with django_assert_max_num_queries(10):
        paywall(api, series, headers)
