"""Rows of money are looked at and never written, whoever asks and however."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client

from catalog.models import Series
from payments.access import paywall
from payments.models import (
    AutoUnlockConsent,
    Entitlement,
    Entry,
    Lot,
    PriceVersion,
    Purchase,
    PurchaseIntent,
    Refund,
    RefundOrigin,
    Transfer,
    Unlock,
    Wallet,
)
from payments.store import purchases, refunds
from payments.store.refunds import RefundFact
from payments.unlocking import auto_unlocks, unlocks
from tests.factories.operators import operator, signed_in
from tests.factories.payments import StoreProductFactory, fund
from tests.factories.viewers import DeviceFactory
from tests.payments.calls import episode
from viewers.models import Device

LEDGER = [
    *(Wallet, Transfer, Entry, Lot, Purchase, Unlock, Entitlement, PurchaseIntent),
    AutoUnlockConsent,
]
READ_ONLY = [*LEDGER, PriceVersion, Refund]
#: The admin's own questions about session, operator and permissions are among these.
LIST_QUERIES = 10
PAGE_QUERIES = 19


@pytest.fixture
def client(db: None) -> Client:
    return signed_in(operator("root", is_superuser=True))


def spend(device: Device, series: Series, number: int, now: datetime) -> None:
    """Unlocks an episode, and agrees to unlock others without a tap."""
    shown = paywall.show(
        viewer_id=device.viewer_id, environment="production", series_id=series.id, now=now
    )
    unlocks.unlock(
        viewer_id=device.viewer_id,
        environment="production",
        episode_id=episode(series, number),
        quote=shown.quote.token(),
        now=now,
    )
    auto_unlocks.agree(
        viewer_id=device.viewer_id,
        environment="production",
        series_id=series.id,
        quote=shown.quote.token(),
        daily_cap_coins=100,
        now=now,
    )


@pytest.fixture
def money(device: Device, series: Series, now: datetime) -> Purchase:
    """One viewer's purchase, intent and unlock, and a refund of another's: a row in every table."""
    purchase = fund(device.viewer_id, now=now, paid=500, bonus=30)
    product = StoreProductFactory()
    purchases.create_intent(
        viewer_id=device.viewer_id,
        environment="production",
        pack_id=product.pack_id,
        provider="fake",
        now=now,
    )
    spend(device, series, 9, now)
    fact = RefundFact(
        provider="fake",
        environment="production",
        transaction_id="of another",
        refund_id=refunds.ALL,
        origin=RefundOrigin.STORE,
        refunded_at=now,
    )
    refunds.record(fact, now=now)
    return purchase


def urls(model: type[models.Model]) -> tuple[str, str]:
    """The list of a model's rows, and the page of one."""
    listed = f"/admin/payments/{model._meta.model_name}/"
    row = model._default_manager.first()
    assert row is not None
    return listed, f"{listed}{row.pk}/"


def listed(client: Client, model: type[models.Model], **query: str) -> set[Any]:
    answer = client.get(f"/admin/payments/{model._meta.model_name}/", query)
    assert answer.status_code == 200
    return {row.pk for row in answer.context["cl"].result_list}


@pytest.mark.matrix(3)
@pytest.mark.parametrize("model", READ_ONLY)
def test_shows_rows_and_refuses_every_way_to_write_them(
    client: Client, money: Purchase, model: type[models.Model]
) -> None:
    everything, page = urls(model)
    before = list(model._default_manager.order_by("pk").values())
    assert client.get(everything).status_code == 200
    assert client.get(f"{page}change/").status_code == 200
    assert client.get(f"{page}history/").status_code == 200

    fields = {field.name: "1" for field in model._meta.fields} | {"post": "yes", "_save": "1"}
    for url in (f"{page}change/", f"{page}delete/", f"{everything}add/"):
        assert client.post(url, fields).status_code == 403, url
    for url in (f"{page}delete/", f"{everything}add/"):
        assert client.get(url).status_code == 403, url
    for action in ("delete_selected", "publish_selected", "__class__"):
        chosen = {"action": action, "_selected_action": [before[0]["id"]], "post": "yes"}
        assert client.post(everything, chosen).status_code in {200, 302}

    assert list(model._default_manager.order_by("pk").values()) == before


@pytest.mark.matrix(3)
@pytest.mark.parametrize("model", READ_ONLY)
def test_offers_no_actions_and_no_inputs(
    client: Client, money: Purchase, model: type[models.Model]
) -> None:
    model_admin = admin.site.get_model_admin(model)
    answer = client.get(urls(model)[0])
    assert model_admin.get_actions(answer.wsgi_request) == {}
    content = client.get(f"{urls(model)[1]}change/").content.decode()
    inputs = re.findall(r"<(?:input|select|textarea)[^>]*>", content)
    harmless = ('type="hidden"', 'type="search"')
    assert [tag for tag in inputs if not any(kind in tag for kind in harmless)] == []


