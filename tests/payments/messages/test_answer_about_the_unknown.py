"""A store that asks about what is not in our books is asked for nothing: it may be older than they."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config import clock
from payments.messages import inbox, outbox, settling
from payments.models import Arrival, Purchase, StoreCall
from payments.store import purchases
from tests.factories.payments import StoreProductFactory
from tests.factories.viewers import DeviceFactory
from tests.payments.providers.stalls import PACK, PRICE_MICROS, GoogleStall

pytestmark = pytest.mark.django_db


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleStall]:
    """The only store."""
    stall = GoogleStall(tmp_path)
    monkeypatch.setattr(purchases, "adapters", lambda: {"google": stall.adapter})
    yield stall
    stall.close()


def sold(google: GoogleStall, account: str) -> str:
    """The token of a purchase."""
    line = {"product_id": PACK, "price_micros": PRICE_MICROS}
    token: str = google.does("/_purchases", lines=[line], account=account)["token"]
    return token


def hear(google: GoogleStall) -> None:
    """What Google has pushed is applied, and what it waits for is told."""
    for raw in google.heard():
        inbox.receive(provider="google", raw=raw, arrived_by=Arrival.PUSHED, now=clock.read())
    now = clock.read()
    for message_id in settling.due(now=now):
        settling.settle(message_id, now=now)
    for call_id in outbox.due(now=now):
        outbox.settle(call_id, now=now)


def answer_to(google: GoogleStall, token: str) -> Any:
    google.does(f"/_purchases/{token}/ask")
    hear(google)
    assert StoreCall.objects.get(verb="answer_refund_question").state == "done"
    (question,) = google.http.get("/_questions").json()
    return question["answer"]


def test_what_another_system_has_sold_is_not_asked_to_go_back(google: GoogleStall) -> None:
    token = sold(google, "their-user-4711")
    google.heard()  # as it was told to the system before

    answer = answer_to(google, token)

    assert not Purchase.objects.exists()
    assert answer["refundPreference"] == "NEUTRAL"


def test_what_was_delivered_is_answered_the_same(google: GoogleStall) -> None:
    StoreProductFactory(provider="google", store_product_id=PACK)
    token = sold(google, str(DeviceFactory().viewer_id))
    hear(google)
    assert Purchase.objects.exists()

    assert answer_to(google, token)["refundPreference"] == "NEUTRAL"
