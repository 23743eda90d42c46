"""The ad beside the coins on the paywall, and GET /v1/ads/placements."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from ads.models import Placement
from catalog.models import Series
from config.management.commands import write_openapi
from tests.contracts import document
from tests.factories.ads import PlacementFactory, ad_session, watch
from tests.factories.viewers import viewer_headers
from tests.payments.calls import episode
from viewers.models import Device


def ad_options(api: Client, series: Series, headers: Any) -> list[dict[str, Any]]:
    shown = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()
    return [option for option in shown["options"] if option["kind"] == "ad"]


def listed(api: Client, headers: Any) -> dict[str, dict[str, Any]]:
    body = api.get("/v1/ads/placements", headers=headers).json()
    return {placement["placement"]: placement for placement in body["placements"]}


def test_offers_an_ad_for_the_next_locked_episode(
    api: Client, placement: Placement, series: Series, headers: Any
) -> None:
    assert ad_options(api, series, headers) == [
        {
            "kind": "ad",
            "placement": "paywall",
            "episode_id": str(episode(series, 9)),
            "reward": "episodes",
            "reward_amount": 1,
            "watched": 0,
            "needed": 1,
            "remaining_today": 10,
            "available_at": None,
        }
    ]


def test_moves_on_with_the_viewer_and_says_when_the_next_ad_may_be_opened(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    Placement.objects.update(cooldown_seconds=60)
    session = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now
    )
    watch(session, now=now)

    (option,) = ad_options(api, series, headers)

    assert option["episode_id"] == str(episode(series, 10))
    assert (option["remaining_today"], option["available_at"]) == (9, "2026-03-14T12:01:00Z")


def test_offers_the_placement_that_is_available_first(
    api: Client, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    first, second = (PlacementFactory(code=code, cooldown_seconds=600) for code in ("a", "b"))
    assert ad_options(api, series, headers)[0]["placement"] == "a"
    for placement, at in ((first, now), (second, now - timedelta(minutes=5))):
        session = ad_session(
            placement,
            viewer_id=device.viewer_id,
            episode_id=episode(series, 11 if placement is first else 12),
            now=at,
        )
        watch(session, now=at)

    assert ad_options(api, series, headers)[0]["placement"] == "b"


def test_offers_no_ad_when_none_is_left_today(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    Placement.objects.update(daily_cap=1)
    session = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now
    )
    watch(session, now=now)

    assert ad_options(api, series, headers) == []
    tomorrow = viewer_headers(device, now=now + timedelta(hours=12))
    assert len(ad_options(api, series, tomorrow)) == 1


@pytest.mark.parametrize("limit", [{"daily_cap": 1}, {"cooldown_seconds": 24 * 3600}])
def test_sends_the_viewer_back_to_the_session_that_is_open(
    api: Client,
    placement: Placement,
    series: Series,
    device: Device,
    headers: Any,
    now: datetime,
    limit: dict[str, int],
) -> None:
    PlacementFactory(code="a")
    Placement.objects.filter(id=placement.id).update(**limit)
    session = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now
    )

    (option,) = ad_options(api, series, headers)

    assert (option["placement"], option["available_at"]) == ("paywall", None)
    assert option["remaining_today"] >= 1
    again = {"placement": option["placement"], "episode_id": option["episode_id"]}
    opened = api.post("/v1/ads/sessions", again, "application/json", headers=headers)
    assert (opened.status_code, opened.json()["ad_session_id"]) == (200, str(session.id))


def test_offers_what_opening_would_answer_once_the_placement_was_edited(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    """The old ad unit's session is not resumed, and yet keeps other placements out."""
    PlacementFactory(code="a")
    ad_session(placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now)
    Placement.objects.filter(id=placement.id).update(ad_unit_id="fake-app/new")

    (option,) = ad_options(api, series, headers)

    assert (option["placement"], option["remaining_today"]) == ("paywall", 9)
    again = {"placement": "paywall", "episode_id": option["episode_id"]}
    opened = api.post("/v1/ads/sessions", again, "application/json", headers=headers)
    assert (opened.status_code, opened.json()["ad_unit_id"]) == (201, "fake-app/new")

    Placement.objects.filter(id=placement.id).update(is_active=False)
    assert ad_options(api, series, headers) == []


