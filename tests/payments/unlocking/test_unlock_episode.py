"""POST /v1/episodes/{id}/unlock: what it charges, and what it refuses without moving anything."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from catalog.models import Series
from payments.access import paywall
from payments.desk import price_versions
from payments.models import Lot, PricePlan, Unlock
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.payments import fund, give_bonus
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import episode, movements, unlock
from viewers.models import Device

BASE_PRICE = 60


def test_charges_the_quoted_price_and_opens_the_episode(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)

    response = unlock(api, episode(series, 9), headers, quote=quote)

    assert response.status_code == 200
    body = response.json()
    assert body.pop("entitlement_id")
    assert body == {
        "outcome": "unlocked",
        "episode_id": str(episode(series, 9)),
        "price_coins": BASE_PRICE,
        "paid_coins": BASE_PRICE,
        "bonus_coins": 0,
        "balance": {"coins": 440, "paid_coins": 440, "bonus_coins": 0},
        "ends_at": None,
    }


def test_spends_bonus_coins_before_paid_ones(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500, bonus=50)

    body = unlock(api, episode(series, 9), headers, quote=quote).json()

    assert (body["bonus_coins"], body["paid_coins"]) == (50, 10)
    assert body["balance"] == {"coins": 490, "paid_coins": 490, "bonus_coins": 0}


def test_spends_the_bonus_that_expires_soonest_first(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    never = give_bonus(device.viewer_id, coins=40, now=now)
    later = give_bonus(device.viewer_id, coins=40, now=now, expires_at=now + timedelta(days=2))
    sooner = give_bonus(device.viewer_id, coins=40, now=now, expires_at=now + timedelta(days=1))

    unlock(api, episode(series, 9), headers, quote=quote)

    remaining = {lot.id: lot.remaining_coins for lot in Lot.objects.all()}
    assert (remaining[sooner.id], remaining[later.id], remaining[never.id]) == (0, 20, 40)


@pytest.mark.parametrize(("offset", "is_spent"), [(0, False), (1, True)])
def test_does_not_spend_a_lot_from_the_microsecond_it_expires(
    api: Client,
    series: Series,
    device: Device,
    headers: Any,
    quote: str,
    now: datetime,
    offset: int,
    is_spent: bool,
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    expires_at = now + timedelta(microseconds=offset)
    lot = give_bonus(device.viewer_id, coins=60, now=now - timedelta(days=1), expires_at=expires_at)

    unlock(api, episode(series, 9), headers, quote=quote)

    lot.refresh_from_db()
    assert (lot.remaining_coins == 0) is is_spent


def test_recognises_a_purchases_whole_value_over_its_coins_without_drift(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    """180 coins for 1.000001: three unlocks of 60 carry it to the last micro."""
    fund(device.viewer_id, now=now, paid=170, bonus=10, price_micros=1_000_001)

    for number in (9, 10, 11):
        unlock(api, episode(series, number), headers, quote=quote)

    values = list(Unlock.objects.order_by("id").values_list("value_micros", flat=True))
    assert sum(values) == 1_000_001
    assert values == [333_333, 333_334, 333_334]


def test_answers_402_with_the_gap_and_the_offers_that_close_it(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=50)
    before = movements()

    response = unlock(api, episode(series, 9), headers, quote=quote)

    assert response.status_code == 402
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["code"] == "insufficient_coins"
    assert (body["price_coins"], body["balance_coins"], body["shortfall_coins"]) == (60, 50, 10)
    assert [offer["coins"] for offer in body["offers"]] == [50]
    assert movements() == before


def test_charges_nothing_for_an_episode_that_is_open_already(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    first = unlock(api, episode(series, 9), headers, quote=quote).json()
    before = movements()

    second = unlock(api, episode(series, 9), headers, quote=quote)

    assert second.status_code == 200
    assert second.json()["outcome"] == "already_unlocked"
    assert second.json()["entitlement_id"] == first["entitlement_id"]
    assert second.json()["balance"]["coins"] == 440
    assert movements() == before


def test_charges_nothing_for_a_free_episode(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    before = movements()

    response = unlock(api, episode(series, 8), headers, quote=quote)

    assert (response.status_code, response.json()["outcome"]) == (200, "free")
    assert movements() == before


def test_honours_a_live_quote_after_the_price_has_changed(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    price_versions.add(
        plan=PricePlan.objects.get(is_default=True),
        effective_from=now,
        free_count=1,
        base_price_coins=400,
        overrides={},
        now=now,
    )

    assert unlock(api, episode(series, 9), headers, quote=quote).json()["price_coins"] == 60
    fresh = paywall.show(
        viewer_id=device.viewer_id, environment="production", series_id=series.id, now=now
    )
    response = unlock(api, episode(series, 10), headers, quote=fresh.quote.token())
    assert response.json()["price_coins"] == 400


def test_answers_an_expired_quote_with_a_new_one(
    api: Client, series: Series, device: Device, quote: str, now: datetime, settings: Any
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    late = viewer_headers(device, now=now + timedelta(seconds=settings.QUOTE_SECONDS))
    before = movements()

    response = unlock(api, episode(series, 9), late, quote=quote)

    assert (response.status_code, response.json()["code"]) == (409, "quote_expired")
    assert response.json()["price_coins"] == 60
    assert movements() == before
    again = unlock(api, episode(series, 9), late, quote=response.json()["quote"])
    assert again.json()["outcome"] == "unlocked"


def test_refuses_another_viewers_quote(
    api: Client, series: Series, device: Device, quote: str, now: datetime
) -> None:
    thief = DeviceFactory()
    fund(thief.viewer_id, now=now, paid=500)
    before = movements()

    response = unlock(api, episode(series, 9), viewer_headers(thief, now=now), quote=quote)

    assert (response.status_code, response.json()["code"]) == (409, "quote_invalid")
    assert response.json()["quote"] != quote
    assert movements() == before


def test_answers_a_quote_of_another_series_with_the_right_one(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    foreign = EpisodeFactory(series=SeriesFactory(state="published"), number=9)
    before = movements()

    response = unlock(api, foreign.id, headers, quote=quote)

    assert (response.status_code, response.json()["code"]) == (409, "quote_invalid")
    assert movements() == before
    again = unlock(api, foreign.id, headers, quote=response.json()["quote"])
    assert again.json()["outcome"] == "unlocked"


def test_a_quote_does_not_outlive_a_new_numbering_and_leaves_its_key_free(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    """Prices go by number: what the viewer saw as number 9 may cost something else as number 10."""
    fund(device.viewer_id, now=now, paid=500)
    Series.objects.filter(id=series.id).update(numbering=2)
    keyed = headers | {"Idempotency-Key": "one-tap"}
    before = movements()

    response = unlock(api, episode(series, 9), keyed, quote=quote)

    assert (response.status_code, response.json()["code"]) == (409, "quote_invalid")
    assert movements() == before
    again = unlock(api, episode(series, 9), keyed, quote=response.json()["quote"])
    assert again.json()["outcome"] == "unlocked"


def test_tells_no_price_of_an_episode_that_is_not_published(
    api: Client, device: Device, headers: Any, quote: str
) -> None:
    draft = EpisodeFactory(series=SeriesFactory(state="draft"), number=9)

    response = unlock(api, draft.id, headers, quote=quote + "x")

    assert (response.status_code, response.json()["code"]) == (404, "episode_unavailable")


def test_answers_with_the_coins_that_can_be_spent_not_the_expired_ones(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    give_bonus(device.viewer_id, coins=20, now=now - timedelta(days=1), expires_at=now)

    bought = unlock(api, episode(series, 9), headers, quote=quote).json()

    assert bought["balance"] == {"coins": 440, "paid_coins": 440, "bonus_coins": 0}
    assert api.get("/v1/me/wallet", headers=headers).json()["balance"] == bought["balance"]


def test_refuses_an_unknown_episode(
    api: Client, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)

    response = unlock(api, uuid4(), headers, quote=quote)

    assert (response.status_code, response.json()["code"]) == (404, "episode_unavailable")


def test_does_not_spend_sandbox_coins_in_production(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500, environment="sandbox")

    response = unlock(api, episode(series, 9), headers, quote=quote)

    assert (response.status_code, response.json()["balance_coins"]) == (402, 0)


def test_keeps_the_playback_session_and_position_that_led_to_it(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    session = uuid4()

    unlock(
        api,
        episode(series, 9),
        headers,
        quote=quote,
        playback_session_id=str(session),
        position_ms=61_500,
    )

    kept = Unlock.objects.get()
    assert (kept.playback_session_id, kept.position_ms) == (session, 61_500)


def test_needs_one_query(
    api: Client,
    series: Series,
    device: Device,
    headers: Any,
    quote: str,
    now: datetime,
    django_assert_num_queries: Any,
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    unlock(api, episode(series, 9), headers, quote=quote)  # the ladder is read once and kept
    following = episode(series, 10)

    with django_assert_num_queries(1):
        unlock(api, following, headers, quote=quote)
