"""What is tried in vain is shown, and what waits for its buyer is not."""

from datetime import datetime

import pytest

from payments.messages import alarms
from payments.models import Arrival, MessageState, StoreMessage


def waiting(now: datetime, *, code: str, attempts: int, name: str) -> None:
    StoreMessage.objects.create(
        provider="apple",
        environment="production",
        event_id=name,
        type="ONE_TIME_CHARGE",
        arrived_by=Arrival.PUSHED,
        body=b"",
        occurred_at=now,
        received_at=now,
        state=MessageState.WAITING,
        next_attempt_at=now,
        attempts=attempts,
        code=code,
    )


@pytest.mark.django_db
def test_an_operator_is_told_of_what_was_tried_three_times(now: datetime) -> None:
    for number, attempts in enumerate((2, 3, 170)):
        waiting(now, code="product_unknown", attempts=attempts, name=f"{number}")
    waiting(now, code="unclaimed", attempts=9, name="unclaimed")
    waiting(now, code="payment_pending", attempts=9, name="pending")
    (alarm,) = alarms.ringing(now=now)
    assert (alarm.code, alarm.sentence) == (
        "messages_waiting",
        "2 messages of apple wait to be applied: product unknown.",
    )
