"""Genuine messages that are for somebody else are kept for an operator to see, and do not fill our disk."""

from collections.abc import Iterator
from datetime import datetime

import msgspec
import pytest
from django.test import override_settings

from payments.messages import inbox
from payments.models import Arrival, MessageState, StoreMessage
from payments.providers.base import RawMessage
from payments.providers.stripe import webhooks
from payments.store import purchases

SECRET = "whsec_ours"


@pytest.fixture(autouse=True)
def _stripe_sells_live() -> Iterator[None]:
    """And has no test account here."""
    with override_settings(
        STRIPE_SECRET_KEY="sk_live_ours",
        STRIPE_WEBHOOK_SECRETS=SECRET,
        STRIPE_API_URL="http://127.0.0.1:9",
    ):
        purchases.adapters.cache_clear()
        yield
    purchases.adapters.cache_clear()


def event(**members: object) -> bytes:
    told = {
        "id": "evt_1",
        "object": "event",
        "type": "charge.succeeded",
        "created": 1_773_489_600,
        "livemode": True,
        "data": {"object": {"id": "ch_1", "object": "charge"}},
    }
    return msgspec.json.encode(told | members)


def receive(body: bytes, *, now: datetime, secret: str = SECRET) -> inbox.Kept:
    headers = webhooks.signature(body, secret=secret, signed_at=now)
    raw = RawMessage(headers, body)
    return inbox.receive(provider="stripe", raw=raw, arrived_by=Arrival.PUSHED, now=now)


@pytest.mark.django_db
@pytest.mark.parametrize("members", [{"account": "acct_1"}, {"livemode": False}])
def test_what_is_for_another_is_kept_if_the_store_has_signed_it(
    now: datetime, members: dict[str, object]
) -> None:
    kept = receive(event(**members), now=now)
    assert (kept.is_new, kept.message.state) == (True, MessageState.PARKED)
    assert not receive(event(**members), now=now).is_new


@pytest.mark.django_db
@pytest.mark.parametrize("members", [{"account": "acct_1"}, {"livemode": False}, {}])
def test_what_says_that_it_is_for_another_is_not_kept_without_a_signature(
    now: datetime, members: dict[str, object]
) -> None:
    with pytest.raises(inbox.MessageForged):
        receive(event(**members), now=now, secret="whsec_theirs")
    assert not StoreMessage.objects.exists()


@pytest.mark.django_db
def test_one_message_in_ever_another_spelling_is_kept_a_hundred_times_at_most(
    now: datetime,
) -> None:
    foreign = event(account="acct_1")
    for spaces in range(inbox.FOREIGN_A_DAY):
        receive(foreign + b" " * spaces, now=now)
    with pytest.raises(inbox.MessageForeign):
        receive(foreign + b" " * inbox.FOREIGN_A_DAY, now=now)
    assert not receive(foreign, now=now).is_new
    assert receive(event(id="evt_2"), now=now).is_new
    assert StoreMessage.objects.count() == inbox.FOREIGN_A_DAY + 1
