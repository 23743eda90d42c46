"""Of all that happens to an account at Stripe, its history brings what is about sales, known or new; and what an
endpoint is sent beside that rings until somebody has looked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from payments.messages import alarms, history, inbox, settling
from payments.models import Arrival, MessageState, StoreMessage
from payments.store import purchases
from tests.payments.providers.stripe.shop import Shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def stripe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """The only store."""
    shop = Shop(tmp_path)
    monkeypatch.setattr(purchases, "adapters", lambda: {"stripe": shop.adapter})
    yield shop
    shop.close()


def tells(shop: Shop, *types: str) -> None:
    with shop.stripe.changing() as account:
        for type_ in types:
            account.tell(type_, {"id": "po_1", "object": type_.partition(".")[0]})


def pushed(shop: Shop, type_: str) -> StoreMessage:
    tells(shop, type_)
    (raw,) = shop.messages(0, type_)
    kept = inbox.receive(provider="stripe", raw=raw, arrived_by=Arrival.PUSHED, now=shop.now)
    return kept.message


def ringing(shop: Shop) -> list[str]:
    return [one.code for one in alarms.ringing(now=shop.now) if "unknown" in one.code]


def test_payouts_and_balances_are_left_where_they_are(stripe: Shop) -> None:
    stripe.bought()
    tells(stripe, "payout.paid", "balance.available", "customer.created", "topup.succeeded")

    history.read("stripe", "sandbox", now=stripe.now)

    types = set(StoreMessage.objects.values_list("type", flat=True))
    assert types == {
        "payment_intent.created",
        "payment_intent.succeeded",
        "checkout.session.completed",
    }
    assert ringing(stripe) == []


def test_a_new_type_of_what_is_sold_is_kept_and_rings(stripe: Shop) -> None:
    tells(stripe, "invoice.paid_in_shells", "refund.reconsidered")

    history.read("stripe", "sandbox", now=stripe.now)

    assert set(StoreMessage.objects.values_list("type", "state")) == {
        ("invoice.paid_in_shells", "unknown"),
        ("refund.reconsidered", "unknown"),
    }
    assert ringing(stripe) == ["messages_unknown"]


class TestWhatNobodySelected:
    """An endpoint that is sent more than it was to be."""

    def test_is_kept_and_rings_until_somebody_has_looked(self, stripe: Shop) -> None:
        message = pushed(stripe, "payout.paid")
        assert (message.state, ringing(stripe)) == (MessageState.UNKNOWN, ["messages_unknown"])

        assert settling.see([message.id]) == 1

        assert ringing(stripe) == []
        assert settling.see([message.id]) == 0
        message.refresh_from_db()
        assert (message.state, message.next_attempt_at) == (MessageState.SEEN, None)

    def test_rings_anew_with_the_next(self, stripe: Shop) -> None:
        settling.see([pushed(stripe, "payout.paid").id])
        pushed(stripe, "payout.failed")
        assert ringing(stripe) == ["messages_unknown"]

    def test_can_be_replayed_once_something_reads_it(self, stripe: Shop) -> None:
        message = pushed(stripe, "payout.paid")
        settling.see([message.id])

        assert settling.replay([message.id], now=stripe.now) == 1
        settled = settling.settle(message.id, now=stripe.now)

        assert settled is not None
        assert settled.state == MessageState.UNKNOWN


def test_what_was_applied_or_waits_cannot_be_seen_away(stripe: Shop) -> None:
    stripe.bought()
    history.read("stripe", "sandbox", now=stripe.now)
    waiting = StoreMessage.objects.filter(state="waiting")
    count = waiting.count()

    assert settling.see(list(waiting.values_list("id", flat=True))) == 0
    assert waiting.count() == count > 0
