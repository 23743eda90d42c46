"""A message of a type that nothing here reads is kept until something does, however often it is replayed."""

from datetime import datetime

import pytest
from django.conf import settings

from payments.messages import alarms, inbox, settling
from payments.models import Arrival, MessageState, Purchase, StoreMessage
from payments.providers import registry
from payments.providers.base import RawMessage, StoreTransaction
from payments.providers.fake.verifier import FakeMessage
from payments.store import purchases
from tests.factories.payments import StoreProductFactory
from tests.factories.viewers import DeviceFactory
from tests.payments.providers.google import play


def receive(now: datetime, **told: object) -> StoreMessage:
    message = FakeMessage(
        event_id="fake-1",
        type="a_new_thing",
        environment="production",
        occurred_at_ms=int(now.timestamp() * 1000),
        **told,
    )
    raw = RawMessage({}, registry.fake_store(settings).tell(message).encode())
    return inbox.receive(provider="fake", raw=raw, arrived_by=Arrival.PUSHED, now=now).message


@pytest.mark.django_db
def test_stays_unknown_while_nothing_reads_it(now: datetime) -> None:
    message = receive(now)
    assert message.state == MessageState.UNKNOWN
    for _ in range(2):
        assert settling.replay([message.id], now=now) == 1
        settled = settling.settle(message.id, now=now)
        assert settled is not None
        assert (settled.state, settled.next_attempt_at) == (MessageState.UNKNOWN, None)
    assert [one.code for one in alarms.ringing(now=now)] == ["messages_unknown"]


@pytest.mark.django_db
def test_is_applied_once_a_later_version_reads_it(now: datetime) -> None:
    product, viewer = StoreProductFactory(), DeviceFactory().viewer
    sale = StoreTransaction(
        environment="production",
        transaction_id="fake-sale",
        store_product_id=product.store_product_id,
        account_token=viewer.id,
        price_micros=4_990_000,
        currency="USD",
        purchased_at=now,
    )
    message = receive(now, transactions=(sale,))
    # As a version kept it that could not read it.
    StoreMessage.objects.filter(id=message.id).update(
        state=MessageState.UNKNOWN, code=settling.UNKNOWN_TYPE, next_attempt_at=None
    )
    settling.replay([message.id], now=now)
    settled = settling.settle(message.id, now=now)
    assert settled is not None
    assert (settled.state, settled.code) == (MessageState.APPLIED, "")
    assert Purchase.objects.get().viewer_id == viewer.id
    assert alarms.ringing(now=now) == []


@pytest.mark.django_db
def test_is_settled_once_it_is_known_to_say_nothing_though_its_bearer_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    google = play.Play()
    monkeypatch.setattr(purchases, "adapters", lambda: {"google": google.adapter})
    trial = play.push(play.data(testNotification={"version": "1.0"}))
    kept = inbox.receive(
        provider="google", raw=trial, arrived_by=Arrival.PUSHED, now=play.NOW
    ).message
    StoreMessage.objects.filter(id=kept.id).update(
        state=MessageState.UNKNOWN, code=settling.UNKNOWN_TYPE, next_attempt_at=None
    )
    settling.replay([kept.id], now=play.NOW)

    settled = settling.settle(kept.id, now=play.NOW)

    assert settled is not None
    assert settled.state == MessageState.APPLIED
