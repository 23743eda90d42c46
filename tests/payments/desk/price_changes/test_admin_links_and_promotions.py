"""Operators make links in batches and stop them, stop promotions, and see a title's prices over time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from catalog.models import Series
from payments.desk import links, price_history, price_versions, promotions
from payments.models import AcquisitionLink, ChangeState, PriceAdjustment, PricePlan, Promotion
from payments.prices.terms import Adjustment
from tests.factories.operators import operator
from tests.factories.payments import PAST, assign
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.desk.price_changes.conftest import price_of
from tests.payments.desk.price_changes.test_admin_changes import Desk, said
from viewers.models import Device

LINKS = "/admin/payments/acquisitionlink/"
PROMOTIONS = "/admin/payments/promotion/"
TITLE = "/admin/payments/pricechange/title/"
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def desk(dana: User, now: datetime) -> Desk:
    return Desk(dana, now)


@pytest.fixture
def series(titles: Sequence[Series]) -> Series:
    return titles[0]


@pytest.fixture
def device(db: None) -> Device:
    return DeviceFactory()


def make(desk: Desk, leads_to: Series, **fields: Any) -> HttpResponse:
    form = {"name": "Spring", "series": leads_to.id}
    return desk.post(f"{LINKS}add/", **form | fields)


def asked(api: Client, device: Device, series: Series, now: datetime) -> int:
    """What the viewer's paywall asks for episode nine."""
    answer = api.get(f"/v1/series/{series.id}/paywall", headers=viewer_headers(device, now=now))
    price_of = {one["number"]: int(one["price_coins"]) for one in answer.json()["episodes"]}
    return price_of[9]


def test_a_batch_of_links_has_codes_that_nobody_guesses(
    desk: Desk, series: Series, now: datetime
) -> None:
    answer = make(desk, series, number=100, price_coins=40)
    made = list(AcquisitionLink.objects.all())
    assert "100 links made" in said(answer)
    assert len({link.code for link in made}) == 100
    assert {len(link.code) for link in made} == {12}
    assert {(link.starts_at, link.ends_at, link.adjustment.price_coins) for link in made} == {
        (now, None, 40)
    }


def test_who_comes_by_a_link_pays_its_price_until_it_is_stopped(
    api: Client, desk: Desk, series: Series, device: Device, now: datetime
) -> None:
    make(desk, series, codes="spring-tiktok\nspring_meta", percent=50)
    link = AcquisitionLink.objects.get(code="spring-tiktok")
    assert asked(api, device, series, now) == 60
    links.arrive(viewer_id=device.viewer_id, code=link.code, now=now)
    assert asked(api, device, series, now + SECOND) == 30
    page = desk.get(f"{LINKS}{link.id}/change/").content.decode()
    assert "50 % off" in page
    rows = desk.get(LINKS).context["cl"].result_list
    assert {row.code: row.arrivals_count for row in rows} == {"spring-tiktok": 1, "spring_meta": 0}

    desk.now = now + DAY
    assert "Stopped" in said(desk.post(f"{LINKS}{link.id}/stop/"))

    assert asked(api, device, series, now + DAY + SECOND) == 60
    assert "over already" in said(desk.post(f"{LINKS}{link.id}/stop/"))


def test_a_link_with_free_episodes_and_an_end(
    api: Client, desk: Desk, series: Series, device: Device, now: datetime
) -> None:
    make(desk, series, codes="gift", free_count=10, ends_at_0="2026-03-16", ends_at_1="12:00")
    links.arrive(viewer_id=device.viewer_id, code="gift", now=now)
    assert [asked(api, device, series, at) for at in (now, now + 2 * DAY)] == [0, 60]


@pytest.mark.matrix(3)
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "one of the two"),
        ({"number": 3, "codes": "a"}, "one of the two"),
        ({"number": 0}, "greater than or equal to 1"),
        ({"number": 101}, "less than or equal to 100"),
        ({"codes": "\n".join(f"c{n}" for n in range(101))}, "Between 1 and 100 links"),
        ({"codes": "a\na"}, "A code is there twice"),
        ({"codes": "taken"}, "There is a link with the code taken already"),
        ({"codes": "not/a/code"}, "is no code: letters, digits"),
        ({"codes": "a" * 65}, "is no code"),
        ({"number": 1, "price_coins": 0}, "between 1 and 1,000,000 coins"),
        ({"number": 1, "price_coins": 600}, "far from what episodes cost, which is 60"),
        ({"number": 1, "percent": 101}, "less than or equal to 100"),
        ({"number": 1, "free_count": -1}, "greater than or equal to 0"),
        (
            {"number": 1, "ends_at_0": "2026-03-01", "ends_at_1": "12:00"},
            "would end before it begins",
        ),
        ({"number": 1, "series": ""}, "Choose the title that the link leads to"),
        ({"number": 1, "name": ""}, "This field is required"),
    ],
)
def test_links_that_cannot_be_meant_are_refused_in_a_sentence(
    desk: Desk, series: Series, now: datetime, fields: dict[str, Any], sentence: str
) -> None:
    make(desk, series, codes="taken")
    answer = make(desk, series, **fields)
    assert answer.status_code == 200
    assert sentence in str(answer.context["form"].errors)
    assert AcquisitionLink.objects.count() == 1
    assert not PriceAdjustment.objects.exists()


