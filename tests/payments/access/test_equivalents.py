"""Beside a price in coins stands what those coins cost in money, at the dearest that is on sale."""

from typing import Any

from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from catalog.models import Series
from payments.access import equivalents
from payments.models import CoinPack
from payments.store import offers
from tests.factories.payments import CoinPackFactory

PACKS = st.lists(
    st.builds(
        CoinPack,
        paid_coins=st.integers(1, 10_000_000),
        bonus_coins=st.integers(0, 10_000_000),
        price_micros=st.integers(1, 10**11),
        currency=st.just("USD"),
    ),
    min_size=1,
    max_size=6,
)


def paywall(api: Client, series: Series, headers: Any) -> Any:
    return api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()


def test_the_paywall_tells_it_for_every_price(api: Client, series: Series, headers: Any) -> None:
    CoinPackFactory(code="small", paid_coins=500, bonus_coins=0, price_micros=4_990_000)
    CoinPackFactory(code="large", paid_coins=2000, bonus_coins=200, price_micros=19_990_000)
    CoinPackFactory(code="old", paid_coins=1, price_micros=9_990_000, is_active=False)

    body = paywall(api, series, headers)

    cost = {"amount_micros": 598_800, "currency": "USD"}  # 60 of 500 coins for 4.99
    assert [e["equivalent"] for e in body["episodes"]] == [None] * 8 + [cost] * 4
    assert body["options"][0]["equivalent"] == cost


def test_there_is_none_where_nothing_is_on_sale(api: Client, series: Series, headers: Any) -> None:
    body = paywall(api, series, headers)

    assert {e["equivalent"] for e in body["episodes"]} == {None}


def test_packs_in_another_currency_are_not_compared(
    api: Client, series: Series, headers: Any
) -> None:
    CoinPackFactory(code="yen", paid_coins=500, price_micros=750_000_000, currency="JPY")
    assert {e["equivalent"] for e in paywall(api, series, headers)["episodes"]} == {None}

    CoinPackFactory(code="usd", paid_coins=500, bonus_coins=0, price_micros=4_990_000)

    cost = {"amount_micros": 598_800, "currency": "USD"}
    assert paywall(api, series, headers)["episodes"][-1]["equivalent"] == cost


@given(packs=PACKS, coins=st.integers(1, 1_000_000))
def test_no_pack_on_sale_makes_the_coins_dearer_than_that(
    packs: list[CoinPack], coins: int
) -> None:
    rate = equivalents.rate([offers.without(pack) for pack in packs])
    assert rate is not None
    micros = rate.money_for(coins).amount_micros

    for pack in packs:
        assert micros * (pack.paid_coins + pack.bonus_coins) >= coins * pack.price_micros
