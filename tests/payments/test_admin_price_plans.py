"""Operators see what each plan asks now and next, and choose which series it prices."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from catalog.models import Series
from payments import plans, price_versions, pricing
from payments.models import PlanAssignment, PricePlan
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


def plan_of(series: Series, at: datetime) -> PricePlan:
    return plans.in_force(at=at).get(series=series).plan


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


def test_assigns_series_and_gives_them_back(
    client: Client, premiere: PricePlan, now: datetime
) -> None:
    one, two = SeriesFactory(title="Judex"), SeriesFactory(title="Les Vampires")
    answer = client.post(
        f"{LIST}{premiere.id}/assign/",
        {"series": [one.id, two.id]},
        follow=True,
        headers=clock_headers(now),
    )
    assert "Premiere prices Judex" in answer.content.decode()
    assert [price_of_nine(series, now) for series in (one, two)] == [80, 80]

    client.post(f"{LIST}{premiere.id}/release/{one.id}/", headers=clock_headers(now))

    assert [price_of_nine(series, now) for series in (one, two)] == [60, 80]
    history = client.get(f"{LIST}{premiere.id}/history/").content.decode()
    assert "Prices Judex" in history
    assert "No longer prices Judex" in history


def test_assigning_takes_a_series_from_the_plan_it_had(
    client: Client, premiere: PricePlan, now: datetime
) -> None:
    other = PricePlan.objects.create(name="Other", created_at=now)
    series = SeriesFactory()
    assign(other, [series.id])
    client.post(f"{LIST}{premiere.id}/assign/", {"series": [series.id]}, headers=clock_headers(now))
    assert plan_of(series, now) == premiere
    client.post(f"{LIST}{other.id}/release/{series.id}/", headers=clock_headers(now))
    assert plan_of(series, now) == premiere


def test_assigning_to_the_default_plan_is_giving_back(
    client: Client, premiere: PricePlan, standard: PricePlan, now: datetime
) -> None:
    series = SeriesFactory()
    assign(premiere, [series.id])
    client.post(f"{LIST}{standard.id}/assign/", {"series": [series.id]}, headers=clock_headers(now))
    assert plan_of(series, now) == standard
    assert plan_of(series, now - timedelta(seconds=1)) == premiere


@pytest.mark.parametrize("chosen", [[], ["not-an-id"], ["0199f0c2-7b1e-7c3a-9f10-2b6a4d8e0c11"]])
def test_assigns_nothing_that_does_not_exist(
    client: Client, premiere: PricePlan, chosen: list[str]
) -> None:
    answer = client.post(f"{LIST}{premiere.id}/assign/", {"series": chosen}, follow=True)
    assert answer.status_code == 200
    assert [message.level_tag for message in answer.context["messages"]] == ["error"]
    assert not PlanAssignment.objects.exists()


def test_only_posts_assign_and_only_by_those_who_price(premiere: PricePlan) -> None:
    series = SeriesFactory()
    support = signed_in(operator("support", role="support"))
    urls = (f"{LIST}{premiere.id}/assign/", f"{LIST}{premiere.id}/release/{series.id}/")
    for url in urls:
        assert support.post(url, {"series": [series.id]}).status_code == 403
        assert support.get(url).status_code == 405
    content = support.get(page(premiere)).content
    assert b"New version" not in content
    assert b"/assign/" not in content
    assert not PlanAssignment.objects.exists()


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
    client.post(f"{LIST}{plan.id}/assign/", {"series": [series.id]})
    for url in (LIST, page(plan), f"{LIST}{plan.id}/history/", "/admin/"):
        content = client.get(url, follow=True).content
        assert b"<script>alert(1)" not in content, url
        assert b"<img src=x" not in content, url