def test_who_does_not_price_makes_and_stops_nothing(
    desk: Desk, series: Series, now: datetime
) -> None:
    make(desk, series, codes="one")
    link = AcquisitionLink.objects.get()
    promotion = promotions.start(
        name="Easter",
        series_ids=[series.id],
        starts_at=now,
        ends_at=now + DAY,
        adjustment=Adjustment(price_coins=50),
        now=now,
    )
    sue = Desk(operator("sue", role="support"), now)
    assert sue.get(f"{LINKS}{link.id}/change/").status_code == 200
    assert sue.get(f"{LINKS}add/").status_code == 403
    assert make(sue, series, codes="two").status_code == 403
    for url in (f"{LINKS}{link.id}/stop/", f"{PROMOTIONS}{promotion.id}/stop/"):
        assert sue.post(url).status_code == 403
        assert sue.get(url).status_code == 405
    assert AcquisitionLink.objects.get().stopped_at is None
    assert Promotion.objects.get().stopped_at is None


def test_a_promotion_is_listed_and_stopped_with_its_change(
    desk: Desk, series: Series, now: datetime
) -> None:
    ends = {"ends_at_0": "2026-03-20", "ends_at_1": "12:00"}
    change = desk.draft("promotion", name="Easter", percent_off=20, **ends)
    desk.step(change, "propose")
    promotion = Promotion.objects.get()
    page = desk.get(f"{PROMOTIONS}{promotion.id}/change/").content.decode()
    assert "20 % off" in page
    assert f"/admin/payments/pricechange/{change.id}/change/" in page
    assert desk.get(PROMOTIONS).context["cl"].result_list[0].series_count == 3
    assert price_of(series, 9, now) == 48

    desk.now = now + DAY
    answer = desk.post(f"{PROMOTIONS}{promotion.id}/stop/")

    change.refresh_from_db()
    assert "Stopped" in said(answer)
    assert change.state == ChangeState.ROLLED_BACK
    assert [price_of(series, 9, at) for at in (now + DAY - SECOND, now + DAY)] == [48, 60]
    again = desk.post(f"{PROMOTIONS}{promotion.id}/stop/")
    assert "over already" in said(again)


def test_a_promotion_that_no_change_made_is_stopped_too(
    desk: Desk, series: Series, now: datetime
) -> None:
    promotion = promotions.start(
        name="By hand",
        series_ids=[series.id],
        starts_at=now - DAY,
        ends_at=now + DAY,
        adjustment=Adjustment(free_count=12),
        now=now,
    )
    assert price_of(series, 9, now - SECOND) == 0
    desk.post(f"{PROMOTIONS}{promotion.id}/stop/")
    assert price_of(series, 9, now) == 60


def test_a_titles_page_tells_its_prices_over_time(
    desk: Desk, plan: PricePlan, series: Series, now: datetime
) -> None:
    premiere = PricePlan.objects.create(name="Premiere", created_at=PAST)
    for days, price_coins in ((-9, 70), (-1, 80), (3, 90)):
        price_versions.add(
            plan=premiere,
            effective_from=now + days * DAY,
            free_count=8,
            base_price_coins=price_coins,
            now=now,
        )
    assign(premiere, [series.id], since=now - 5 * DAY)
    assign(plan, [series.id], since=now + 5 * DAY)

    shown = [
        (one.plan.name, one.version.base_price_coins, one.since)
        for one in price_history.standings(series.id)
    ]
    assert shown[:-1] == [
        ("Standard", 60, now + 5 * DAY),
        ("Premiere", 90, now + 3 * DAY),
        ("Premiere", 80, now - DAY),
        ("Premiere", 70, now - 5 * DAY),
    ]
    assert shown[-1][:2] == ("Standard", 60)
    page = desk.get(f"{TITLE}{series.id}/")
    marks = [(row["is_in_force"], row["is_ahead"]) for row in page.context["standings"]]
    assert marks == [(False, True), (False, True), (True, False), (False, False), (False, False)]
    assert [one.after_coins for one in page.context["episodes"]] == [0] * 8 + [80] * 4


def test_every_price_that_was_in_force_is_in_the_history(
    plan: PricePlan, desk: Desk, series: Series, now: datetime
) -> None:
    premiere = PricePlan.objects.create(name="Premiere", created_at=PAST)
    moments = [now + number * timedelta(hours=7) for number in range(8)]
    for place, at in enumerate(moments):
        chosen = (plan, premiere)[place % 2]
        price_versions.add(
            plan=chosen, effective_from=at, free_count=8, base_price_coins=70 + place, now=now
        )
        if place % 3 == 0:
            assign(chosen, [series.id], since=at)
    standings = price_history.standings(series.id)
    for at in [now - SECOND, *moments, *(moment + timedelta(hours=3) for moment in moments)]:
        begun = next(one for one in standings if one.since <= at)
        assert begun.version.base_price_coins == price_of(series, 9, at)


def test_the_title_in_the_catalog_leads_to_its_prices(
    desk: Desk, series: Series, now: datetime
) -> None:
    catalog = f"/admin/catalog/series/{series.id}/change/"
    assert f"{TITLE}{series.id}/" in desk.get(catalog).content.decode()
    assert desk.get(f"{TITLE}{UUID(int=1)}/").status_code == 404
    analyst = Desk(operator("ann", role="analyst"), now)
    assert analyst.get(f"{TITLE}{series.id}/").status_code == 403
