"""A wallet in which a rule of the ledger would have broken spends nothing until somebody has looked."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from catalog.models import Series
from payments.ledger import holds
from payments.models import Unlock, Wallet
from tests.factories.operators import operator, signed_in
from tests.factories.payments import as_owner, fund
from tests.payments.calls import episode, movements, unlock
from viewers.models import Device

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_damaged_wallet_is_held_and_spends_again_once_it_is_released(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=100)
    before = movements()
    _book_paid_coins(10)  # the lots hold 100

    refused = unlock(api, episode(series, 9), headers, quote=quote)
    assert refused.status_code == 500
    assert movements() == before
    held = Wallet.objects.get()
    assert held.held_at is not None
    assert "never_overdrawn" in held.held_because

    _book_paid_coins(100)
    keyed = {**headers, "Idempotency-Key": "one"}
    again = unlock(api, episode(series, 9), keyed, quote=quote)
    assert (again.status_code, again.json()["code"]) == (423, "wallet_on_hold")
    assert again.headers["Retry-After"] == "3600"
    assert movements() == before

    assert holds.release(held)
    assert not holds.release(held)
    assert unlock(api, episode(series, 9), keyed, quote=quote).status_code == 200
    assert Unlock.objects.count() == 1


def test_a_refusal_of_another_kind_holds_nothing(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=10)
    assert unlock(api, episode(series, 9), headers, quote=quote).status_code == 402
    assert Wallet.objects.get().held_at is None


def test_who_decides_about_money_releases_it_on_its_page_and_nobody_else(
    device: Device, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=10)
    wallet = Wallet.objects.get()
    with as_owner() as cursor:
        cursor.execute("UPDATE payments_wallet SET held_at = %s, held_because = 'a rule'", [now])
    address = f"/admin/payments/wallet/{wallet.id}"
    support, finance = (signed_in(operator(role, role=role)) for role in ("support", "finance"))

    assert "a rule" in support.get(f"{address}/change/").content.decode()
    assert support.post(f"{address}/release/").status_code == 403
    assert finance.get(f"{address}/release/").status_code == 405
    wallet.refresh_from_db()
    assert wallet.held_at is not None

    assert "Release it" in finance.get(f"{address}/change/").content.decode()
    assert finance.post(f"{address}/release/").status_code == 302
    wallet.refresh_from_db()
    assert wallet.held_at is None


def _book_paid_coins(coins: int) -> None:
    with as_owner() as cursor:
        cursor.execute("UPDATE payments_wallet SET paid_coins = %s", [coins])
