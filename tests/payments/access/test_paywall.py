"""GET /v1/series/{id}/paywall: every episode's state and price, and what would open the rest."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from catalog.models import Series
from payments.desk import plans, price_versions
from payments.models import PricePlan
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.payments import PAST, CoinPackFactory, fund
from tests.payments.calls import episode, unlock
from viewers.models import Device


def shown(api: Client, series: Series, headers: Any) -> dict[str, Any]:
    response = api.get(f"/v1/series/{series.id}/paywall", headers=headers)
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def test_shows_free_owned_and_locked_episodes_with_their_prices(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    unlock(api, episode(series, 9), headers, quote=quote)

    body = shown(api, series, headers)

    states = [(e["number"], e["state"], e["price_coins"]) for e in body["episodes"]]
    assert states[:8] == [(number, "free", 0) for number in range(1, 9)]
    assert states[8:] == [
        (9, "owned", 60),
        (10, "locked", 60),
        (11, "locked", 60),
        (12, "locked", 60),
    ]
    assert body["next_locked_episode_id"] == str(episode(series, 10))


def test_offers_the_packs_that_close_the_gap_smallest_first(
    api: Client, series: Series, headers: Any
) -> None:
    for code, coins in (("l", 500), ("s", 30), ("m", 60)):
        CoinPackFactory(code=code, paid_coins=coins)

    body = shown(api, series, headers)

    assert [offer["code"] for offer in body["offers"]] == ["m", "l"]
    assert body["options"] == [
        {
            "kind": "coins",
            "price_coins": 60,
            "equivalent": {"amount_micros": 9_980_000, "currency": "USD"},
            "balance_coins": 0,
            "shortfall_coins": 60,
        }
    ]


def test_offers_the_largest_pack_when_none_closes_the_gap(
    api: Client, series: Series, headers: Any
) -> None:
    for code, coins in (("s", 10), ("m", 30)):
        CoinPackFactory(code=code, paid_coins=coins)

    assert [offer["code"] for offer in shown(api, series, headers)["offers"]] == ["m"]


def test_offers_nothing_while_the_coins_suffice(
    api: Client, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=60)

    assert shown(api, series, headers)["offers"] == []


def test_a_price_takes_effect_at_its_moment_and_not_before(
    api: Client, series: Series, device: Device, headers: Any, now: datetime
) -> None:
    plan = PricePlan.objects.get(is_default=True)
    terms = {"plan": plan, "free_count": 0, "overrides": {}, "now": now}
    price_versions.add(effective_from=now, base_price_coins=70, **terms)
    price_versions.add(effective_from=now + timedelta(microseconds=1), base_price_coins=80, **terms)

    assert {e["price_coins"] for e in shown(api, series, headers)["episodes"]} == {70}


def test_an_assigned_plan_wins_over_the_default_and_overrides_over_its_base(
    api: Client, series: Series, headers: Any, now: datetime
) -> None:
    plan = PricePlan.objects.create(name="Finale", created_at=PAST)
    price_versions.add(
        plan=plan,
        effective_from=PAST,
        free_count=2,
        base_price_coins=40,
        overrides={1: 5, 11: 0, 12: 90},
        now=now,
    )
    plans.assign(plan=plan, series_ids=[series.id], effective_from=PAST, now=now)

    prices = [e["price_coins"] for e in shown(api, series, headers)["episodes"]]

    assert prices == [5, 0, 40, 40, 40, 40, 40, 40, 40, 40, 0, 90]


@pytest.mark.parametrize("state", ["draft", "withdrawn"])
def test_a_series_that_is_not_published_is_not_found(api: Client, headers: Any, state: str) -> None:
    series = SeriesFactory(state=state)

    response = api.get(f"/v1/series/{series.id}/paywall", headers=headers)

    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_an_unknown_series_is_not_found(api: Client, headers: Any) -> None:
    response = api.get(f"/v1/series/{uuid4()}/paywall", headers=headers)

    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_takes_the_same_number_of_queries_for_a_long_series(
    api: Client, headers: Any, django_assert_max_num_queries: Any
) -> None:
    series = SeriesFactory(state="published")
    for number in range(1, 41):
        EpisodeFactory(series=series, number=number)
    CoinPackFactory()

    shown(api, series, headers)  # what never changes is read once
    with django_assert_max_num_queries(10):
        shown(api, series, headers)
