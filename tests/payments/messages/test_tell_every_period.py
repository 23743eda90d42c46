"""Google tells of the last period that was paid alone: those before it that were told late are asked for, and booked."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from config import clock
from payments.messages import inbox, inquiries, outbox, settling
from payments.models import Arrival, PassPurchase, StoreMessage, Subscription, Wallet
from payments.store import pass_purchases, purchases
from tests.factories.payments import StorePassFactory
from tests.factories.viewers import DeviceFactory
from tests.payments.providers.stalls import PLAN, PRICE_MICROS, GoogleStall
from viewers.models import Viewer

pytestmark = pytest.mark.django_db

WEEK = timedelta(days=7)
COINS = 70


class Store(GoogleStall):
    """Google Play with a week that renews, which `viewer` has bought under an intent."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.viewer: Viewer = DeviceFactory().viewer
        self.product = StorePassFactory(
            provider="google",
            store_product_id=PLAN,
            pass_product__period_days=WEEK.days,
            pass_product__is_renewing=True,
            pass_product__period_coins=COINS,
        )
        self.token = ""

    def sell(self, **told: Any) -> None:
        """Somebody subscribes, under an intent of ours unless it is said otherwise."""
        plan = {"product_id": PLAN, "price_micros": PRICE_MICROS, "period_days": WEEK.days}
        words = {"account": str(self.viewer.id), "profile": str(self._intent_id())} | told
        self.token = self.does("/_subscriptions", plan=plan, **words)["token"]

    def _intent_id(self) -> UUID:
        intent, _ = pass_purchases.create_intent(
            viewer_id=self.viewer.id,
            environment="production",
            pass_id=self.product.pass_product_id,
            provider="google",
            now=self.now,
        )
        return intent.id

    def acknowledge(self) -> None:
        """It has heard that it was delivered, and lets it run on."""
        self.adapter.acknowledge(store_product_id=PLAN, name=self.token, is_subscription=True)

    def weeks_pass(self, count: int) -> None:
        """It renews so often, and a day of the last week goes by."""
        seconds = (count * WEEK + timedelta(days=1)).total_seconds()
        self.does("/_clock", advance_seconds=seconds)

    @property
    def order_ids(self) -> list[str]:
        """Of the periods that were paid, in their order."""
        with self.google._kept.reading() as books:
            return [one.order_id for one in books.orders.values() if one.token == self.token]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The only store."""
    made = Store(tmp_path)
    monkeypatch.setattr(purchases, "adapters", lambda: {"google": made.adapter})
    yield made
    made.close()


def receive(store: Store) -> list[UUID]:
    """What was pushed is in the inbox, and nobody is at it."""
    return [
        inbox.receive(
            provider="google", raw=raw, arrived_by=Arrival.PUSHED, now=clock.read()
        ).message.id
        for raw in store.heard()
    ]


def settle(store: Store) -> None:
    """The worker is back."""
    for message_id in settling.due(now=store.now):
        settling.settle(message_id, now=store.now)
    for call_id in outbox.due(now=store.now):
        outbox.settle(call_id, now=store.now)


def booked() -> list[str]:
    return list(
        PassPurchase.objects.order_by("store_starts_at").values_list("transaction_id", flat=True)
    )


def test_two_renewals_that_are_read_back_late_are_two_periods(store: Store) -> None:
    store.sell()
    receive(store)
    settle(store)
    store.weeks_pass(2)
    assert len(receive(store)) >= 2

    settle(store)

    assert len(store.order_ids) == 3
    assert booked() == store.order_ids
    assert set(StoreMessage.objects.values_list("state", flat=True)) == {"applied"}
    subscription = Subscription.objects.get()
    assert subscription.state == "active"
    assert subscription.access_until is not None
    assert subscription.access_until > store.now


def test_each_period_brings_its_coins_once(store: Store) -> None:
    store.sell()
    receive(store)
    settle(store)
    store.weeks_pass(3)
    receive(store)
    for _ in "ab":
        settle(store)
        settling.replay(list(StoreMessage.objects.values_list("id", flat=True)), now=store.now)
    assert PassPurchase.objects.count() == 4
    assert _coins(store) == 4 * COINS


def test_a_renewal_in_time_asks_for_no_other_order(store: Store) -> None:
    store.sell()
    receive(store)
    settle(store)
    store.weeks_pass(1)
    receive(store)
    before = len(_asked(store))
    settle(store)
    assert booked() == store.order_ids
    assert {one for one in _asked(store)[before:] if "/orders/" in one} == {
        one for one in _asked(store)[before:] if one.endswith(f"/orders/{store.order_ids[-1]}")
    }


def test_what_nobody_told_of_is_found_when_the_subscription_is_asked_about(store: Store) -> None:
    store.sell()
    receive(store)
    settle(store)
    store.weeks_pass(2)
    store.heard()  # and lost

    (due,) = inquiries.due(now=store.now)
    assert inquiries.ask(due, now=store.now)

    assert booked() == store.order_ids
    assert len(booked()) == 3


def test_what_was_sold_by_us_and_never_told_is_read_from_its_first_period_on(store: Store) -> None:
    store.sell()
    store.acknowledge()
    store.weeks_pass(2)
    receive(store)

    settle(store)

    assert len(booked()) == 3
    assert booked() == store.order_ids


def test_what_was_paid_before_our_books_began_is_not_booked(store: Store) -> None:
    """One that was brought along names the viewer, and no intent: another system has sold it."""
    store.sell(profile="")
    store.acknowledge()
    store.weeks_pass(2)
    receive(store)

    settle(store)

    assert booked() == store.order_ids[-1:]


def test_nothing_is_booked_while_a_period_between_cannot_be_read(store: Store) -> None:
    store.sell()
    receive(store)
    settle(store)
    store.weeks_pass(2)
    receive(store)
    between = store.order_ids[1].replace(".", r"\.")
    store.fails({"kind": "status", "status": 503, "matching": f"/orders/{between}$"})
    settle(store)
    assert booked() == store.order_ids[:1]

    store.fails()
    StoreMessage.objects.filter(state="waiting").update(next_attempt_at=store.now)
    settle(store)

    assert booked() == store.order_ids


def test_an_order_that_google_knows_no_more_is_passed_over(store: Store) -> None:
    store.sell()
    receive(store)
    settle(store)
    store.weeks_pass(2)
    receive(store)
    ids = store.order_ids
    with store.google._kept.changing() as books:
        del books.orders[ids[1]]
    settle(store)
    assert booked() == [ids[0], ids[2]]


def _coins(store: Store) -> int:
    wallet = Wallet.objects.get(viewer_id=store.viewer.id, environment="production")
    return wallet.paid_coins + wallet.bonus_coins


def _asked(store: Store) -> list[str]:
    return [one["target"] for one in store.http.get("/_calls").json()["calls"]]
