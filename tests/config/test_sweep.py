"""The sweeper rings as long as somebody listens, and keeps no worker that is behind from catching up."""

from collections.abc import Iterator

import pytest
from kombu import Connection
from pytest_django.fixtures import Settings

from config.celery import app
from config.management.commands.sweep import Command


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Connection]:
    """One in this process; `app` uses no other meanwhile."""
    with Connection("memory://") as connection:
        monkeypatch.setattr(app, "connection_for_write", lambda: Connection("memory://"))
        monkeypatch.setattr(app, "send_task", _sent_by(connection, settings.SWEPT_QUEUE))
        yield connection
        connection.channel().queue_delete(settings.SWEPT_QUEUE)


def _sent_by(connection: Connection, swept: str) -> object:
    def send(task: str, *, queue: str, **options: object) -> None:
        assert queue == swept
        assert "expires" not in options, "what waits long is all the more due"
        with connection.SimpleQueue(queue) as rings:
            rings.put(task)

    return send


def test_rings_are_made_until_two_rounds_of_them_wait(
    broker: Connection, settings: Settings
) -> None:
    settings.SWEPT_TASKS = ["one", "two"]
    for _ in range(9):
        Command()._ring()

    with broker.SimpleQueue(settings.SWEPT_QUEUE) as queue:
        assert queue.qsize() == 4
        for _ in range(3):
            queue.get(block=False).ack()
        Command()._ring()
        assert [queue.get(block=False).payload for _ in range(3)] == ["two", "one", "two"]


def test_a_broker_that_does_not_answer_ends_no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = "redis://127.0.0.1:9/0"
    monkeypatch.setattr(app, "connection_for_write", lambda: Connection(nowhere))
    rung = list[str]()
    monkeypatch.setattr(app, "send_task", lambda task, **_: rung.append(task))

    Command()._ring()

    assert rung
