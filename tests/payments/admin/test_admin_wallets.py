"""A wallet's page explains its balance: lots, statement with entries, what was unlocked."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from catalog.models import Series
from payments.admin import wallets as pages
from payments.models import Lot, Transfer, Wallet
from tests.factories.operators import operator, signed_in
from tests.factories.payments import fund, give_bonus
from tests.factories.viewers import clock_headers
from tests.payments.admin.test_admin_read_only import spend
from viewers.models import Device


@pytest.fixture
def client(db: None) -> Client:
    return signed_in(operator(role="support"))


@pytest.fixture
def wallet(device: Device, series: Series, now: datetime) -> Wallet:
    fund(device.viewer_id, now=now, paid=500, bonus=40, price_micros=5_400_000)
    give_bonus(device.viewer_id, coins=20, now=now, expires_at=now + timedelta(days=1))
    for number in (9, 10):
        spend(device, series, number, now)
    return Wallet.objects.get()


def page(client: Client, wallet: Wallet, now: datetime, **query: str) -> Any:
    answer = client.get(
        f"/admin/payments/wallet/{wallet.id}/change/", query, headers=clock_headers(now)
    )
    assert answer.status_code == 200
    return answer


def test_shows_what_can_be_spent_and_the_value_it_carries(
    client: Client, wallet: Wallet, now: datetime
) -> None:
    shown = page(client, wallet, now).context
    assert (shown["balance"].coins, shown["balance"].bonus_coins) == (440, 0)
    assert shown["booked"] == {"paid": "440", "bonus": "0", "debt": "0"}
    left = Lot.objects.get(remaining_coins__gt=0)
    assert shown["deferred"] == "4.40 USD"
    assert left.remaining_value_micros == 4_400_000
    assert [(row["remaining"], row["granted"]) for row in shown["lots"]] == [("440", "500")]


def test_lists_lots_in_the_order_in_which_they_are_spent(
    client: Client, wallet: Wallet, device: Device, now: datetime
) -> None:
    never = give_bonus(device.viewer_id, coins=5, now=now)
    later = give_bonus(device.viewer_id, coins=5, now=now, expires_at=now + timedelta(days=9))
    soon = give_bonus(device.viewer_id, coins=5, now=now, expires_at=now + timedelta(days=2))
    lots = [row["lot"].id for row in page(client, wallet, now).context["lots"]]
    assert lots[:3] == [soon.id, later.id, never.id]
    assert len(lots) == 4


def test_coins_past_their_expiry_stay_on_the_books_and_cannot_be_spent(
    client: Client, wallet: Wallet, device: Device, now: datetime
) -> None:
    give_bonus(device.viewer_id, coins=5, now=now, expires_at=now + timedelta(days=1))
    shown = page(client, wallet, now + timedelta(days=2)).context
    assert (shown["balance"].coins, shown["booked"]["bonus"]) == (440, "5")


def test_every_line_of_the_statement_shows_both_sides(
    client: Client, wallet: Wallet, series: Series, now: datetime
) -> None:
    lines = page(client, wallet, now).context["statement"]
    told = [(line["code"], line["coins"], line["sides"], line["paid_after"]) for line in lines]
    assert told == [
        ("unlock", "−60", ["paid −60", "unlocks +60"], "440"),
        ("unlock", "−60", ["bonus −60", "unlocks +60"], "–"),
        ("reward", "+20", ["bonus +20", "rewards −20"], "–"),
        (
            "purchase",
            "+540",
            ["paid +500", "bonus +40", "store −500", "pack_bonus −40"],
            "500",
        ),
    ]
    title = f"Title of {series} ({series.external_id})"
    assert lines[0]["cause"] == f"{title}, episode 10"
    assert lines[3]["cause"] == "500 coins for 5.40 USD"


def test_turns_the_pages_of_a_long_statement(
    client: Client,
    wallet: Wallet,
    device: Device,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "STATEMENT_LINES", 3)
    first = page(client, wallet, now).context
    second = page(client, wallet, now, before=str(first["older"])).context
    seen = [line["link"] for line in [*first["statement"], *second["statement"]]]
    assert (len(first["statement"]), len(second["statement"])) == (3, 1)
    assert len(set(seen)) == Transfer.objects.count()
    assert second["older"] is None
    assert page(client, wallet, now, before="nonsense").context["is_first_page"]


def test_asks_as_much_for_a_long_history_as_for_a_short_one(
    client: Client,
    wallet: Wallet,
    device: Device,
    now: datetime,
    django_assert_max_num_queries: Any,
) -> None:
    for _ in range(30):
        fund(device.viewer_id, now=now)
    with django_assert_max_num_queries(22):
        shown = page(client, wallet, now).context
    assert len(shown["statement"]) == pages.STATEMENT_LINES


def test_a_title_is_text_whatever_it_holds(
    client: Client, wallet: Wallet, series: Series, now: datetime
) -> None:
    series.texts.update(title="<script>alert(1)</script>")
    for url in (
        f"/admin/payments/wallet/{wallet.id}/change/",
        "/admin/payments/unlock/",
        "/admin/payments/entitlement/",
    ):
        content = client.get(url, headers=clock_headers(now)).content
        assert b"&lt;script&gt;alert(1)" in content, url
        assert b"<script>alert(1)" not in content, url
