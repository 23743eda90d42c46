"""Operators read the days' ladder, what is wrong with it, and the journal; most of them do not."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from config import clock, roles
from payments.ledger.days import closing, digests
from payments.models import LedgerDigest, MoneyDay
from tests.factories.operators import operator, signed_in
from tests.payments.ledger.days.story import DAY, close_all

PAGE = "/admin/payments/moneyday/"
READERS = {"finance", "owner", "analyst"}
LIST_QUERIES = 11


@pytest.fixture
def closed(example: None, later: datetime) -> None:
    close_all(later)
    while digests.seal_next(now=clock.read() + 2 * DAY):
        pass


def day_of(moment: datetime) -> MoneyDay:
    return MoneyDay.objects.get(day=closing.local_date(moment), environment="production")


def test_shows_the_ladder_of_each_day(closed: None, now: datetime) -> None:
    content = signed_in(operator(role="finance")).get(PAGE).content.decode()
    for figure in (
        "9.990000",
        "1.498500",
        "8.491500",
        "0.485229",
        "7.521043",
        "-0.970457",
        "0.497228",
    ):
        assert f">{figure}<" in content, figure
    assert "Production, last 35 days" in content
    assert "Sandbox, last 35 days" not in content
    assert "ch-alarm" not in content


def test_shows_what_does_not_hold_in_red(closed: None, now: datetime) -> None:
    MoneyDay.objects.filter(id=day_of(now).id).update(violations=["<b>Two & two</b> are five."])
    client = signed_in(operator(role="analyst"))
    red = '<p class="ch-alarm">&lt;b&gt;Two &amp; two&lt;/b&gt; are five.</p>'
    assert client.get(PAGE).content.decode().count(red) == 2
    assert red in client.get(f"{PAGE}{day_of(now).id}/change/").content.decode()


def test_a_days_page_has_its_journal(closed: None, now: datetime) -> None:
    content = signed_in(operator(role="owner")).get(f"{PAGE}{day_of(now).id}/change/").content
    for text in ("Coins sold: owed by the store", "accounts receivable", "8.4915"):
        assert text in content.decode()
    assert f"{PAGE}journal/{closing.local_date(now)}.csv" in content.decode()


def test_shows_the_digests(closed: None) -> None:
    sealed = LedgerDigest.objects.first()
    client = signed_in(operator(role="finance"))
    listed = client.get("/admin/payments/ledgerdigest/").content.decode()
    assert sealed.digest in listed
    assert (
        sealed.digest
        in client.get(f"/admin/payments/ledgerdigest/{sealed.id}/change/").content.decode()
    )


@pytest.mark.parametrize("role", roles.ROLES)
def test_only_readers_of_money_days_see_them(closed: None, now: datetime, role: str) -> None:
    client: Client = signed_in(operator(role=role))
    expected = 200 if role in READERS else 403
    for url in (
        PAGE,
        f"{PAGE}{day_of(now).id}/change/",
        f"{PAGE}journal/{closing.local_date(now)}.csv",
        "/admin/payments/ledgerdigest/",
    ):
        assert client.get(url).status_code == expected, url


def test_nobody_writes_them(closed: None, now: datetime) -> None:
    client = signed_in(operator("root", is_superuser=True))
    row = day_of(now)
    before = list(MoneyDay.objects.order_by("id").values())
    for url in (f"{PAGE}add/", f"{PAGE}{row.id}/change/", f"{PAGE}{row.id}/delete/"):
        assert client.post(url, {"net_micros": "1", "post": "yes"}).status_code == 403
    assert list(MoneyDay.objects.order_by("id").values()) == before


def test_the_list_asks_little(closed: None, django_assert_max_num_queries: Any) -> None:
    client = signed_in(operator(role="finance"))
    with django_assert_max_num_queries(LIST_QUERIES):
        client.get(PAGE)


def test_before_any_day_is_over_it_says_so(db: None) -> None:
    content = signed_in(operator(role="finance")).get(PAGE).content.decode()
    assert "No day with money is over yet." in content
