"""Phones buy in the demo's stores, whose notifications arrive in the days of which they tell."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from config import clock
from demo import reference_data
from demo.client import StillWaits, ViewerClient
from demo.simulated_clock import ViewersClock
from demo.simulation import population, stillness
from demo.simulation.accounts import Account
from demo.simulation.counts import Counts
from demo.simulation.fates import Ahead, Fate, Fates
from demo.simulation.subscribers import move
from demo.stores.addresses import Addresses
from demo.stores.buying import Bought, Store, Stores
from demo.transport import Transport
from payments import tasks
from payments.messages import outages
from payments.models import (
    CallState,
    MessageState,
    PassPurchase,
    Provider,
    Purchase,
    Refund,
    StoreCall,
    StoreMessage,
    Subscription,
    SubscriptionInquiry,
)
from tests.demo.stores import quarter

pytestmark = [pytest.mark.matrix(3), pytest.mark.django_db(transaction=True)]

PLATFORMS = {"ios": Provider.APPLE, "android": Provider.GOOGLE, "web": Provider.STRIPE}
DAYS = timedelta(days=20)


@pytest.fixture
def at(live_server: LiveServer, tmp_path: Path) -> Iterator[Addresses]:
    reference_data.load(now=clock.read())
    with quarter.selling(tmp_path, backend=live_server.url) as at:
        yield at


@pytest.fixture
def stores(at: Addresses) -> Iterator[Stores]:
    outages.forget()
    with closing(Stores(at)) as stores:
        yield stores


class Viewer:
    """Somebody who lives at a moment of their own."""

    def __init__(self, transports: ExitStack, url: str, moment: datetime) -> None:
        self.clock = ViewersClock(moment)
        transport = Transport(url, always=self.clock.headers, timeout_seconds=30)
        self.app = ViewerClient(transports.enter_context(transport))
        self.app.guest()


Comes = Callable[[datetime], Viewer]


@pytest.fixture
def comes(live_server: LiveServer) -> Iterator[Comes]:
    """A new viewer at a moment."""
    with ExitStack() as transports:
        yield partial(Viewer, transports, live_server.url)


@pytest.fixture
def viewer(comes: Comes) -> Viewer:
    """One who lives in a day that is over."""
    return comes(clock.read() - DAYS)


@pytest.fixture(params=PLATFORMS)
def store(stores: Stores, viewer: Viewer, request: pytest.FixtureRequest) -> Store:
    """Each platform's, in the viewer's days."""
    stores.are_at(viewer.clock.moment.replace(hour=0))
    found = stores.of(request.param)
    assert found is not None
    return found


def subscribe(viewer: Viewer, store: Store) -> Bought:
    weekly = next(one for one in viewer.app.passes() if one.code == "vip-weekly")
    intent = viewer.app.pass_intent(weekly.pass_id, provider=store.provider)
    bought = store.buy(viewer.app, intent, at=viewer.clock.moment)
    viewer.app.submit(bought.handed_in, provider=store.provider)
    return bought


def settled() -> None:
    """Everything that came is applied."""
    tasks.settle_messages()
    assert not StoreMessage.objects.exclude(state=MessageState.APPLIED).exists()


def test_coins_are_bought_once_on_the_day_on_which_they_were(stores, store, viewer) -> None:
    pack = viewer.app.offers()[0]
    intent = viewer.app.intent(pack.pack_id, provider=store.provider)
    bought = store.buy(viewer.app, intent, at=viewer.clock.moment)
    viewer.app.submit(bought.handed_in, provider=store.provider)
    stores.are_at(viewer.clock.moment)
    settled()
    (purchase,) = Purchase.objects.all()
    assert viewer.app.wallet().balance.coins == pack.coins
    assert purchase.gross_micros == pack.price.amount_micros
    assert abs(purchase.created_at - viewer.clock.moment) < timedelta(minutes=1)
    assert abs(purchase.purchased_at - viewer.clock.moment) < timedelta(minutes=1)
    assert StoreMessage.objects.filter(provider=store.provider).exists()


def test_what_no_app_handed_in_is_booked_by_the_notification_in_its_day(
    stores, store, viewer
) -> None:
    pack = viewer.app.offers()[0]
    intent = viewer.app.intent(pack.pack_id, provider=store.provider)
    store.buy(viewer.app, intent, at=viewer.clock.moment)
    stores.are_at(viewer.clock.moment)
    settled()
    (purchase,) = Purchase.objects.all()
    assert abs(purchase.created_at - viewer.clock.moment) < timedelta(minutes=1)
    assert viewer.app.wallet().balance.coins == pack.coins


def test_a_subscription_renews_as_the_stores_days_pass(stores, store, viewer) -> None:
    subscribe(viewer, store)
    begun = viewer.clock.moment
    for day in range(1, 16):
        stores.are_at(begun + timedelta(days=day))
        tasks.settle_messages()
        # Google gives back what nobody acknowledges.
        StoreCall.objects.filter(state=CallState.WAITING).update(next_attempt_at=begun)
        tasks.call_stores()
    settled()
    (subscription,) = Subscription.objects.all()
    assert subscription.state == "active"
    assert abs(subscription.access_until - (begun + timedelta(days=21))) < timedelta(hours=2)
    periods = list(PassPurchase.objects.order_by("created_at"))
    assert len(periods) == 3
    for number, period in enumerate(periods):
        heard = begun + timedelta(days=7 * number)
        assert abs(period.created_at - heard) < timedelta(hours=2)
    viewer.clock.moment = begun + timedelta(days=15)
    viewer.app.refresh()
    assert viewer.app.wallet().balance.coins == 3 * 100


def test_the_stores_word_of_what_became_of_a_subscription_arrives(stores, store, viewer) -> None:
    bought = subscribe(viewer, store)
    after = viewer.clock.moment + timedelta(days=1)
    fates = Fates(stores)
    fates.add([_ahead(Fate.CANCELLED, store, bought, due=after)])
    assert fates.begin_day(after) == []
    fates.end()
    settled()
    (subscription,) = Subscription.objects.all()
    assert (subscription.state, subscription.renews_as) in {
        ("cancelled", None),
        ("expired", None),
    }


def test_a_refund_takes_the_coins_back(stores, store, viewer) -> None:
    pack = viewer.app.offers()[0]
    intent = viewer.app.intent(pack.pack_id, provider=store.provider)
    bought = store.buy(viewer.app, intent, at=viewer.clock.moment)
    viewer.app.submit(bought.handed_in, provider=store.provider)
    after = viewer.clock.moment + timedelta(days=1)
    stores.are_at(after)
    store.refund(bought, at=after)
    stores.are_at(after)
    settled()
    assert Refund.objects.count() == 1
    viewer.clock.moment = after + timedelta(hours=1)
    viewer.app.refresh()
    assert viewer.app.wallet().balance.coins == 0


def test_a_subscription_goes_on_on_another_phone(comes, stores, store, viewer) -> None:
    bought = subscribe(viewer, store)
    other = comes(viewer.clock.moment + timedelta(hours=3))
    counted = move(
        _ahead(Fate.MOVED, store, bought, due=other.clock.moment),
        other.app,
        at=other.clock.moment,
    )
    assert counted == Counts(restored=1)
    assert [one.is_open for one in other.app.subscriptions()] == [True]
    assert viewer.app.subscriptions() == []


def test_what_a_silent_store_sold_waits_and_is_booked_by_itself(at, comes, stores) -> None:
    viewer = comes(clock.read())
    store = stores.of("android")
    assert store is not None
    pack = viewer.app.offers()[0]
    intent = viewer.app.intent(pack.pack_id, provider=store.provider)
    bought = store.buy(viewer.app, intent, at=viewer.clock.moment)
    with httpx.Client(base_url=at.url("google")) as google:
        out_of_order = {"kind": "status", "status": 503, "matching": "androidpublisher"}
        google.put("/_faults", json={"rules": [out_of_order]})
        with pytest.raises(StillWaits) as waits:
            viewer.app.submit(bought.handed_in, provider=store.provider)
        kept = waits.value.answer
        assert (kept.state, kept.reason) == ("waiting", "store_unavailable")
        google.put("/_faults", json={})
    StoreMessage.objects.update(next_attempt_at=clock.read())
    settled()
    booked = viewer.app.submitted(kept.id)
    assert booked.state == "booked"
    assert booked.purchase is not None
    assert booked.purchase.coins == viewer.app.wallet().balance.coins == pack.coins


def _ahead(fate: Fate, store: Store, bought: Bought, *, due: datetime) -> Ahead:
    somebody = population.people(seed=1, count=9, days=9, until=due)[0]
    return Ahead(due, fate, Account(somebody), store, bought)


def test_no_worker_asks_stores_while_they_live_in_other_days(stores, viewer) -> None:
    """What is asked today would be later than all that is told of the days to come."""
    store = stores.of("android")
    stores.are_at(viewer.clock.moment)
    subscribe(viewer, store)
    with ThreadPoolExecutor(1) as another, stillness.kept():
        assert another.submit(_ask_once).result() == 0
    assert not SubscriptionInquiry.objects.exists()
    assert tasks.ask_about_subscriptions() == 1
    assert SubscriptionInquiry.objects.exists()


def _ask_once() -> int:
    """As another worker, with a connection of its own."""
    try:
        asked: int = tasks.ask_about_subscriptions()
        return asked
    finally:
        connection.close()
