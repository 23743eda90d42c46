"""Region, platform, link and promotion change what a viewer is shown, and that is what is charged."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from catalog.models import Series
from payments.desk import links, price_versions, promotions
from payments.desk.price_versions import NewVariant, NewVersion, adjustment_row
from payments.models import AcquisitionLink, PricePlan, PriceVersion, Unlock
from payments.prices.terms import Adjustment, Terms
from tests.factories.payments import PAST, default_plan, fund
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import episode, unlock
from viewers.models import Device, Platform

DAY = timedelta(days=1)
HALF = Adjustment(scale_parts_per_million=500_000)


def ask(api: Client, series: Series, device: Device, now: datetime) -> dict[str, Any]:
    response = api.get(f"/v1/series/{series.id}/paywall", headers=viewer_headers(device, now=now))
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def price_of_nine(api: Client, series: Series, device: Device, now: datetime) -> int:
    price: int = ask(api, series, device, now)["episodes"][8]["price_coins"]
    return price


@pytest.fixture
def plan(series: Series) -> PricePlan:
    return default_plan()


def differ(plan: PricePlan, *variants: NewVariant, now: datetime) -> PriceVersion:
    (version_id,) = price_versions.add_many(
        [NewVersion(plan.id, Terms(8, 60), variants)], effective_from=now - DAY, now=now
    )
    return PriceVersion.objects.get(id=version_id)


def device_in(region: str, platform: Platform = Platform.IOS) -> Device:
    return DeviceFactory(viewer__region=region, platform=platform)


def test_the_first_variant_that_fits_counts(
    api: Client, series: Series, plan: PricePlan, now: datetime
) -> None:
    differ(
        plan,
        NewVariant(["BR", "MX"], ["web"], Adjustment(price_coins=20)),
        NewVariant(["BR"], [], Adjustment(price_coins=30)),
        NewVariant([], ["android", "web"], HALF),
        now=now,
    )
    asked = {
        (region, platform): price_of_nine(api, series, device_in(region, platform), now)
        for region in ("BR", "US", "")
        for platform in (Platform.IOS, Platform.WEB)
    }

    assert asked == {
        ("BR", Platform.IOS): 30,
        ("BR", Platform.WEB): 20,
        ("US", Platform.IOS): 60,
        ("US", Platform.WEB): 30,
        ("", Platform.IOS): 60,
        ("", Platform.WEB): 30,
    }


def test_what_was_shown_is_charged_and_kept(
    api: Client, series: Series, plan: PricePlan, now: datetime
) -> None:
    version = differ(plan, NewVariant(["BR"], [], HALF), now=now)
    device = device_in("BR")
    fund(device.viewer_id, now=now)
    quote = ask(api, series, device, now)["quote"]
    answer = unlock(api, episode(series, 9), viewer_headers(device, now=now), quote=quote)

    assert answer.json()["price_coins"] == 30
    kept = Unlock.objects.get(viewer=device.viewer_id)
    assert kept.price_version == version
    assert kept.adjustments == [version.variants.get().adjustment_id]


def test_a_refused_quote_comes_back_with_the_price_of_that_device(
    api: Client, series: Series, plan: PricePlan, now: datetime
) -> None:
    differ(plan, NewVariant([], ["web"], HALF), now=now)
    device = device_in("US", Platform.WEB)
    answer = unlock(
        api, episode(series, 9), viewer_headers(device, now=now), quote="not one of ours"
    )

    assert (answer.status_code, answer.json()["price_coins"]) == (409, 30)


def test_an_episode_free_somewhere_is_played_there_and_nowhere_else(
    api: Client, series: Series, plan: PricePlan, now: datetime
) -> None:
    differ(plan, NewVariant(["BR"], [], Adjustment(free_count=10)), now=now)

    def play(device: Device) -> int:
        address = f"/v1/episodes/{episode(series, 9)}/play"
        return api.post(address, headers=viewer_headers(device, now=now)).status_code

    assert (play(device_in("US")), play(device_in("BR"))) == (402, 200)


def test_a_promotion_holds_from_its_beginning_to_its_end(
    api: Client, series: Series, device: Device, now: datetime
) -> None:
    promotions.start(
        name="Spring",
        series_ids=[series.id],
        starts_at=now,
        ends_at=now + DAY,
        adjustment=HALF,
        now=now,
    )
    moments = [now - timedelta(microseconds=1), now, now + DAY - timedelta(seconds=1), now + DAY]

    assert [price_of_nine(api, series, device, at) for at in moments] == [60, 30, 30, 60]


def test_the_promotion_that_began_last_counts_where_it_applies(
    api: Client, series: Series, now: datetime
) -> None:
    for name, since, price, regions in (
        ("all", 3, 40, ()),
        ("Brazil", 2, 20, ("BR",)),
    ):
        promotions.start(
            name=name,
            series_ids=[series.id],
            starts_at=now - since * DAY,
            ends_at=now + DAY,
            adjustment=Adjustment(price_coins=price),
            regions=regions,
            now=now,
        )

    asked = [price_of_nine(api, series, device_in(region), now) for region in ("US", "BR")]
    assert asked == [40, 20]


def link(series: Series, code: str, adjustment: Adjustment, now: datetime) -> AcquisitionLink:
    row = adjustment_row(adjustment, now=now)
    row.save()
    return AcquisitionLink.objects.create(
        code=code, name=code, series=series, adjustment=row, starts_at=PAST, created_at=PAST
    )


def test_who_came_by_a_link_meets_its_paywall_and_its_price(
    api: Client, series: Series, device: Device, now: datetime
) -> None:
    link(series, "summer-1", Adjustment(free_count=4, price_coins=50), now)
    links.arrive(viewer_id=device.viewer_id, code="summer-1", now=now)
    episodes = ask(api, series, device, now)["episodes"]
    others = ask(api, series, DeviceFactory(), now)["episodes"]

    assert [e["price_coins"] for e in episodes] == [0] * 4 + [50] * 8
    assert [e["price_coins"] for e in others] == [0] * 8 + [60] * 4


def test_the_latest_link_counts_until_it_is_over(
    api: Client, series: Series, device: Device, now: datetime
) -> None:
    first = link(series, "first", Adjustment(price_coins=50), now)
    second = link(series, "second", Adjustment(price_coins=55), now)
    links.arrive(viewer_id=device.viewer_id, code=first.code, now=now - DAY)
    links.arrive(viewer_id=device.viewer_id, code=second.code, now=now)
    assert price_of_nine(api, series, device, now) == 55

    AcquisitionLink.objects.filter(id=second.id).update(stopped_at=now + DAY)

    later = [now + DAY - timedelta(seconds=1), now + DAY]
    assert [price_of_nine(api, series, device, at) for at in later] == [55, 50]


def test_a_variant_a_link_and_a_promotion_adjust_one_after_the_other(
    api: Client, series: Series, plan: PricePlan, now: datetime
) -> None:
    differ(plan, NewVariant(["BR"], [], Adjustment(free_count=6, price_coins=45)), now=now)
    link(series, "link", Adjustment(free_count=5), now)
    promotions.start(
        name="Tenth off",
        series_ids=[series.id],
        starts_at=now,
        ends_at=now + DAY,
        adjustment=Adjustment(scale_parts_per_million=900_000),
        now=now,
    )
    device = device_in("BR")
    links.arrive(viewer_id=device.viewer_id, code="link", now=now)

    asked = [e["price_coins"] for e in ask(api, series, device, now)["episodes"]]
    assert asked == [0] * 5 + [41] * 7
