"""Operators see what each plan asks now and next, and choose which series it prices."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from catalog.models import Series
from payments.desk import price_versions
from payments.models import PricePlan
from payments.prices import pricing
from tests.factories.catalog import SeriesFactory, SeriesTextFactory
from tests.factories.operators import operator, signed_in
from tests.factories.payments import assign
from tests.factories.viewers import clock_headers

LIST = "/admin/payments/priceplan/"
SEARCH = "/admin/payments/priceplan/series/"


@pytest.fixture
def client(db: None) -> Client:
    return signed_in(operator(role="pricing"))


@pytest.fixture
def standard(db: None) -> PricePlan:
    return PricePlan.objects.get(is_default=True)


@pytest.fixture
def premiere(now: datetime) -> PricePlan:
    plan = PricePlan.objects.create(name="Premiere", created_at=now)
    for days, price_coins in ((-9, 70), (-1, 80), (3, 90), (9, 95)):
        price_versions.add(
            plan=plan,
            effective_from=now + timedelta(days=days),
            free_count=6,
            base_price_coins=price_coins,
            overrides={12: 0} if price_coins == 80 else {},
            now=now,
        )
    return plan


def page(plan: PricePlan) -> str:
    return f"{LIST}{plan.id}/change/"


def price_of_nine(series: Series, now: datetime) -> int:
    version = pricing.version_in_force(series_id=series.id, at=now)
    return pricing.ladder(version.id).price_of(9)


def test_lists_what_each_plan_asks_now_and_next(
    client: Client, premiere: PricePlan, standard: PricePlan, now: datetime
) -> None:
    assign(premiere, [SeriesFactory().id, SeriesFactory().id])
    PricePlan.objects.create(name="Empty", created_at=now)
    model_admin_rows = client.get(LIST, headers=clock_headers(now)).context["cl"].result_list
    shown = [
        (plan.name, plan.free_count, plan.price_coins, plan.assigned_count, plan.changes_at)
        for plan in model_admin_rows
    ]
    assert shown == [
        ("Standard", 8, 60, None, None),
        ("Empty", None, None, None, None),
        ("Premiere", 6, 80, 2, now + timedelta(days=3)),
    ]


def test_shows_every_version_and_which_one_is_in_force(
    client: Client, premiere: PricePlan, now: datetime
) -> None:
    rows = client.get(page(premiere), headers=clock_headers(now)).context["versions"]
    assert [(row["says"], row["is_in_force"], row["is_ahead"]) for row in rows] == [
        ("6 free, then 95 coins", False, True),
        ("6 free, then 90 coins", False, True),
        ("6 free, then 80 coins, 1 episode otherwise", True, False),
        ("6 free, then 70 coins", False, False),
    ]


def test_a_new_plan_prices_nothing_until_it_has_a_version(client: Client, now: datetime) -> None:
    answer = client.post(f"{LIST}add/", {"name": "Holiday"}, headers=clock_headers(now))
    plan = PricePlan.objects.get(name="Holiday")
    assert answer.status_code == 302
    assert (plan.is_default, plan.created_at) == (False, now)
    series = SeriesFactory()
    assign(plan, [series.id])
    assert b"the default plan prices" in client.get(page(plan)).content
    assert price_of_nine(series, now) == 60


def test_the_default_stays_the_default(client: Client, standard: PricePlan) -> None:
    client.post(page(standard), {"name": "Base"})
    client.post(f"{LIST}add/", {"name": "Other", "is_default": "on"})
    assert list(PricePlan.objects.order_by("name").values_list("name", "is_default")) == [
        ("Base", True),
        ("Other", False),
    ]


def test_its_page_leads_to_the_changes_that_it_takes(
    client: Client, premiere: PricePlan, standard: PricePlan, now: datetime
) -> None:
    series = SeriesFactory(title="Judex")
    assign(premiere, [series.id])
    shown = client.get(page(premiere), headers=clock_headers(now)).content.decode()
    desk = "/admin/payments/pricechange/new"
    assert f"{desk}/plan/?plan={premiere.id}" in shown
    assert f"{desk}/move/?plan={premiere.id}" in shown
    back = f"{desk}/move/?plan={standard.id}&series={series.id}"
    assert back.replace("&", "&amp;") in shown
    form = client.get(back).context["form"]
    assert form.initial["plan"] == standard.id
    assert client.get(back).context["chosen_titles"] == [f"Judex ({series.external_id})"]


def test_who_does_not_price_sees_and_changes_nothing(premiere: PricePlan) -> None:
    content = signed_in(operator("support", role="support")).get(page(premiere)).content
    assert b"6 free, then 95 coins" in content
    assert b"New prices" not in content
    assert b"pricechange/new" not in content


def test_plans_of_one_title_are_listed_apart(client: Client, standard: PricePlan) -> None:
    own = PricePlan.objects.create(
        name="one title", own_series=SeriesFactory(), created_at=standard.created_at
    )
    assert own not in client.get(LIST).context["cl"].result_list
    assert list(client.get(LIST, {"kind": "own"}).context["cl"].result_list) == [own]


def test_finds_a_series_by_words_of_its_title_the_last_one_begun(client: Client) -> None:
    helen = SeriesFactory(title="The Hazards of Helen", external_id="helen-1914")
    SeriesFactory(title="Judex")
    draft = SeriesFactory(title="Hazardous Draft", state="draft")
    SeriesTextFactory(series=helen, locale="fr", title="Les Dangers d'Hélène")
    found = {
        term: [row["text"] for row in client.get(SEARCH, {"term": term}).json()["results"]]
        for term in ("hazards helen", "HELEN haz", "helen-1914", "helen dan", "zzz", "' & | :*")
    }
    name = "The Hazards of Helen (helen-1914)"
    assert found["hazards helen"] == found["HELEN haz"] == found["helen-1914"] == [name]
    assert found["zzz"] == []
    shown = {row["text"] for row in client.get(SEARCH, {"term": "hazard"}).json()["results"]}
    assert shown == {name, f"Hazardous Draft ({draft.external_id}), draft"}


def test_hands_out_series_a_page_at_a_time(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(45):
        SeriesFactory()
    pages = []
    for number in ("1", "2", "3", "4", "x"):
        with django_assert_max_num_queries(7):
            pages.append(client.get(SEARCH, {"page": number}).json())
    sizes = [(len(found["results"]), found["pagination"]["more"]) for found in pages]
    assert sizes == [(20, True), (20, True), (5, False), (0, False), (20, True)]
    ids = [row["id"] for found in pages[:3] for row in found["results"]]
    assert len(set(ids)) == 45


def test_lists_and_pages_ask_few_questions(
    client: Client, premiere: PricePlan, now: datetime, django_assert_max_num_queries: Any
) -> None:
    assign(premiere, [SeriesFactory().id for _ in range(30)])
    for number in range(30):
        PricePlan.objects.create(name=f"Plan {number}", created_at=now)
    with django_assert_max_num_queries(8):
        client.get(LIST)
    with django_assert_max_num_queries(12):
        client.get(page(premiere))


def test_titles_and_names_are_text_whatever_they_hold(client: Client, now: datetime) -> None:
    plan = PricePlan.objects.create(name="<img src=x onerror=alert(1)>", created_at=now)
    series = SeriesFactory(title="<script>alert(1)</script>")
    assign(plan, [series.id])
    for url in (LIST, page(plan), f"{LIST}{plan.id}/history/", "/admin/"):
        content = client.get(url, follow=True).content
        assert b"<script>alert(1)" not in content, url
        assert b"<img src=x" not in content, url
