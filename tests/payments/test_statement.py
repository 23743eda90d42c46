"""GET /v1/me/wallet/entries: every movement of coins with its cause."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from catalog.models import Series
from tests.factories.payments import fund
from tests.factories.viewers import DeviceFactory
from tests.payments.calls import episode, unlock
from viewers.models import Device


def test_explains_every_coin_newest_first(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    bought = fund(device.viewer_id, now=now, paid=500, bonus=20)
    unlock(api, episode(series, 9), headers, quote=quote)

    body = api.get("/v1/me/wallet/entries", headers=headers).json()

    spent, topped_up = body["entries"]
    assert (spent["code"], spent["coins"], spent["paid_coins"], spent["bonus_coins"]) == (
        "unlock",
        -60,
        -40,
        -20,
    )
    assert (spent["paid_balance_after"], spent["bonus_balance_after"]) == (460, 0)
    assert (spent["episode_number"], spent["series_id"]) == (9, str(series.id))
    assert (topped_up["code"], topped_up["coins"]) == ("purchase", 520)
    assert topped_up["purchase_id"] == str(bought.id)
    assert body["next_cursor"] is None


def test_pages_through_without_repeating_or_missing_a_movement(
    api: Client, device: Device, headers: Any, now: datetime
) -> None:
    for _ in range(5):
        fund(device.viewer_id, now=now, paid=10)
    seen: list[str] = []
    cursor: str | None = ""
    for _ in range(3):
        page = api.get(
            "/v1/me/wallet/entries", {"limit": 2, "cursor": cursor or ""}, headers=headers
        ).json()
        seen += [entry["transfer_id"] for entry in page["entries"]]
        cursor = page["next_cursor"]

    assert cursor is None
    assert len(seen) == len(set(seen)) == 5


def test_shows_nobody_elses_movements(api: Client, headers: Any, now: datetime) -> None:
    fund(DeviceFactory().viewer_id, now=now, paid=10)

    assert api.get("/v1/me/wallet/entries", headers=headers).json()["entries"] == []


@pytest.mark.parametrize("cursor", ["x", "====", "WyJ4Il0", "W10", "é", "bnVsbA"])
def test_refuses_a_cursor_it_did_not_issue(api: Client, headers: Any, cursor: str) -> None:
    response = api.get("/v1/me/wallet/entries", {"cursor": cursor}, headers=headers)

    assert (response.status_code, response.json()["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "many", "99999999999999999999"])
def test_refuses_a_limit_out_of_bounds(api: Client, headers: Any, limit: str) -> None:
    response = api.get("/v1/me/wallet/entries", {"limit": limit}, headers=headers)

    assert (response.status_code, response.json()["code"]) == (400, "bad_parameter")


def test_takes_the_same_number_of_queries_for_a_full_page(
    api: Client, device: Device, headers: Any, now: datetime, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        fund(device.viewer_id, now=now, paid=10)

    with django_assert_max_num_queries(3):
        api.get("/v1/me/wallet/entries", {"limit": 30}, headers=headers)
