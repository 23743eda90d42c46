"""What an app hands in and nobody has paid is never told of as booked."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.http import HttpResponse
from django.test import Client

from payments.messages import alarms, inbox, settling
from payments.models import Arrival, MessageState, Purchase, Refund, StoreMessage, StoreProduct
from payments.providers.base import (
    Fault,
    Payment,
    ProviderError,
    State,
    StoreRefund,
    StoreTransaction,
)
from tests.factories.payments import StoreProductFactory
from tests.factories.viewers import DeviceFactory
from tests.payments.calls import submit
from tests.payments.messages.conftest import Parrot
from tests.payments.subscribing import Story, plan
from viewers.models import Device

DAY = timedelta(days=1)
DOWN = ProviderError("down", Fault.UNAVAILABLE)


def sale(now: datetime, product: StoreProduct, buyer: UUID | None, **told: Any) -> StoreTransaction:
    values = {
        "environment": "production",
        "transaction_id": "sale-1",
        "store_product_id": product.store_product_id,
        "account_token": buyer,
        "price_micros": 4_990_000,
        "currency": "USD",
        "purchased_at": now,
    }
    return StoreTransaction(**values | told)


def standing(
    api: Client, headers: dict[str, str], submission: HttpResponse
) -> tuple[str, str, bool]:
    told = api.get(f"/v1/purchases/{submission.json()['id']}", headers=headers).json()
    return told["state"], told["reason"], told["purchase"] is not None


def settle(now: datetime) -> StoreMessage:
    message = StoreMessage.objects.get()
    settled = settling.settle(message.id, now=now)
    assert settled is not None, message.next_attempt_at
    return settled


def test_a_store_that_says_nothing_of_it_is_asked_until_it_does(
    api: Client, headers: dict[str, str], device: Device, parrot: Parrot, now: datetime
) -> None:
    submission = submit(api, headers, "a-page")
    assert submission.status_code == 202
    settled = settle(now + timedelta(minutes=1))
    assert (settled.state, settled.code) == (MessageState.WAITING, "payment_pending")
    assert standing(api, headers, submission) == ("waiting", "payment_pending", False)

    parrot.said = (sale(now, StoreProductFactory(), device.viewer_id),)
    assert settle(now + DAY).state == MessageState.APPLIED
    assert standing(api, headers, submission) == ("booked", "", True)


def test_what_failed_is_refused_and_rings_for_nobody(
    api: Client, headers: dict[str, str], device: Device, parrot: Parrot, now: datetime
) -> None:
    submission = submit(api, headers, "a-page")
    failed = sale(now, StoreProductFactory(), device.viewer_id, payment=Payment.FAILED)
    parrot.said = (failed,)
    assert settle(now + DAY).state == MessageState.ENDED
    assert standing(api, headers, submission) == ("refused", "payment_failed", False)
    assert alarms.ringing(now=now) == []

    refusal = submit(api, headers, "a-page")
    assert (refusal.status_code, refusal.json()["code"]) == (422, "payment_failed")
    body = {"provider": "fake", "transactions": ["a-page"]}
    restored = api.post("/v1/purchases/restore", body, "application/json", headers=headers).json()
    assert [(one["outcome"], one["detail"]) for one in restored["restored"]] == [
        ("invalid", "payment_failed")
    ]


def test_what_came_to_nothing_is_asked_about_again_when_it_is_handed_in_again(
    api: Client, headers: dict[str, str], device: Device, parrot: Parrot, now: datetime
) -> None:
    submission = submit(api, headers, "a-page")
    StoreMessage.objects.update(
        state=MessageState.ENDED, next_attempt_at=None, code="payment_failed"
    )
    again = submit(api, headers, "a-page")
    assert (again.status_code, again.json()["id"]) == (202, submission.json()["id"])
    assert standing(api, headers, again) == ("waiting", "payment_pending", False)
    parrot.said = (sale(now, StoreProductFactory(), device.viewer_id),)
    settle(now + DAY)
    parrot.said = DOWN
    booked = submit(api, headers, "a-page")
    assert standing(api, headers, booked) == ("booked", "", True)


def test_nobody_waits_for_ever(
    api: Client, headers: dict[str, str], parrot: Parrot, now: datetime
) -> None:
    submission = submit(api, headers, "a-page")
    settled = settle(now + DAY)
    assert settled.next_attempt_at == now + DAY + settling.BUYERS_PAUSE
    assert settle(now + settling.PAID_WITHIN).state == MessageState.ENDED
    assert standing(api, headers, submission) == ("refused", "payment_overdue", False)


def test_one_purchase_in_many_spellings_is_one_submission(
    api: Client, headers: dict[str, str], parrot: Parrot
) -> None:
    spellings = ['{"a": 1, "b": 2}', '{ "b":2,"a":1 }', '{"a": 9, "a": 1, "b": 2}\n']
    assert len({submit(api, headers, one).json()["id"] for one in spellings}) == 1
    assert submit(api, headers, '{"a": 1, "b": 3}').status_code == 202
    assert StoreMessage.objects.count() == 2


def test_a_viewer_lets_so_much_wait_and_no_more(
    api: Client, headers: dict[str, str], parrot: Parrot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "SUBMISSIONS_EACH", 2)
    assert [submit(api, headers, name).status_code for name in "abca"] == [202, 202, 429, 202]
    body = {"provider": "fake", "transactions": ["d", "b"]}
    restored = api.post("/v1/purchases/restore", body, "application/json", headers=headers).json()
    assert [(one["outcome"], one["detail"]) for one in restored["restored"]] == [
        ("invalid", "too_many_submissions"),
        ("waiting", "payment_pending"),
    ]


def test_a_period_is_answered_though_the_store_says_more_after_it(
    api: Client, headers: dict[str, str], device: Device, parrot: Parrot, now: datetime
) -> None:
    story = Story(device.viewer_id, now, plan())
    parrot.said = (story.paid(0), story.says(State.ACTIVE, at=now, until=story.begins(1)))
    answer = submit(api, headers, "a-page").json()
    assert answer["bought_pass"] is not None
    assert answer["subscription"]["state"] == "active"


class TestRefundsAreNotHeldBack:
    """By a sale that was told with them and cannot be booked."""

    def told(self, now: datetime, **changes: Any) -> tuple[Any, ...]:
        back = StoreRefund(environment="production", transaction_id="sale-0", refunded_at=now)
        return (sale(now, StoreProductFactory(), None, **changes), back)

    def message(self, now: datetime) -> StoreMessage:
        return StoreMessage.objects.create(
            provider="fake",
            environment="production",
            event_id="fake-1",
            type="both",
            arrived_by=Arrival.PUSHED,
            body=b"",
            occurred_at=now,
            received_at=now,
            next_attempt_at=now,
        )

    @pytest.mark.parametrize("code", ["unclaimed", "transaction_invalid"])
    def test_of_a_message(self, parrot: Parrot, now: datetime, code: str) -> None:
        changes = {} if code == "unclaimed" else {"quantity": 0}
        parrot.said = self.told(now, **changes)
        self.message(now)
        settled = settle(now)
        assert (settled.state, settled.code) == (MessageState.WAITING, code)
        assert Refund.objects.get().transaction_id == "sale-0"

    def test_of_what_is_handed_in(
        self, api: Client, headers: dict[str, str], parrot: Parrot, now: datetime
    ) -> None:
        parrot.said = self.told(now, quantity=0)
        assert submit(api, headers, "a-page").status_code == 422
        assert Refund.objects.get().transaction_id == "sale-0"


class TestWake:
    def test_by_the_name_of_what_nobody_had_claimed(self, parrot: Parrot, now: datetime) -> None:
        product, buyer = StoreProductFactory(), DeviceFactory().viewer_id
        parrot.said = (
            sale(now, product, buyer),
            sale(now, product, None, transaction_id="nobodys"),
        )
        TestRefundsAreNotHeldBack().message(now)
        assert settle(now).subject == "nobodys"
        assert not Purchase.objects.exists()

    def test_also_what_was_parked(self, parrot: Parrot, now: datetime) -> None:
        message = TestRefundsAreNotHeldBack().message(now)
        StoreMessage.objects.update(
            subject="nobodys", code="unclaimed", attempts=170, state="parked", next_attempt_at=None
        )
        assert settling.wake("nobodys", provider="fake", now=now) == 1
        message.refresh_from_db()
        assert (message.state, message.attempts, message.next_attempt_at) == ("waiting", 0, now)
        StoreMessage.objects.update(code="unexpected", state="parked", next_attempt_at=None)
        assert settling.wake("nobodys", provider="fake", now=now) == 0


class TestPatience:
    def test_what_fails_unforeseen_in_a_row_is_parked(self, parrot: Parrot, now: datetime) -> None:
        TestRefundsAreNotHeldBack().message(now)
        parrot.said = DOWN
        for day in range(20):
            settle(now + day * DAY)
        parrot.said = KeyError("a bug")
        for day in range(20, 19 + settling.POISON_FAILURES):
            assert settle(now + day * DAY).state == MessageState.WAITING
        parrot.said = DOWN
        assert settle(now + 30 * DAY).failures == 0
        parrot.said = KeyError("a bug")
        states = [settle(now + day * DAY).state for day in range(31, 31 + settling.POISON_FAILURES)]
        assert states == ["waiting"] * (settling.POISON_FAILURES - 1) + ["parked"]

    def test_a_store_says_when_it_may_be_asked_again(self, parrot: Parrot, now: datetime) -> None:
        TestRefundsAreNotHeldBack().message(now)
        parrot.said = ProviderError("busy", Fault.UNAVAILABLE, retry_after_seconds=900)
        assert settle(now).next_attempt_at == now + timedelta(seconds=900)
