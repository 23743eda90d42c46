"""What is paid in a currency without a rate is booked at once by an estimate, which an alarm keeps in mind."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from payments.messages import alarms
from payments.models import ExchangeRate, PassPurchase, Purchase, RateEstimate, StoreProduct
from payments.money import Money
from payments.store import exchange, purchases
from payments.store.exchange import RateMissing
from tests import ledger_rules
from tests.factories.payments import (
    StorePassFactory,
    StoreProductFactory,
    hand_in,
    signed_sale,
    told,
)
from tests.payments.subscribing import DAY, Story, covered_until, plan, tell
from viewers.models import Device

LIST_MICROS = 4_990_000
TAIWAN = {"currency": "TWD", "price_micros": 170_000_000}


def known(day: date, rate: str, currency: str = "TWD") -> ExchangeRate:
    return ExchangeRate.objects.create(
        currency=currency, day=day, rate=rate, source="By hand", created_at=f"{day} 12:00Z"
    )


@pytest.fixture
def pack() -> StoreProduct:
    return StoreProductFactory(pack__paid_coins=500, pack__price_micros=LIST_MICROS)


def buy(product: StoreProduct, device: Device, now: datetime, **sale: Any) -> Purchase:
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now, **(TAIWAN | sale))
    hand_in(signed, viewer_id=device.viewer_id, now=now)
    return Purchase.objects.latest("id")


def test_coins_are_worth_the_list_price_where_no_rate_was_ever_known(
    pack: StoreProduct, device: Device, now: datetime
) -> None:
    bought = buy(pack, device, now)

    assert (bought.gross_micros, bought.currency) == (170_000_000, "TWD")
    assert bought.exchange_source == "estimate: list price"
    assert abs(bought.net_micros - LIST_MICROS) <= 1
    estimate = RateEstimate.objects.get()
    assert (estimate.purchase, estimate.pass_purchase) == (bought, None)
    assert (estimate.currency, estimate.day, estimate.rate) == (
        "TWD",
        now.date(),
        bought.exchange_rate,
    )
    assert ledger_rules.broken() == []


def test_several_at_once_are_worth_as_many_list_prices(
    pack: StoreProduct, device: Device, now: datetime
) -> None:
    sold = replace(
        told(signed_sale(pack, viewer_id=device.viewer_id, now=now, **TAIWAN), now=now),
        quantity=3,
        price_micros=510_000_000,
    )

    bought, _ = purchases.credit(
        viewer_id=device.viewer_id, provider="fake", transaction=sold, now=now
    )

    assert abs(bought.net_micros - 3 * LIST_MICROS) <= 2


@pytest.mark.parametrize("days", [-400, -10, 3])
def test_the_nearest_rate_goes_before_the_list_price(
    pack: StoreProduct, device: Device, now: datetime, days: int
) -> None:
    """The last known, however old; the first after, where a sale is older than all of them."""
    day = now.date() + timedelta(days=days)
    known(day, "0.03")

    bought = buy(pack, device, now)

    assert bought.exchange_rate == Decimal("0.03")
    assert bought.exchange_source == f"estimate: By hand {day}"
    assert RateEstimate.objects.get().source == bought.exchange_source


def test_a_rate_of_its_days_is_none_to_come_back_to(
    pack: StoreProduct, device: Device, now: datetime
) -> None:
    known(now.date() - timedelta(days=9), "0.03")

    buy(pack, device, now)

    assert not RateEstimate.objects.exists()


def test_what_was_free_is_worth_nothing_in_any_currency(
    pack: StoreProduct, device: Device, now: datetime
) -> None:
    assert buy(pack, device, now, price_micros=0).net_micros == 0
    assert not RateEstimate.objects.exists()


def test_a_pass_and_a_period_are_booked_and_open_at_once(device: Device, now: datetime) -> None:
    week = StorePassFactory(pass_product__price_micros=LIST_MICROS)
    hand_in(
        signed_sale(week, viewer_id=device.viewer_id, now=now, **TAIWAN),
        viewer_id=device.viewer_id,
        now=now,
    )
    story = Story(device.viewer_id, now, plan())
    for _ in "ab":
        tell(story.paid(0, period=story.period(0, **TAIWAN)), now=now)

    assert covered_until(device.viewer_id, at=now) is not None
    bought = PassPurchase.objects.order_by("id")
    assert [each.exchange_source for each in bought] == ["estimate: list price"] * 2
    assert set(RateEstimate.objects.values_list("pass_purchase", flat=True)) == {
        each.id for each in bought
    }
    assert ledger_rules.broken() == []


@pytest.mark.parametrize("listed", ["TWD", "JPY"])
def test_it_waits_where_nothing_is_known_of_the_list_either(
    db: None, now: datetime, listed: str
) -> None:
    price = Money(amount_micros=LIST_MICROS, currency=listed)

    with pytest.raises(RateMissing):
        exchange.of_sale("TWD", 1, listed=price, at=now)


def test_an_alarm_rings_after_three_days_until_the_rate_is_known(
    pack: StoreProduct, device: Device, now: datetime
) -> None:
    buy(pack, device, now)
    assert alarms.ringing(now=now + 3 * DAY) == []

    (alarm,) = alarms.ringing(now=now + 3.1 * DAY)
    assert (alarm.code, alarm.listed) == ("rates_estimated", "exchangerate")
    assert "1 sale in TWD" in alarm.sentence

    known(now.date() - timedelta(days=2), "0.03")
    assert alarms.ringing(now=now + 4 * DAY) == []


def test_an_alarm_rings_while_one_renews_as_what_is_not_sold_here(
    device: Device, now: datetime
) -> None:
    story = Story(device.viewer_id, now, plan())
    tell(story.paid(0, renews_as="vip.gold"), now=now)

    (alarm,) = alarms.ringing(now=now)
    assert (alarm.code, alarm.listed) == ("renews_as_unknown", "subscription")
    assert "vip.gold" in alarm.sentence

    StoreProduct.objects.update_or_create(
        provider="fake",
        store_product_id="vip.gold",
        defaults={"pass_product": plan().pass_product},
    )
    assert alarms.ringing(now=now) == []