@pytest.mark.matrix(3)
@pytest.mark.parametrize("model", LEDGER)
def test_lists_ask_as_much_for_many_rows_as_for_one(
    client: Client,
    money: Purchase,
    series: Series,
    now: datetime,
    model: type[models.Model],
    django_assert_max_num_queries: Any,
) -> None:
    for index in range(9):
        device = DeviceFactory()
        fund(device.viewer_id, now=now, bonus=index)
        spend(device, series, 9 + index % 4, now)
        PurchaseIntent.objects.create(
            viewer_id=device.viewer_id,
            pack=money.pack,
            provider="fake",
            paid_coins=1,
            bonus_coins=0,
            created_at=now,
        )
    everything, page = urls(model)
    with django_assert_max_num_queries(LIST_QUERIES):
        answer = client.get(everything)
    assert len(answer.context["cl"].result_list) >= 10
    with django_assert_max_num_queries(PAGE_QUERIES):
        client.get(f"{page}change/")


@pytest.mark.matrix(3)
@pytest.mark.parametrize("model", READ_ONLY)
def test_a_list_counts_nothing_and_compares_no_id_as_text(
    client: Client,
    money: Purchase,
    model: type[models.Model],
    django_assert_max_num_queries: Any,
) -> None:
    everything, _ = urls(model)
    with django_assert_max_num_queries(LIST_QUERIES) as captured:
        client.get(everything, {"q": str(money.viewer_id)})
    own = [q["sql"] for q in captured if f'FROM "{model._meta.db_table}"' in q["sql"]]
    assert len(own) == 1
    assert not any(word in own[0] for word in ("COUNT(*)", "LIKE", "::text", "UPPER("))
    assert "LIMIT 50" in own[0]


@pytest.mark.matrix(3)
@pytest.mark.parametrize("model", LEDGER)
def test_finds_the_rows_of_a_viewer_by_their_whole_id(
    client: Client, money: Purchase, now: datetime, model: type[models.Model]
) -> None:
    other = DeviceFactory()
    fund(other.viewer_id, now=now)
    everything = listed(client, model)
    own = listed(client, model, q=f" {money.viewer_id} ")
    assert own
    assert own == listed(client, model, q=str(money.viewer_id).upper())
    assert model in {Unlock, Entitlement, PurchaseIntent, AutoUnlockConsent} or own < everything
    assert listed(client, model, q=str(uuid4())) == set()
    assert listed(client, model, q=str(money.viewer_id)[:20]) == set()
    assert listed(client, model, q="'; DROP TABLE payments_wallet; --") == set()


def test_finds_a_purchase_by_the_stores_transaction_id(client: Client, money: Purchase) -> None:
    fund(money.viewer_id, now=money.purchased_at)
    assert listed(client, Purchase, q=money.transaction_id) == {money.id}
    assert listed(client, Purchase, q=str(money.transfer_id)) == {money.id}


def test_finds_a_transfer_by_its_reference(client: Client, money: Purchase) -> None:
    assert listed(client, Transfer, q=f"fake:{money.transaction_id}") == {money.transfer_id}


def test_filters_by_environment_code_and_day(
    client: Client, money: Purchase, now: datetime
) -> None:
    tester = DeviceFactory()
    sandbox = fund(tester.viewer_id, now=now + timedelta(days=1), environment="sandbox")
    unlock = Unlock.objects.get()
    assert listed(client, Purchase, environment__exact="sandbox") == {sandbox.id}
    assert listed(client, Transfer, environment__exact="sandbox") == {sandbox.transfer_id}
    assert listed(client, Transfer, code="unlock") == {unlock.transfer_id}
    assert listed(client, Entry, account="unlocks") == set(
        Entry.objects.filter(account="unlocks").values_list("id", flat=True)
    )
    today, tomorrow = "2026-03-14", "2026-03-15"
    assert listed(client, Purchase, created_at_from=today, created_at_to=today) == {money.id}
    assert listed(client, Purchase, created_at_from=tomorrow) == {sandbox.id}
    assert listed(client, Purchase, created_at_to="2026-03-13") == set()
    for nonsense in ("no day", "2026-02-30", "9999-12-31"):
        assert len(listed(client, Purchase, created_at_to=nonsense)) == 2


@pytest.mark.parametrize(
    "query",
    [
        {"environment__exact": "moon"},
        {"code": "theft"},
        {"o": "99"},
        {"p": "-1"},
        {"p": "many"},
        {"no_such_field": "1"},
    ],
)
def test_nonsense_in_the_address_is_no_failure(
    client: Client, money: Purchase, query: dict[str, str]
) -> None:
    answer = client.get("/admin/payments/transfer/", query, follow=True)
    assert answer.status_code == 200


def test_amounts_are_written_as_amounts(client: Client, money: Purchase) -> None:
    unlock = Unlock.objects.get()
    pages = {
        f"/admin/payments/purchase/{money.id}/change/": ["4.99 USD", "500 + 30 bonus"],
        "/admin/payments/unlock/": ["30 paid + 30 bonus"],
        f"/admin/payments/unlock/{unlock.id}/change/": [
            f"{unlock.value_micros / 1_000_000:.6f}".rstrip("0") + " USD"
        ],
        "/admin/payments/transfer/": ["+500 paid, +30 bonus", "−30 bonus, −30 paid"],
        "/admin/payments/lot/": ["470 of 500", "0 of 30"],
    }
    for url, expected in pages.items():
        content = client.get(url).content.decode()
        for text in expected:
            assert text in content, (url, text)
