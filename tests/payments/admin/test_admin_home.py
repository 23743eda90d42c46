"""The first page says how things stand, in few and bounded questions."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from catalog.models import Series
from payments.admin import home
from payments.desk import price_versions
from payments.models import PricePlan
from tests.factories.operators import operator, signed_in
from tests.factories.payments import fund
from tests.factories.viewers import DeviceFactory, ViewerFactory, clock_headers
from tests.payments.admin.test_admin_read_only import spend
from viewers.models import Device


def figures(client: Client, now: datetime) -> dict[str, tuple[str, str]]:
    shown = client.get("/admin/", headers=clock_headers(now)).context["figures"]
    return {figure["title"]: (figure["value"], figure["detail"]) for figure in shown}


@pytest.fixture
def client(db: None) -> Client:
    return signed_in(operator("root", is_superuser=True))


def test_counts_what_happened_from_the_ledger(
    client: Client, device: Device, series: Series, now: datetime
) -> None:
    yesterday = now - timedelta(days=1)
    fund(device.viewer_id, now=yesterday, paid=1000, price_micros=10_000_000)
    fund(device.viewer_id, now=now, paid=500, bonus=100, price_micros=6_000_000)
    spend(device, series, 9, yesterday)
    spend(device, series, 10, now)
    tester = DeviceFactory()
    fund(tester.viewer_id, now=now, environment="sandbox")
    midnight = now.replace(hour=0)
    for seen_at in (midnight, now, midnight - timedelta(seconds=1), None):
        ViewerFactory(last_seen_at=seen_at)

    assert figures(client, now) == {
        "Series": ("1", "published"),
        "Viewers today": ("2", "seen since midnight UTC"),
        "Purchases": ("1", "6.00 USD in the last 24 hours"),
        "Unlocks": ("1", "for 60 coins in the last 24 hours"),
        "Coins outstanding": ("1,480", "worth 14.80 USD of deferred revenue"),
    }


def test_every_figure_leads_to_its_list(client: Client, now: datetime) -> None:
    for figure in client.get("/admin/").context["figures"]:
        assert client.get(figure["url"]).status_code == 200


def test_shows_price_changes_that_are_decided(client: Client, now: datetime) -> None:
    plan = PricePlan.objects.get(is_default=True)
    for days in (-1, 2, 1):
        price_versions.add(
            plan=plan,
            effective_from=now + timedelta(days=days),
            free_count=days + 1,
            base_price_coins=70,
            overrides={},
            now=now,
        )
    scheduled = client.get("/admin/", headers=clock_headers(now)).context["scheduled"]
    assert [row["says"] for row in scheduled] == ["2 free, then 70 coins", "3 free, then 70 coins"]


def test_shows_each_role_its_own_figures(db: None, now: datetime) -> None:
    content = signed_in(operator("content", role="content"))
    pricing_role = signed_in(operator("pricing", role="pricing"))
    assert set(figures(content, now)) == {"Series"}
    assert "Viewers today" not in figures(pricing_role, now)
    assert "Purchases" in figures(pricing_role, now)


def test_opens_although_a_figure_takes_too_long(
    client: Client, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asleep(_: datetime) -> tuple[str, str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
        return "never", "seen"

    slow = home.Figure("Slow", "payments.view_lot", "payments_lot_changelist", asleep)
    monkeypatch.setattr(home, "PATIENCE_MS", 50)
    monkeypatch.setattr(home, "FIGURES", (slow, *home.FIGURES))
    shown = figures(client, now)
    assert shown["Slow"] == ("–", home.TOO_SLOW)
    assert shown["Purchases"][0] == "0"


def test_asks_a_handful_of_questions(
    client: Client, now: datetime, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client.get("/admin/", headers=clock_headers(now))
    # Sign-in and permissions, then a savepoint, its limit and one count for each of five figures, what waits or is
    # scheduled, each alarm of the stores and of ads; and for each of four plots the same with what it reads of rollups.
    with django_assert_max_num_queries(75) as captured:
        client.get("/admin/", headers=clock_headers(now))
    counts = [query for query in captured if "payments_" in query["sql"]]
    assert len(counts) <= 20
