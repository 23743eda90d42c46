"""What opens a title: where ads alone do, coins are neither asked nor taken."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from catalog.models import Series
from payments.access import paywall
from payments.desk import price_versions
from payments.models import IdempotencyRecord
from payments.prices.terms import Adjustment, Rental
from payments.unlocking import auto_unlocks, bundles
from tests.factories.payments import default_plan, fund, give_cover
from tests.payments.calls import episode, movements, unlock
from viewers.models import Device


@pytest.fixture
def ads_alone(series: Series) -> Series:
    Series.objects.filter(id=series.id).update(access_mode="ad")
    series.refresh_from_db()
    return series


def shown(api: Client, series: Series, headers: Any) -> dict[str, Any]:
    body: dict[str, Any] = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()
    return body


def kinds(api: Client, series: Series, headers: Any) -> set[str]:
    return {option["kind"] for option in shown(api, series, headers)["options"]}


def test_the_paywall_asks_no_coins_where_ads_alone_open(
    api: Client, series: Series, headers: Any, now: datetime
) -> None:
    _sell_every_way(now)
    assert {"coins", "bundle", "rental"} <= kinds(api, series, headers)

    Series.objects.update(access_mode="ad")

    body = shown(api, series, headers)
    assert body["access_mode"] == "ad"
    assert {option["kind"] for option in body["options"]}.isdisjoint({"coins", "bundle", "rental"})
    assert body["offers"] == []
    assert body["next_locked_episode_id"] == str(episode(series, 9))


def test_a_quote_from_before_buys_nothing_and_its_key_may_be_used_again(
    api: Client, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=60)
    quote = shown(api, series, headers)["quote"]
    Series.objects.update(access_mode="ad")
    keyed = headers | {"Idempotency-Key": "the-same"}
    before = movements()

    refused = unlock(api, episode(series, 9), keyed, quote=quote)

    assert (refused.status_code, refused.json()["code"]) == (409, "episode_ads_only")
    assert (movements(), IdempotencyRecord.objects.count()) == (before, 0)
    Series.objects.update(access_mode="hybrid")
    assert unlock(api, episode(series, 9), keyed, quote=quote).json()["outcome"] == "unlocked"


def test_a_quote_that_does_not_hold_is_answered_with_no_new_one(
    api: Client, ads_alone: Series, headers: Any
) -> None:
    refused = unlock(api, episode(ads_alone, 9), headers, quote="x")

    assert (refused.status_code, refused.json()["code"]) == (409, "episode_ads_only")
    assert "quote" not in refused.json()


def test_a_bundle_and_a_consent_from_before_buy_nothing(
    api: Client, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    _sell_every_way(now)
    fund(device.viewer_id, now=now, paid=5_000)
    whose: Any = {"viewer_id": device.viewer_id, "environment": "production", "now": now}
    wall = paywall.show(**whose, series_id=series.id)
    bundle = bundles.quote_for(wall)
    assert bundle is not None
    auto_unlocks.agree(**whose, series_id=series.id, quote=wall.quote.token(), daily_cap_coins=600)
    Series.objects.update(access_mode="ad")
    before = movements()

    for url, body in (
        (f"/v1/series/{series.id}/unlock", {"quote": bundle.token()}),
        (f"/v1/episodes/{episode(series, 9)}/auto-unlock", {"playback_session_id": None}),
    ):
        refused = api.post(url, body, "application/json", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "episode_ads_only")
    assert movements() == before


def test_what_is_owned_or_covered_opens_whatever_the_mode(
    api: Client, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=60)
    quote = shown(api, series, headers)["quote"]
    unlock(api, episode(series, 9), headers, quote=quote)
    Series.objects.update(access_mode="ad")

    again = unlock(api, episode(series, 9), headers, quote=quote).json()
    assert again["outcome"] == "already_unlocked"
    locked = api.post(f"/v1/episodes/{episode(series, 10)}/play", headers=headers)
    assert (locked.status_code, locked.json()["code"]) == (402, "episode_locked")
    assert (locked.json()["price_coins"], locked.json()["quote"]) == (None, None)
    give_cover(device.viewer_id, starts_at=now, ends_at=now.replace(hour=23))
    assert unlock(api, episode(series, 10), headers, quote=quote).json()["outcome"] == "covered"


def _sell_every_way(now: datetime) -> None:
    """The plan sells the rest of a series, and episodes for a day."""
    price_versions.add(
        plan=default_plan(),
        effective_from=now - timedelta(hours=1),
        free_count=8,
        base_price_coins=60,
        bundle=Adjustment(scale_parts_per_million=700_000),
        rental=Rental(Adjustment(price_coins=20), seconds=48 * 3600),
        now=now - timedelta(hours=1),
    )
