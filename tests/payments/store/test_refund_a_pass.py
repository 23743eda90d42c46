"""Money of a pass that goes back: what it takes, in whatever order it is heard of, and the way back."""

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from catalog.models import Series
from payments.models import (
    Cover,
    Entitlement,
    PassPurchase,
    PassRefundBooking,
    Refund,
    RefundOrigin,
    Wallet,
)
from payments.providers.base import StoreTransaction
from payments.store import operator_refunds, pass_purchases, refunds
from payments.store.operator_refunds import RefundRefused
from payments.store.refunds import Effect, RefundFact
from tests.factories.operators import operator
from tests.factories.payments import StorePassFactory, buy_pass
from tests.factories.viewers import viewer_headers
from tests.payments.calls import episode
from tests.payments.ledger.days.story import money_back
from tests.payments.untouched import untouched
from viewers.models import Device

DAY = timedelta(days=1)
PRICE = 10_000_000


@pytest.fixture
def bought(device: Device, now: datetime) -> PassPurchase:
    """A week for ten dollars, bought now."""
    return buy_pass(device.viewer_id, now=now, price_micros=PRICE)


def covered_until(device: Device) -> datetime | None:
    return Wallet.objects.get(viewer_id=device.viewer_id).covered_until


def last_cover(bought: PassPurchase) -> Cover:
    return Cover.objects.filter(viewer_id=bought.viewer_id).latest("id")


def state(api: Client, series: Series, device: Device, at: datetime) -> str:
    shown = api.get(f"/v1/series/{series.id}/paywall", headers=viewer_headers(device, now=at))
    found: str = next(e["state"] for e in shown.json()["episodes"] if e["number"] == 9)
    return found


def test_with_all_of_the_money_the_cover_goes_and_what_was_opened_under_it(
    api: Client, series: Series, device: Device, bought: PassPurchase, now: datetime, headers: Any
) -> None:
    api.post(f"/v1/episodes/{episode(series, 9)}/play", headers=headers)
    assert state(api, series, device, now + DAY) == "covered"

    money_back(bought, now + DAY)

    assert state(api, series, device, now + DAY) == "locked"
    assert covered_until(device) is None
    assert last_cover(bought).closed_at == now + DAY
    assert set(Entitlement.objects.values_list("closed_at", flat=True)) == {now + DAY}
    booking = PassRefundBooking.objects.get()
    assert (booking.gross_micros, booking.net_micros) == (PRICE, PRICE)
    listed = api.get("/v1/me/passes", headers=viewer_headers(device, now=now + DAY)).json()
    assert [each["state"] for each in listed["covers"]] == ["taken_back"]


def test_with_a_part_of_it_the_pass_goes_on(
    device: Device, bought: PassPurchase, now: datetime
) -> None:
    money_back(bought, now + DAY, refund_id="a", amount_micros=3_333_333)

    assert covered_until(device) == bought.ends_at
    assert refunds.refunded_net_micros(bought) == 3_333_333

    money_back(bought, now + 2 * DAY, refund_id="b", amount_micros=6_666_667)
    assert covered_until(device) is None


def test_parts_never_take_more_than_was_paid(bought: PassPurchase, now: datetime) -> None:
    money_back(bought, now, refund_id="a", amount_micros=9_000_000)
    money_back(bought, now, refund_id="b", amount_micros=9_000_000)

    assert refunds.refunded_micros(bought) == PRICE
    assert list(
        PassRefundBooking.objects.order_by("id").values_list("gross_micros", flat=True)
    ) == [
        9_000_000,
        1_000_000,
    ]


def test_the_same_refund_again_takes_nothing(bought: PassPurchase, now: datetime) -> None:
    money_back(bought, now + DAY)

    with untouched():
        money_back(bought, now + DAY)


def test_a_pass_behind_it_stays_where_it_was(
    api: Client, series: Series, device: Device, bought: PassPurchase, now: datetime
) -> None:
    behind = buy_pass(device.viewer_id, now=now)

    money_back(bought, now + DAY)

    assert state(api, series, device, now + DAY) == "locked"
    assert state(api, series, device, behind.starts_at) == "covered"
    assert covered_until(device) == behind.ends_at


def test_one_that_has_ended_is_money_alone(
    device: Device, bought: PassPurchase, now: datetime
) -> None:
    money_back(bought, bought.ends_at)

    assert last_cover(bought).closed_at is None
    assert refunds.refunded_micros(bought) == PRICE


def test_when_it_did_not_stand_the_viewer_is_covered_again_for_the_rest(
    api: Client, series: Series, device: Device, bought: PassPurchase, now: datetime
) -> None:
    money_back(bought, now + DAY)
    money_back(bought, now + 2 * DAY, refunded_at=None, reversed_at=now + 2 * DAY)

    again = last_cover(bought)
    assert (again.starts_at, again.ends_at, again.closed_at) == (
        now + 2 * DAY,
        bought.ends_at,
        None,
    )
    assert [state(api, series, device, now + n * DAY) for n in (2, 6, 7)] == [
        "covered",
        "covered",
        "locked",
    ]
    assert refunds.refunded_micros(bought) == 0
    # And the other way once more, and back: each time the cover that stands.
    money_back(bought, now + 3 * DAY)
    assert covered_until(device) is None
    money_back(bought, now + 4 * DAY, refunded_at=None, reversed_at=now + 4 * DAY)
    assert last_cover(bought).starts_at == now + 4 * DAY
    assert Cover.objects.count() == 3


def test_one_that_was_ahead_begins_when_it_was_to(
    device: Device, bought: PassPurchase, now: datetime
) -> None:
    behind = buy_pass(device.viewer_id, now=now)
    money_back(behind, now + DAY)
    assert covered_until(device) == bought.ends_at
    money_back(behind, now + 2 * DAY, refunded_at=None, reversed_at=now + 2 * DAY)

    assert last_cover(bought).starts_at == behind.starts_at
    assert covered_until(device) == behind.ends_at