def test_offers_no_ad_where_nothing_is_locked_or_nothing_is_shown(
    api: Client, placement: Placement, series: Series, headers: Any
) -> None:
    series.episodes.filter(number__gte=9).update(state="withdrawn")
    assert ad_options(api, series, headers) == []
    series.episodes.update(state="published")
    assert len(ad_options(api, series, headers)) == 1
    Placement.objects.update(is_active=False)
    assert ad_options(api, series, headers) == []


def test_offers_no_ad_of_a_network_that_is_off(
    api: Client, placement: Placement, series: Series, headers: Any, no_fake_network: None
) -> None:
    assert ad_options(api, series, headers) == []
    assert listed(api, headers) == {}


def test_lists_what_is_left_of_each_placement(
    api: Client, placement: Placement, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    other = PlacementFactory(code="home", daily_cap=1, title="At home")
    PlacementFactory(code="off", is_active=False)
    for number, used in ((9, placement), (10, placement), (11, other)):
        session = ad_session(
            used, viewer_id=device.viewer_id, episode_id=episode(series, number), now=now
        )
        if number != 10:
            watch(session, now=now)

    found = listed(api, headers)

    assert list(found) == ["home", "paywall"]
    assert found["home"] == {
        "placement": "home",
        "title": "At home",
        "network": "fake",
        "ad_unit_id": other.ad_unit_id,
        "reward": "episodes",
        "reward_amount": 1,
        "coins_expire_after_days": None,
        "watched": None,
        "needed": 1,
        "daily_cap": 1,
        "remaining_today": 0,
        "cooldown_seconds": 0,
        "available_at": "2026-03-15T00:00:00Z",
    }
    # One was rewarded and one is open.
    assert (found["paywall"]["remaining_today"], found["paywall"]["available_at"]) == (8, None)


def test_lists_many_placements_in_as_many_queries_as_one(
    api: Client,
    placement: Placement,
    series: Series,
    device: Device,
    headers: Any,
    now: datetime,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(9, 15):
        used = PlacementFactory()
        session = ad_session(
            used, viewer_id=device.viewer_id, episode_id=episode(series, number), now=now
        )
        watch(session, now=now)

    ad_options(api, series, headers)  # what never changes is read once
    with django_assert_max_num_queries(5):
        assert len(listed(api, headers)) == 7
    with django_assert_max_num_queries(14):
        assert len(ad_options(api, series, headers)) == 1


def test_the_document_lists_every_option_that_settings_name() -> None:
    union = document.whole()["components"]["schemas"]["PaywallOption"]

    assert union["discriminator"]["mapping"] == {
        "coins": "#/components/schemas/CoinsOption",
        "bundle": "#/components/schemas/BundleOption",
        "rental": "#/components/schemas/RentalOption",
        "subscription": "#/components/schemas/SubscriptionOption",
        "ad": "#/components/schemas/AdOption",
    }
    judge = document.validator({"$ref": "#/components/schemas/PaywallOption"})
    coins = {
        "kind": "coins",
        "price_coins": 1,
        "equivalent": None,
        "balance_coins": 1,
        "shortfall_coins": 0,
    }
    assert judge.is_valid(coins)
    assert not judge.is_valid(coins | {"kind": "ad"})
    assert not judge.is_valid({"kind": "magic"})


def test_the_document_lists_no_option_that_settings_do_not_name(settings: Settings) -> None:
    settings.PAYWALL_OPTIONS = ["payments.access.paywall.coins_option"]

    text = write_openapi.document().decode()

    assert "CoinsOption" in text
    assert "AdOption" not in text


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_the_list_of_placements_is_only_read(api: Client, headers: Any, method: str) -> None:
    response = getattr(api, method)("/v1/ads/placements", headers=headers)

    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
