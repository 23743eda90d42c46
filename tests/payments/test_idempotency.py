"""Idempotency-Key: one effect, one answer, whatever happens in between."""

import json
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from time_machine import TimeMachineFixture

from catalog.models import Series
from config.celery import app
from payments import idempotency, tasks
from payments.models import (
    CoinPack,
    IdempotencyRecord,
    Purchase,
    PurchaseIntent,
    StoreProduct,
    Unlock,
    Wallet,
)
from payments.providers.base import Facts, Fault, ProviderError
from payments.store import purchases
from tests.factories.payments import PAST, StoreProductFactory, fund, signed_sale
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import episode, movements, refund, submit, unlock
from tests.payments.untouched import untouched
from viewers.models import Device, Viewer

KEY = {"Idempotency-Key": "4b0f6c1e-unlock-9"}


def test_the_same_key_answers_as_the_first_time(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    first = unlock(api, episode(series, 9), headers | KEY, quote=quote)

    again = unlock(api, episode(series, 9), headers | KEY, quote=quote)

    assert again.content == first.content
    assert again.status_code == first.status_code
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Unlock.objects.count() == 1


def test_a_refusal_stays_refused_after_a_top_up_and_an_edit_of_the_offers(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=50)
    first = unlock(api, episode(series, 9), headers | KEY, quote=quote)
    fund(device.viewer_id, now=now, paid=500)
    CoinPack.objects.update(title="Renamed")

    again = unlock(api, episode(series, 9), headers | KEY, quote=quote)

    assert (first.status_code, again.status_code) == (402, 402)
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Unlock.objects.count() == 0


def test_an_answer_outlives_the_quote_it_was_given_for(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    first = unlock(api, episode(series, 9), headers | KEY, quote=quote)
    tomorrow = viewer_headers(device, now=now + timedelta(days=1))

    again = unlock(api, episode(series, 9), tomorrow | KEY, quote=quote)

    assert again.content == first.content


def test_another_body_under_the_same_key_is_refused(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    unlock(api, episode(series, 9), headers | KEY, quote=quote)
    before = movements()

    same_episode = unlock(api, episode(series, 9), headers | KEY, quote=quote, position_ms=1)
    other_episode = unlock(api, episode(series, 10), headers | KEY, quote=quote)

    for response in (same_episode, other_episode):
        assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert movements() == before


def test_spacing_and_order_of_members_do_not_make_another_request(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    url = f"/v1/episodes/{episode(series, 9)}/unlock"
    bodies = [
        f'{{"quote":"{quote}","position_ms":5}}',
        f'{{ "position_ms": 5,\n "quote": "{quote}" }}',
    ]

    answers = [
        api.post(url, body, "application/json", headers=headers | KEY).content for body in bodies
    ]

    assert answers[0] == answers[1]


def test_two_viewers_may_use_the_same_key(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    unlock(api, episode(series, 9), headers | KEY, quote=quote)
    other = viewer_headers(DeviceFactory(), now=now)
    shown = api.get(f"/v1/series/{series.id}/paywall", headers=other).json()

    response = unlock(api, episode(series, 9), other | KEY, quote=shown["quote"])

    assert response.status_code == 402


@pytest.mark.parametrize("key", ["", "k" * 101, "tab\there", "naïve"])
def test_a_malformed_key_is_refused_and_nothing_moves(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime, key: str
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    before = movements()

    response = unlock(api, episode(series, 9), headers | {"Idempotency-Key": key}, quote=quote)

    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_invalid")
    assert movements() == before
    assert not IdempotencyRecord.objects.exists()


@pytest.fixture
def product() -> StoreProduct:
    return StoreProductFactory()


def announce(
    api: Client, headers: Any, product: StoreProduct, *, provider: str = "fake"
) -> HttpResponse:
    """POST /v1/purchases/intents."""
    body = {"pack_id": str(product.pack_id), "provider": provider}
    return api.post("/v1/purchases/intents", body, "application/json", headers=headers)


class TestIntents:
    def test_the_same_key_is_the_same_intent_whatever_the_pack_is_called_by_then(
        self, api: Client, headers: Any, product: StoreProduct
    ) -> None:
        first = announce(api, headers | KEY, product)
        CoinPack.objects.update(title="Renamed", is_active=False)

        with untouched():
            again = announce(api, headers | KEY, product)

        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        assert "Idempotent-Replayed" not in first.headers
        assert again.headers["Idempotent-Replayed"] == "true"
        assert str(PurchaseIntent.objects.get().id) == first.json()["intent_id"]

    def test_without_a_key_each_call_is_an_intent(
        self, api: Client, headers: Any, product: StoreProduct
    ) -> None:
        told = {announce(api, headers, product).json()["intent_id"] for _ in "ab"}

        assert len(told) == PurchaseIntent.objects.count() == 2
        assert not IdempotencyRecord.objects.exists()

    def test_another_body_under_the_same_key_is_refused(
        self, api: Client, headers: Any, product: StoreProduct
    ) -> None:
        announce(api, headers | KEY, product)

        with untouched():
            refused = announce(api, headers | KEY, product, provider="other")

        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")

    @pytest.mark.parametrize(
        ("provider", "code", "status"),
        [("fake", "product_unknown", 422), ("apple", "provider_unknown", 404)],
    )
    def test_what_was_refused_stays_refused(
        self,
        api: Client,
        headers: Any,
        product: StoreProduct,
        provider: str,
        code: str,
        status: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        CoinPack.objects.update(is_active=False)
        first = announce(api, headers | KEY, product, provider=provider)
        CoinPack.objects.update(is_active=True)
        sold_by = {"apple": purchases.adapter("fake"), "fake": purchases.adapter("fake")}
        monkeypatch.setattr(purchases, "adapters", lambda: sold_by)
        StoreProduct.objects.update(provider=provider)

        with untouched():
            again = announce(api, headers | KEY, product, provider=provider)
        anew = announce(api, headers | {"Idempotency-Key": "new"}, product, provider=provider)

        assert (first.status_code, first.json()["code"]) == (status, code)
        assert (again.status_code, again.content) == (status, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert anew.status_code == 201

    def test_a_key_of_an_unlock_is_another_one(
        self, api: Client, series: Series, headers: Any, quote: str, product: StoreProduct
    ) -> None:
        unlock(api, episode(series, 1), headers | KEY, quote=quote)

        assert announce(api, headers | KEY, product).status_code == 201

    def test_a_failure_of_ours_leaves_the_key_as_good_as_new(
        self, api: Client, headers: Any, product: StoreProduct, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as broken, untouched():
            broken.setattr(purchases, "adapter", None)
            assert announce(api, headers | KEY, product).status_code == 500

        answered = announce(api, headers | KEY, product)

        assert answered.status_code == 201
        assert "Idempotent-Replayed" not in answered.headers


class TestTransactions:
    def test_the_same_key_is_answered_as_the_first_time(
        self, api: Client, device: Device, headers: Any, product: StoreProduct, now: datetime
    ) -> None:
        signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
        first = submit(api, headers | KEY, signed)

        with untouched():
            again = submit(api, headers | KEY, signed)
            without = submit(api, headers, signed)

        assert (first.status_code, again.status_code, without.status_code) == (201, 201, 200)
        assert again.content == first.content
        assert again.headers["Idempotent-Replayed"] == "true"
        assert without.json() == first.json() | {"credited_now": False}
        assert "Idempotent-Replayed" not in without.headers

    def test_a_key_of_its_own_credits_no_transaction_again(
        self, api: Client, device: Device, headers: Any, product: StoreProduct, now: datetime
    ) -> None:
        signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
        submit(api, headers, signed)
        before = movements()

        answers = [submit(api, headers | KEY, signed) for _ in "ab"]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].content == answers[1].content
        assert movements() == before

    def test_another_transaction_under_the_same_key_is_refused(
        self, api: Client, device: Device, headers: Any, product: StoreProduct, now: datetime
    ) -> None:
        sales = [signed_sale(product, viewer_id=device.viewer_id, now=now) for _ in "ab"]
        submit(api, headers | KEY, sales[0])

        with untouched():
            refused = submit(api, headers | KEY, sales[1])

        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")

    def test_what_was_paid_is_credited_once_the_cause_of_a_refusal_is_mended(
        self, api: Client, device: Device, headers: Any, product: StoreProduct, now: datetime
    ) -> None:
        signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
        StoreProduct.objects.update(store_product_id="misspelt")
        with untouched():
            refused = submit(api, headers | KEY, signed)
        StoreProduct.objects.update(store_product_id=product.store_product_id)

        credited = submit(api, headers | KEY, signed)

        assert (refused.status_code, refused.json()["code"]) == (422, "product_unknown")
        assert (credited.status_code, credited.json()["credited_now"]) == (201, True)
        assert Purchase.objects.count() == 1

    def test_an_answer_is_repeated_while_the_store_is_out_of_reach(
        self,
        api: Client,
        device: Device,
        headers: Any,
        product: StoreProduct,
        now: datetime,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
        first = submit(api, headers | KEY, signed)
        monkeypatch.setattr(purchases, "adapter", lambda provider: StoreOutOfReach())

        with untouched():
            again = submit(api, headers | KEY, signed)
        unkept = submit(api, headers | {"Idempotency-Key": "other"}, signed)

        assert (again.status_code, again.content) == (201, first.content)
        assert (unkept.status_code, unkept.json()["reason"]) == (202, "store_unavailable")
        assert IdempotencyRecord.objects.count() == 1

    def test_after_a_refund_it_is_answered_as_before_and_credits_nothing(
        self, api: Client, device: Device, headers: Any, product: StoreProduct, now: datetime
    ) -> None:
        signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
        first = submit(api, headers | KEY, signed)
        refund(Purchase.objects.get(), now=now)

        with untouched():
            again = submit(api, headers | KEY, signed)

        assert (again.status_code, again.content) == (201, first.content)
        assert Wallet.objects.get().paid_coins == 0


@pytest.mark.django_db(transaction=True)
def test_a_viewer_who_is_gone_is_told_so_and_leaves_no_key(
    client: Client, product: StoreProduct, now: datetime
) -> None:
    stranger = viewer_headers(Device(viewer=Viewer(environment="production")), now=now)

    with untouched():
        response = announce(client, stranger | KEY, product)

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")


class StoreOutOfReach:
    def submitted(self, handed_in: str, *, now: datetime) -> Facts:
        raise ProviderError("no answer within 10 s", Fault.UNAVAILABLE)


@pytest.mark.parametrize("key", ["", "k" * 101, "tab\there", "naïve"])
def test_no_operation_takes_a_malformed_key(
    api: Client, device: Device, headers: Any, product: StoreProduct, now: datetime, key: str
) -> None:
    malformed = headers | {"Idempotency-Key": key}
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now)

    with untouched():
        answers = [announce(api, malformed, product), submit(api, malformed, signed)]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")


def keep(viewer: Viewer, operation: str, *, request: str, answer: dict[str, Any]) -> None:
    """Keeps an answer under KEY as it was kept before there were offers and passes."""
    asked: list[Any] = [
        viewer.id,
        operation,
        KEY["Idempotency-Key"],
        sha256(request.encode()).digest(),
        PAST,
    ]
    kept = {"answer": json.dumps(answer, separators=(",", ":"))}
    with connection.cursor() as cursor:
        cursor.execute("SELECT payments_take_key(%s, %s, %s, %s, %s)", asked)
        cursor.execute(
            "SELECT payments_keep_outcome(%s, %s, %s, %s::jsonb)", [*asked[:3], json.dumps(kept)]
        )


def test_an_announcement_that_was_answered_before_there_were_offers_is_answered_again(
    api: Client, device: Device, headers: Any
) -> None:
    pack_id, viewer_id = str(uuid4()), str(device.viewer_id)
    offer = {
        "pack_id": pack_id,
        "code": "purse",
        "title": "Purse",
        "coins": 550,
        "paid_coins": 500,
        "bonus_coins": 50,
        "price": {"amount_micros": 4_990_000, "currency": "USD"},
        "store_products": {"fake": "coins.500"},
    }
    answer = {
        "intent_id": str(uuid4()),
        "provider": "fake",
        "store_product_id": "coins.500",
        "account_token": viewer_id,
        "offer": offer,
    }
    body = f'{{"pack_id":"{pack_id}","provider":"fake"}}'
    request = f"POST /v1/purchases/intents\n{body}"
    keep(device.viewer, "create_intent", request=request, answer=answer)

    again = api.post("/v1/purchases/intents", body, "application/json", headers=headers | KEY)

    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    told = again.json()
    assert told["offer"].items() >= offer.items()
    assert (told["offer"]["kind"], told["offer"]["normal_bonus_coins"]) == ("pack", 50)
    assert {name: told[name] for name in answer if name != "offer"}.items() <= answer.items()
    assert not PurchaseIntent.objects.exists()


def test_a_purchase_that_was_answered_before_there_were_passes_is_answered_again(
    api: Client, device: Device, headers: Any
) -> None:
    answer = {
        "purchase_id": str(uuid4()),
        "provider": "fake",
        "environment": "production",
        "transaction_id": "GPA.1",
        "pack_code": "purse",
        "coins": 550,
        "paid_coins": 500,
        "bonus_coins": 50,
        "price": {"amount_micros": 4_990_000, "currency": "USD"},
        "purchased_at": "2026-03-01T00:00:00Z",
        "credited_now": True,
    }
    request = 'POST /v1/purchases/fake\n{"transaction":"signed"}'
    keep(device.viewer, "submit_transaction", request=request, answer=answer)

    again = submit(api, headers | KEY, "signed")

    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.json().items() >= answer.items()
    assert again.json()["kind"] == "coins"


def test_answers_are_kept_for_thirty_days_and_not_longer(
    api: Client,
    series: Series,
    device: Device,
    headers: Any,
    quote: str,
    now: datetime,
    time_machine: TimeMachineFixture,
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    unlock(api, episode(series, 9), headers | {"Idempotency-Key": "old"}, quote=quote)
    later = now + timedelta(days=30)
    time_machine.move_to(later - timedelta(microseconds=1), tick=False)
    assert tasks.prune_idempotency() == 0
    time_machine.move_to(later, tick=False)
    assert tasks.prune_idempotency.name in settings.SWEPT_TASKS
    assert app.tasks["payments.tasks.prune_idempotency"]() == 1

    assert not IdempotencyRecord.objects.exists()
    shown = api.get(f"/v1/series/{series.id}/paywall", headers=viewer_headers(device, now=later))
    again = unlock(
        api,
        episode(series, 9),
        viewer_headers(device, now=later) | {"Idempotency-Key": "old"},
        quote=shown.json()["quote"],
    )
    assert again.json()["outcome"] == "already_unlocked"
    assert Wallet.objects.get().paid_coins == 440


def test_pruning_goes_in_batches(
    api: Client,
    headers: Any,
    product: StoreProduct,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(5):
        announce(api, headers | {"Idempotency-Key": str(number)}, product)
    monkeypatch.setattr(idempotency, "PRUNED_AT_ONCE", 2)
    later = now + timedelta(days=30)

    assert [idempotency.prune(now=later) for _ in range(4)] == [2, 2, 1, 0]
