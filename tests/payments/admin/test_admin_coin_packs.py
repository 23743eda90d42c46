"""Coin packs are priced as on a price tag; store terms in force are history."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from payments.admin import formats
from payments.models import CoinPack, StoreProduct, StoreTerms
from tests.factories.operators import operator, signed_in
from tests.factories.payments import CoinPackFactory, StoreProductFactory
from tests.factories.viewers import clock_headers

LIST = "/admin/payments/coinpack/"
TERMS = "/admin/payments/storeterms/"


@pytest.fixture
def client(db: None) -> Client:
    return signed_in(operator(role="pricing"))


def form(**changes: Any) -> dict[str, Any]:
    """What the page posts for a new pack."""
    return {
        "title": "A purse",
        "code": "purse",
        "paid_coins": 600,
        "bonus_coins": 60,
        "price": "4.99",
        "currency": "USD",
        "is_active": "on",
        "position": 1,
        "store_products-TOTAL_FORMS": 0,
        "store_products-INITIAL_FORMS": 0,
    } | changes


def complaints(answer: HttpResponse) -> str:
    assert answer.status_code == 200
    return " ".join(str(message) for message in answer.context["errors"])


def test_a_price_is_typed_as_an_amount_and_kept_in_micros(client: Client, now: datetime) -> None:
    products = {
        "store_products-TOTAL_FORMS": 1,
        "store_products-0-provider": "fake",
        "store_products-0-store_product_id": "coins.purse",
    }
    answer = client.post(f"{LIST}add/", form(**products), headers=clock_headers(now))
    assert answer.status_code == 302
    pack = CoinPack.objects.get()
    assert (pack.price_micros, pack.currency, pack.created_at) == (4_990_000, "USD", now)
    assert StoreProduct.objects.get().pack == pack

    page = f"{LIST}{pack.id}/change/"
    assert client.get(page).context["adminform"].form.initial["price"] == "4.99"
    product = StoreProduct.objects.get()
    kept = {
        "store_products-TOTAL_FORMS": 2,
        "store_products-INITIAL_FORMS": 1,
        "store_products-0-id": product.id,
        "store_products-0-pack": pack.id,
        "store_products-0-provider": "fake",
        "store_products-0-store_product_id": "coins.renamed",
        "store_products-0-DELETE": "on",
        "store_products-1-pack": pack.id,
        "store_products-1-provider": "fake",
        "store_products-1-store_product_id": "coins.purse.2",
    }
    client.post(page, form(price="1234.5", **kept), headers=clock_headers(now + timedelta(days=1)))
    pack.refresh_from_db()
    assert (pack.price_micros, pack.created_at) == (1_234_500_000, now)
    names = list(StoreProduct.objects.values_list("store_product_id", flat=True))
    assert names == ["coins.purse", "coins.purse.2"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"currency": "EUR"}, "Packs are priced in USD"),
        ({"currency": ""}, "This field is required"),
        ({"price": "0"}, "greater than or equal to 0.01"),
        ({"price": "-4.99"}, "greater than or equal to 0.01"),
        ({"price": "4.999"}, "no more than 2 decimal places"),
        ({"price": "100001"}, "less than or equal to 100000"),
        ({"price": "NaN"}, "Enter a number"),
        ({"price": "4990000"}, "less than or equal to 100000"),
        ({"price": ""}, "This field is required"),
        ({"paid_coins": 0}, "greater than or equal to 1"),
        ({"bonus_coins": 10_000_001}, "less than or equal to 10000000"),
        ({"code": "two words"}, "valid “slug”"),
    ],
)
def test_refuses_what_no_pack_can_be(
    client: Client, changes: dict[str, Any], sentence: str
) -> None:
    assert sentence in complaints(client.post(f"{LIST}add/", form(**changes)))
    assert not CoinPack.objects.exists()


def test_refuses_a_name_that_another_pack_has_in_that_store(client: Client) -> None:
    taken = StoreProductFactory()
    name = {
        "store_products-TOTAL_FORMS": 1,
        "store_products-0-provider": "fake",
        "store_products-0-store_product_id": taken.store_product_id,
    }
    answer = client.post(f"{LIST}add/", form(**name))
    assert answer.status_code == 200
    assert CoinPack.objects.count() == 1


def test_a_small_currency_is_the_same_currency(client: Client) -> None:
    client.post(f"{LIST}add/", form(currency="usd "))
    assert CoinPack.objects.get().currency == "USD"


def test_the_currency_is_the_one_that_the_service_reports_in(
    client: Client, settings: Settings
) -> None:
    settings.REPORTING_CURRENCY = "EUR"
    assert "Packs are priced in EUR" in complaints(client.post(f"{LIST}add/", form()))
    page = client.get(f"{LIST}add/")
    assert page.context["adminform"].form.initial["currency"] == "EUR"


def test_lists_price_coins_and_rate(client: Client) -> None:
    CoinPackFactory(title="A chest", paid_coins=3000, bonus_coins=900, price_micros=24_990_000)
    content = client.get(LIST).content.decode()
    for shown in ("24.99 USD", "3,000", "+900", "156.1"):
        assert shown in content


def test_packs_and_store_products_are_never_deleted(client: Client) -> None:
    StoreProductFactory()
    pack = CoinPack.objects.get()
    root = signed_in(operator("root", is_superuser=True))
    for caller in (client, root):
        assert caller.post(f"{LIST}{pack.id}/delete/", {"post": "yes"}).status_code == 403
        chosen = {"action": "delete_selected", "_selected_action": [pack.id], "post": "yes"}
        caller.post(LIST, chosen)
    assert StoreProduct.objects.get().pack == pack


def test_those_who_may_only_look_see_the_price(db: None) -> None:
    pack = CoinPackFactory()
    support = signed_in(operator(role="support"))
    assert b"4.99 USD" in support.get(f"{LIST}{pack.id}/change/").content
    assert support.post(f"{LIST}{pack.id}/change/", form()).status_code == 403


def test_shares_are_typed_in_percent(client: Client, now: datetime) -> None:
    terms = {
        "provider": "fake",
        "effective_from_0": "2026-04-01",
        "effective_from_1": "00:00",
        "fee_percent": "15",
        "tax_percent": "8.25",
    }
    client.post(f"{TERMS}add/", terms, headers=clock_headers(now))
    made = StoreTerms.objects.get()
    assert (made.fee_parts_per_million, made.tax_parts_per_million) == (150_000, 82_500)
    assert b"8.25 %" in client.get(TERMS).content
    for share in ("100.1", "-1", "1.23456", "a lot"):
        answer = client.post(f"{TERMS}add/", terms | {"fee_percent": share})
        assert answer.status_code == 200, share
    assert StoreTerms.objects.count() == 1


def test_terms_change_until_they_are_in_force(client: Client, now: datetime) -> None:
    terms = StoreTerms.objects.create(
        provider="fake", effective_from=now + timedelta(hours=1), fee_parts_per_million=150_000
    )
    page = f"{TERMS}{terms.id}/change/"
    changed = {
        "provider": "fake",
        "effective_from_0": "2026-03-14",
        "effective_from_1": "13:00",
        "fee_percent": "30",
        "tax_percent": "0",
    }
    assert client.post(page, changed, headers=clock_headers(now)).status_code == 302
    later = clock_headers(now + timedelta(hours=1))
    assert client.post(page, changed | {"fee_percent": "5"}, headers=later).status_code == 403
    answer = client.post(f"{TERMS}{terms.id}/delete/", {"post": "yes"}, headers=later)
    assert answer.status_code == 403
    assert b"30 %" in client.get(page, headers=later).content
    terms.refresh_from_db()
    assert terms.fee_parts_per_million == 300_000
    client.post(f"{TERMS}{terms.id}/delete/", {"post": "yes"}, headers=clock_headers(now))
    assert not StoreTerms.objects.exists()


@pytest.mark.parametrize(
    ("amount_micros", "shown"),
    [
        (4_990_000, "4.99 USD"),
        (500_000_000, "500.00 USD"),
        (1_234_567_890_000, "1,234,567.89 USD"),
        (23_498, "0.023498 USD"),
        (3_493_000, "3.493 USD"),
        (1, "0.000001 USD"),
        (0, "0.00 USD"),
        (-1_500_000, "-1.50 USD"),
    ],
)
def test_money_is_written_exactly(amount_micros: int, shown: str) -> None:
    assert formats.money(amount_micros) == shown
