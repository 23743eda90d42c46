"""An operator's refund goes back to the buyer where the store takes our word for it, once, and is told of as the
same refund."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.test import override_settings

from config import clock
from payments.messages import inbox, outbox, settling, submissions
from payments.messages.asking import Patience
from payments.models import Arrival, Purchase, Refund, StoreCall
from payments.store import operator_refunds, purchases, refunds, stripe_pages
from payments.store.operator_refunds import RefundRefused
from tests import ledger_rules, served_stripe
from tests.factories.operators import operator, signed_in
from tests.factories.payments import StoreProductFactory, fund
from tests.factories.viewers import DeviceFactory
from tests.served_stripe import ServedStripe

pytestmark = pytest.mark.django_db


@pytest.fixture
def stripe(tmp_path: Path) -> Iterator[ServedStripe]:
    with served_stripe.selling(tmp_path) as stripe:
        yield stripe


@pytest.fixture
def bought(stripe: ServedStripe) -> Purchase:
    """Coins that somebody has paid at Stripe."""
    viewer_id, product = DeviceFactory().viewer_id, StoreProductFactory(provider="stripe")
    who = {"viewer_id": viewer_id, "environment": "production"}
    intent, _ = purchases.create_intent(
        pack_id=product.pack_id, provider="stripe", now=clock.read(), **who
    )
    opened = stripe_pages.open_checkout(
        intent.id, success_url="https://app.test/done", cancel_url="https://app.test/", **who
    )
    stripe.order("pay", session=opened.session_id)
    now = clock.read()
    found = submissions.read(
        provider="stripe", handed_in=opened.session_id, patience=Patience(), now=now
    )
    booked = submissions.book(found, viewer_id=viewer_id, provider="stripe", now=now)
    assert isinstance(booked.bought, Purchase)
    return booked.bought


def given_back(stripe: ServedStripe, purchase: Purchase) -> list[tuple[int, str]]:
    """Stripe's refunds of a purchase: amount and status."""
    answer = stripe.http.get(
        "/v1/refunds",
        params={"payment_intent": purchase.transaction_id},
        headers={
            "Authorization": f"Bearer {stripe.keys['secret_key']}",
            "Stripe-Version": "2026-10-28.endive",
        },
    )
    return [(one["amount"], one["status"]) for one in answer.json()["data"]]


def hear_all(stripe: ServedStripe) -> None:
    """Everything that Stripe has to tell comes and is applied."""
    now = clock.read()
    adapter = purchases.adapter("stripe")
    for raw in adapter.missed(
        environment="production", since=now.replace(year=now.year - 1), until=now
    ):
        inbox.receive(provider="stripe", raw=raw, arrived_by=Arrival.PULLED, now=now)
    for message_id in settling.due(now=now):
        settling.settle(message_id, now=now)