def test_reversed_after_its_end_it_is_money_alone(
    device: Device, bought: PassPurchase, now: datetime
) -> None:
    money_back(bought, now + DAY)
    money_back(bought, now + 9 * DAY, refunded_at=None, reversed_at=now + 9 * DAY)

    assert (Cover.objects.count(), refunds.refunded_micros(bought)) == (1, 0)


def sold(device: Device, now: datetime) -> StoreTransaction:
    product = StorePassFactory()
    return StoreTransaction(
        environment="production",
        transaction_id=f"test-{uuid4()}",
        store_product_id=product.store_product_id,
        account_token=device.viewer_id,
        intent_id=None,
        price_micros=PRICE,
        currency="USD",
        purchased_at=now,
    )


@pytest.mark.parametrize("order", list(permutations(["bought", "refund", "refund", "reversal"], 4)))
@pytest.mark.parametrize("is_reversed_last", [True, False])
def test_facts_in_any_order_end_alike(
    device: Device, now: datetime, order: tuple[str, ...], is_reversed_last: bool
) -> None:
    """By the store's times the refund was reversed, or happened again after its reversal."""
    transaction = sold(device, now)
    happened, undone = (
        (now + DAY, now + 2 * DAY) if is_reversed_last else (now + 2 * DAY, now + DAY)
    )
    fact: dict[str, Any] = {
        "provider": "fake",
        "environment": "production",
        "transaction_id": transaction.transaction_id,
        "refund_id": refunds.ALL,
        "origin": RefundOrigin.STORE,
    }
    for number, what in enumerate(order):
        at = now + timedelta(hours=number)
        if what == "bought":
            pass_purchases.credit(
                viewer_id=device.viewer_id, provider="fake", transaction=transaction, now=at
            )
        elif what == "refund":
            refunds.record(RefundFact(**fact, refunded_at=happened), now=at)
        else:
            refunds.record(RefundFact(**fact, reversed_at=undone), now=at)

    bought = PassPurchase.objects.get()
    is_back = not is_reversed_last
    assert refunds.refunded_micros(bought) == (PRICE if is_back else 0)
    assert covered_until(device) == (None if is_back else bought.ends_at)
    assert (Refund.objects.get().pass_booking is not None) == is_back


class TestByAnOperator:
    def test_the_preview_is_what_is_then_taken(
        self, device: Device, bought: PassPurchase, now: datetime
    ) -> None:
        boss = operator()
        asked = {"operator_id": boss.id, "reason": "Sorry", "now": now + 3.5 * DAY}

        with untouched():
            foreseen = operator_refunds.preview_of_pass(bought, **asked)
        recorded = operator_refunds.by_operator(bought, **asked)

        assert recorded.outcome is Effect.TAKEN
        assert refunds.effects_on_pass(recorded.refund_id, now=now + 3.5 * DAY) == foreseen
        assert (foreseen.deferred_micros, foreseen.recognised_micros) == (5_000_000, 5_000_000)
        assert (foreseen.is_closed, foreseen.covered_until_after) == (True, None)

    def test_a_part_is_told_by_what_it_had_earned(
        self, bought: PassPurchase, now: datetime
    ) -> None:
        foreseen = operator_refunds.preview_of_pass(
            bought,
            operator_id=operator().id,
            reason="",
            now=now + 3.5 * DAY,
            amount_micros=3_000_000,
        )

        assert (foreseen.deferred_micros, foreseen.recognised_micros) == (1_500_000, 1_500_000)
        assert (foreseen.is_closed, foreseen.covered_until_after) == (False, bought.ends_at)

    def test_refunds_what_is_left_and_no_more(self, bought: PassPurchase, now: datetime) -> None:
        boss = operator()
        money_back(bought, now, amount_micros=4_000_000)
        asked = {"operator_id": boss.id, "reason": "", "now": now}

        for amount in (6_000_001, -1, 0):
            with untouched(), pytest.raises(RefundRefused):
                operator_refunds.by_operator(bought, **asked, amount_micros=amount)
        recorded = operator_refunds.by_operator(bought, **asked)

        assert Refund.objects.get(id=recorded.refund_id).amount_micros == 6_000_000
        with untouched(), pytest.raises(RefundRefused):
            operator_refunds.by_operator(bought, **asked)

    def test_one_request_refunds_once(self, bought: PassPurchase, now: datetime) -> None:
        asked = {"operator_id": operator().id, "reason": "", "now": now, "request_id": uuid4()}
        operator_refunds.by_operator(bought, **asked, amount_micros=1)

        with untouched():
            again = operator_refunds.by_operator(bought, **asked, amount_micros=1)

        assert again.outcome is Effect.REPEATED

    def test_a_free_pass_is_taken_back_once(self, device: Device, now: datetime) -> None:
        free = buy_pass(device.viewer_id, now=now, price_micros=0)
        asked = {"operator_id": operator().id, "reason": "", "now": now}

        operator_refunds.by_operator(free, **asked)

        assert covered_until(device) is None
        with untouched(), pytest.raises(RefundRefused):
            operator_refunds.by_operator(free, **asked)

    def test_reverses_it(self, device: Device, bought: PassPurchase, now: datetime) -> None:
        boss = operator()
        recorded = operator_refunds.by_operator(bought, operator_id=boss.id, reason="", now=now)
        refund = Refund.objects.get(id=recorded.refund_id)

        outcome = operator_refunds.reverse(refund, operator_id=boss.id, now=now + DAY).outcome

        assert outcome is Effect.REVERSED
        assert covered_until(device) == bought.ends_at
