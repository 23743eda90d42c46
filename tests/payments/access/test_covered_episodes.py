"""What a subscription or pass opens: shown as covered, opened without coins, closed when it ends."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from catalog.models import Series
from payments.models import Entitlement
from tests.factories.payments import (
    CoinPackFactory,
    as_owner,
    fund,
    give_cover,
    play,
)
from tests.factories.viewers import viewer_headers
from tests.payments.calls import episode, movements, refund, unlock
from tests.payments.untouched import untouched
from viewers.models import Device

DAY = timedelta(days=1)


@pytest.fixture
def pass_until(device: Device, now: datetime) -> datetime:
    """The viewer has a pass that began yesterday; the end of it."""
    ends_at = now + 7 * DAY
    give_cover(device.viewer_id, starts_at=now - DAY, ends_at=ends_at)
    return ends_at


def paywall(api: Client, series: Series, headers: Any) -> dict[str, Any]:
    body: dict[str, Any] = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()
    return body


def states(shown: dict[str, Any]) -> dict[int, str]:
    return {each["number"]: each["state"] for each in shown["episodes"]}


def wallet(api: Client, headers: Any) -> dict[str, Any]:
    body: dict[str, Any] = api.get("/v1/me/wallet", headers=headers).json()
    return body


def test_what_is_neither_free_nor_owned_is_covered(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=60)
    unlock(api, episode(series, 9), headers, quote=quote)
    give_cover(device.viewer_id, starts_at=now, ends_at=now + DAY)

    found = states(paywall(api, series, headers))

    assert found == dict.fromkeys(range(1, 9), "free") | {
        9: "owned",
        10: "covered",
        11: "covered",
        12: "covered",
    }


def test_a_covered_viewer_is_sold_nothing(
    api: Client, series: Series, headers: Any, pass_until: datetime
) -> None:
    CoinPackFactory()

    shown = paywall(api, series, headers)

    assert shown["next_locked_episode_id"] is None
    assert (shown["options"], shown["offers"]) == ([], [])


def test_a_cover_that_has_not_begun_or_is_over_opens_nothing(
    api: Client, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    give_cover(device.viewer_id, starts_at=now - 2 * DAY, ends_at=now)
    give_cover(device.viewer_id, starts_at=now + timedelta(microseconds=1), ends_at=now + DAY)

    shown = paywall(api, series, headers)

    assert states(shown)[9] == "locked"
    assert shown["next_locked_episode_id"] == str(episode(series, 9))


def test_the_sandboxs_cover_opens_nothing_in_production(
    api: Client, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    give_cover(device.viewer_id, starts_at=now, ends_at=now + DAY, environment="sandbox")

    assert states(paywall(api, series, headers))[9] == "locked"


def test_an_unlock_under_it_costs_nothing_and_lasts_as_long(
    api: Client, series: Series, device: Device, headers: Any, quote: str, pass_until: datetime
) -> None:
    fund(device.viewer_id, now=pass_until - 7 * DAY, paid=60)
    before = movements()

    response = unlock(api, episode(series, 9), headers, quote=quote)

    assert response.status_code == 200
    answer = response.json()
    assert (answer["outcome"], answer["price_coins"], answer["paid_coins"]) == ("covered", 0, 0)
    assert answer["balance"]["coins"] == 60
    opened = Entitlement.objects.get()
    assert (str(opened.id), opened.ends_at) == (answer["entitlement_id"], pass_until)
    assert movements() == before


def test_what_was_opened_under_it_is_covered_and_locked_after_it(
    api: Client, series: Series, device: Device, headers: Any, quote: str, pass_until: datetime
) -> None:
    unlock(api, episode(series, 9), headers, quote=quote)

    later = viewer_headers(device, now=pass_until)

    assert states(paywall(api, series, headers))[9] == "covered"
    assert states(paywall(api, series, later))[9] == "locked"


def test_a_viewer_plays_on_without_asking_to_unlock(
    api: Client, series: Series, device: Device, headers: Any, pass_until: datetime
) -> None:
    played = api.post(f"/v1/episodes/{episode(series, 9)}/play", headers=headers).json()

    assert [played["playback"]["number"], *(one["number"] for one in played["next"])] == [9, 10, 11]
    assert set(Entitlement.objects.values_list("source", "ends_at")) == {
        ("subscription", pass_until)
    }


def test_after_it_a_viewer_pays_for_what_they_had_watched(
    api: Client, series: Series, device: Device, headers: Any, pass_until: datetime
) -> None:
    api.post(f"/v1/episodes/{episode(series, 9)}/play", headers=headers)
    fund(device.viewer_id, now=pass_until, paid=60)
    later = viewer_headers(device, now=pass_until)

    with untouched():
        locked = api.post(f"/v1/episodes/{episode(series, 9)}/play", headers=later)
    bought = unlock(api, episode(series, 9), later, quote=locked.json()["quote"])

    assert (locked.status_code, locked.json()["code"]) == (402, "episode_locked")
    assert (bought.json()["outcome"], bought.json()["price_coins"]) == ("unlocked", 60)


def test_a_cover_taken_back_closes_what_it_opened(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    cover = give_cover(device.viewer_id, starts_at=now, ends_at=now + DAY)
    unlock(api, episode(series, 9), headers, quote=quote)
    with as_owner() as cursor:
        cursor.execute("SELECT payments_close_cover(%s, %s)", [cover.id, now])

    assert states(paywall(api, series, headers))[9] == "locked"
    assert wallet(api, headers)["covered_until"] is None


def test_takes_no_more_queries_than_without_one(
    api: Client,
    series: Series,
    headers: Any,
    pass_until: datetime,
    django_assert_max_num_queries: Any,
) -> None:
    paywall(api, series, headers)  # what never changes is read once
    with django_assert_max_num_queries(9):
        paywall(api, series, headers)


def test_the_wallet_says_until_when_covers_follow_each_other(
    api: Client, device: Device, headers: Any, now: datetime
) -> None:
    give_cover(device.viewer_id, starts_at=now - DAY, ends_at=now + DAY)
    give_cover(device.viewer_id, starts_at=now + DAY, ends_at=now + 3 * DAY)
    give_cover(device.viewer_id, starts_at=now + 4 * DAY, ends_at=now + 9 * DAY)

    assert wallet(api, headers)["covered_until"] == "2026-03-17T12:00:00Z"


def test_the_wallet_says_null_while_a_cover_is_only_ahead(
    api: Client, device: Device, headers: Any, now: datetime
) -> None:
    give_cover(device.viewer_id, starts_at=now + DAY, ends_at=now + 2 * DAY)

    assert wallet(api, headers)["covered_until"] is None


def test_the_wallet_says_what_is_owed(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    assert wallet(api, headers)["debt_coins"] == 0
    bought = fund(device.viewer_id, now=now, paid=60)
    unlock(api, episode(series, 9), headers, quote=quote)
    play(Entitlement.objects.all(), now=now)
    refund(bought, now=now)
    fund(device.viewer_id, now=now, paid=10)

    shown = wallet(api, headers)

    assert (shown["debt_coins"], shown["balance"]["coins"]) == (60, 10)