@pytest.mark.parametrize("amount_micros", [None, 1_000_000])
def test_what_an_operator_refunds_is_paid_back_once(
    stripe: ServedStripe, bought: Purchase, amount_micros: int | None
) -> None:
    recorded = operator_refunds.by_operator(
        bought,
        operator_id=operator("first").id,
        reason="Twice by mistake",
        now=clock.read(),
        amount_micros=amount_micros,
    )
    (call_id,) = outbox.due(now=clock.read())

    for _ in "ab":
        outbox.settle(call_id, now=clock.read())
        hear_all(stripe)

    amount = amount_micros or bought.gross_micros
    assert StoreCall.objects.get().state == "done"
    assert given_back(stripe, bought) == [(amount // 10_000, "succeeded")]
    refund = Refund.objects.get()
    assert (refund.id, refund.origin, refund.reason) == (
        recorded.refund_id,
        "operator",
        "Twice by mistake",
    )
    assert refunds.refunded_micros(bought) == amount
    assert ledger_rules.broken() == []


def test_a_store_out_of_reach_is_told_again(stripe: ServedStripe, bought: Purchase) -> None:
    operator_refunds.by_operator(
        bought, operator_id=operator("first").id, reason="Asked", now=clock.read()
    )
    stripe.http.put("/_faults", json={"rules": [{"kind": "status", "status": 503, "times": 1}]})
    (call_id,) = outbox.due(now=clock.read())

    outbox.settle(call_id, now=clock.read())
    waiting = StoreCall.objects.get()
    assert (waiting.state, given_back(stripe, bought)) == ("waiting", [])
    assert waiting.next_attempt_at is not None
    outbox.settle(call_id, now=waiting.next_attempt_at)

    assert StoreCall.objects.get().state == "done"
    assert len(given_back(stripe, bought)) == 1


def test_a_preview_pays_nothing_back(stripe: ServedStripe, bought: Purchase) -> None:
    operator_refunds.preview(
        bought, operator_id=operator("first").id, reason="Asked", now=clock.read()
    )

    assert not StoreCall.objects.exists()


def test_a_store_that_takes_nobodys_word_is_told_nothing() -> None:
    coins = fund(DeviceFactory().viewer_id, now=clock.read())

    operator_refunds.by_operator(
        coins, operator_id=operator("first").id, reason="Asked", now=clock.read()
    )

    assert not operator_refunds.is_given_back_by_store(coins)
    assert not StoreCall.objects.exists()


def asked(bought: Purchase) -> Refund:
    """An operator's refund that the store is to be told of."""
    recorded = operator_refunds.by_operator(
        bought, operator_id=operator("first").id, reason="Asked", now=clock.read()
    )
    return Refund.objects.get(id=recorded.refund_id)


def test_what_is_reversed_before_the_store_hears_of_it_is_never_paid_back(
    stripe: ServedStripe, bought: Purchase
) -> None:
    refund = asked(bought)
    (call_id,) = outbox.due(now=clock.read())

    second = operator("second")
    for _ in "ab":
        operator_refunds.reverse(refund, operator_id=second.id, now=clock.read())
    assert outbox.settle(call_id, now=clock.read()) is None
    hear_all(stripe)

    assert outbox.due(now=clock.read()) == []
    assert given_back(stripe, bought) == []
    assert StoreCall.objects.get().state == "withdrawn"
    assert refunds.refunded_micros(bought) == 0
    assert ledger_rules.broken() == []


@pytest.mark.parametrize("is_down", [False, True])
def test_what_the_store_may_have_heard_of_is_not_reversed_here(
    stripe: ServedStripe, bought: Purchase, is_down: bool
) -> None:
    """It may have paid although it did not answer."""
    refund = asked(bought)
    if is_down:
        stripe.http.put("/_faults", json={"rules": [{"kind": "status", "status": 503, "times": 1}]})
    outbox.settle(outbox.due(now=clock.read())[0], now=clock.read())

    with pytest.raises(RefundRefused):
        operator_refunds.reverse(refund, operator_id=operator("second").id, now=clock.read())

    assert operator_refunds.why_not_reversed(refund)
    assert refunds.refunded_micros(bought) == bought.gross_micros


def test_what_the_store_has_refused_to_pay_may_be_reversed(
    stripe: ServedStripe, bought: Purchase
) -> None:
    refund = asked(bought)
    stripe.order(
        "refund", payment_intent=bought.transaction_id
    )  # somebody was quicker in its dashboard
    outbox.settle(outbox.due(now=clock.read())[0], now=clock.read())
    assert StoreCall.objects.get().state == "failed"

    operator_refunds.reverse(refund, operator_id=operator("second").id, now=clock.read())

    assert outbox.retry([StoreCall.objects.get().id], now=clock.read()) == 0
    assert refunds.refunded_micros(bought) == 0


def test_what_failed_for_a_cause_unforeseen_may_have_been_paid(
    stripe: ServedStripe, bought: Purchase
) -> None:
    refund = asked(bought)
    call = StoreCall.objects.get()
    StoreCall.objects.update(details={})  # which nobody has thought of
    now = clock.read()
    for hours in range(outbox.POISON_FAILURES):
        outbox.settle(call.id, now=now + timedelta(hours=hours))
    call.refresh_from_db()
    assert call.state == "failed"

    second = operator("second")
    for _ in range(2):
        with pytest.raises(RefundRefused):
            operator_refunds.reverse(refund, operator_id=second.id, now=clock.read())
        outbox.retry([call.id], now=clock.read())  # and so it is while it is told again

    assert refunds.refunded_micros(bought) == bought.gross_micros


@pytest.mark.parametrize("limit", ["REFUND_SOLO_MICROS", "REFUND_DAILY_MICROS"])
def test_more_than_one_person_may_pay_back_waits_for_a_second(
    stripe: ServedStripe, bought: Purchase, limit: str
) -> None:
    with override_settings(**{limit: bought.gross_micros - 1}):
        refund = asked(bought)
    assert outbox.due(now=clock.read()) == []
    assert operator_refunds.is_held(refund)

    with pytest.raises(RefundRefused):
        operator_refunds.agree(refund, operator_id=refund.asked_by_id or 0, now=clock.read())
    second = operator("second")
    operator_refunds.agree(refund, operator_id=second.id, now=clock.read())
    outbox.settle(outbox.due(now=clock.read())[0], now=clock.read())

    assert len(given_back(stripe, bought)) == 1
    with pytest.raises(RefundRefused):
        operator_refunds.agree(refund, operator_id=second.id, now=clock.read())


def test_what_waits_for_a_second_person_is_refused_by_reversing_it(
    stripe: ServedStripe, bought: Purchase
) -> None:
    with override_settings(REFUND_SOLO_MICROS=0):
        refund = asked(bought)
    second = operator("second")
    operator_refunds.reverse(refund, operator_id=second.id, now=clock.read())
    with pytest.raises(RefundRefused):
        operator_refunds.agree(refund, operator_id=second.id, now=clock.read())
    assert refunds.refunded_micros(bought) == 0
    assert not operator_refunds.is_held(refund)


def test_small_refunds_of_a_day_add_up(stripe: ServedStripe, bought: Purchase) -> None:
    first = operator("first")
    states = []
    with override_settings(REFUND_DAILY_MICROS=2_000_000):
        for _ in range(3):
            operator_refunds.by_operator(
                bought,
                operator_id=first.id,
                reason="Asked",
                now=clock.read(),
                amount_micros=1_000_000,
            )
            states.append(StoreCall.objects.latest("id").state)
    assert states == ["waiting", "waiting", "held"]


def test_the_page_of_a_held_refund_asks_somebody_else(
    stripe: ServedStripe, bought: Purchase
) -> None:
    with override_settings(REFUND_SOLO_MICROS=0):
        refund = asked(bought)
    page = f"/admin/payments/refund/{refund.id}"
    assert refund.asked_by is not None
    refund.asked_by.is_superuser = refund.asked_by.is_staff = True
    refund.asked_by.save()
    asker, second = signed_in(refund.asked_by), signed_in(operator("fin", role="finance"))

    assert "Agree" not in asker.get(f"{page}/change/").content.decode()
    asker.post(f"{page}/agree/")
    assert operator_refunds.is_held(refund)
    assert "Agree" in second.get(f"{page}/change/").content.decode()
    second.post(f"{page}/agree/")

    assert StoreCall.objects.get().state == "waiting"
    assert LogEntry.objects.get().get_change_message().startswith("Agreed")


def test_money_is_not_sent_again_by_whoever_may_not_refund(
    stripe: ServedStripe, bought: Purchase
) -> None:
    asked(bought)
    StoreCall.objects.update(state="failed", next_attempt_at=None)
    told = {
        "action": "tell_again",
        "_selected_action": [StoreCall.objects.get().pk],
        "confirm": "1",
    }
    for role, state in (("support", "failed"), ("finance", "waiting")):
        signed_in(operator(role, role=role)).post("/admin/payments/storecall/", told)
        assert StoreCall.objects.get().state == state
