"""The same batch from many threads at once is stored once, and everybody is told the same."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from analytics.intake import inbox
from analytics.models import EventBatch, QuarantinedEvent
from tests.factories.events import app_open, body

THREADS = 8


def together(calls: list[Callable[[], Any]]) -> list[Any]:
    """What each of the calls returned or raised, all begun at once."""
    barrier = threading.Barrier(len(calls))
    ended: list[Any] = [None] * len(calls)

    def run(number, call):
        barrier.wait()
        try:
            ended[number] = call()
        except Exception as refusal:  # noqa: BLE001  shown by the test
            ended[number] = refusal
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended


@pytest.mark.django_db(transaction=True)
def test_the_same_batch_is_stored_once_and_answered_alike(now):
    for _ in range(10):
        sent, viewer_id = body([app_open(at=now), {}], sent_at=now), uuid4()

        ended = together(
            [
                lambda sent=sent, viewer_id=viewer_id: inbox.receive(
                    viewer_id=viewer_id, environment="production", body=sent, now=now
                )
            ]
            * THREADS
        )

        assert ended == [ended[0]] * THREADS
        assert [verdict.code for verdict in ended[0].verdicts] == [None, "malformed_event"]
        assert EventBatch.objects.filter(viewer_id=viewer_id).count() == 1
        assert QuarantinedEvent.objects.filter(viewer_id=viewer_id).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_bodies_under_one_id_one_is_stored_and_the_others_refused(now):
    viewer_id, batch_id = uuid4(), str(uuid4())
    bodies = [
        body([app_open(at=now)] * (number + 1), sent_at=now, batch_id=batch_id)
        for number in range(THREADS)
    ]

    ended = together(
        [
            lambda sent=sent: inbox.receive(
                viewer_id=viewer_id, environment="production", body=sent, now=now
            )
            for sent in bodies
        ]
    )

    stored = [each for each in ended if isinstance(each, inbox.Received)]
    refused = [each for each in ended if isinstance(each, inbox.BatchIdReused)]
    assert (len(stored), len(refused)) == (1, THREADS - 1)
    assert EventBatch.objects.get().event_count == len(stored[0].verdicts)
