"""Who books what a viewer hands in locks rows in the order of who applies a message about the same: neither waits
for the other for ever.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from django.db import connection, transaction

from payments.messages import submissions
from payments.models import Arrival, ChangeCause, MessageState, StoreMessage
from payments.providers.base import State
from payments.store import facts
from payments.store.facts import Telling
from tests.factories.viewers import DeviceFactory
from tests.payments.subscribing import Story, plan

_WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.mark.django_db(transaction=True)
def test_a_message_is_locked_before_the_subscription_that_it_is_about(now: datetime) -> None:
    viewer_id = DeviceFactory().viewer_id
    story = Story(viewer_id, now, plan())
    told = story.says(State.ACTIVE, at=now, until=story.begins(1))

    def hand_in() -> None:
        submissions.book([told], viewer_id=viewer_id, provider="fake", now=now)

    hand_in()
    message = StoreMessage.objects.create(
        provider="fake",
        environment="production",
        event_id="waits",
        type="renewed",
        arrived_by=Arrival.PUSHED,
        body=b"",
        subject=story.name,
        occurred_at=now,
        received_at=now,
        state=MessageState.WAITING,
        next_attempt_at=now,
    )
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            StoreMessage.objects.select_for_update().get(id=message.id)
            handing_in = pool.submit(_closing, hand_in)
            _wait_for_somebody_who_waits()
            # Whoever applies the message comes to what it is about next.
            telling = Telling(cause=ChangeCause.MESSAGE, message_id=message.id)
            facts.apply_all([told], provider="fake", telling=telling, now=now)
        handing_in.result(timeout=30)


def _closing(call: Callable[[], None]) -> None:
    try:
        call()
    finally:
        connection.close()


def _wait_for_somebody_who_waits() -> None:
    until = time.monotonic() + 10
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_WAITS)
            if cursor.fetchone() != (0,):
                return
        assert time.monotonic() < until
        time.sleep(0.02)
