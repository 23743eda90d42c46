"""Series that become public by themselves, and what may happen to the queue before they do."""

import os
import signal
from contextlib import suppress
from datetime import timedelta

import httpx
import redis

from config import clock
from tests.crash.instance import Instance
from tests.factories.catalog import series_push

QUEUE = "swept"


def schedule_series(instance: Instance, *, name: str, seconds: float) -> str:
    """Push a series through the pipeline that is due in so many seconds; its id."""
    episode = {
        "external_id": "episode-1",
        "number": 1,
        "texts": {"en": {"title": "Chapter 1", "synopsis": ""}},
        "version": {
            "external_id": "v1",
            "locale": "en",
            "provenance": {"kind": "human", "model": "", "content_label": ""},
            "media_sha256": instance.population.video_sha256,
            "duration_ms": 8000,
            "width": 360,
            "height": 640,
            "beats": [],
        },
    }
    publish_at = clock.read() + timedelta(seconds=seconds)
    body = series_push(state="scheduled", publish_at=publish_at.isoformat(), episodes=[episode])
    answer = httpx.put(
        f"http://127.0.0.1:{instance.port}/v1/pipeline/series/{name}",
        json=body,
        headers={"Authorization": f"Bearer {instance.population.api_key}"},
        timeout=30,
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == "scheduled", answer.text
    series_id: str = answer.json()["series_id"]
    return series_id


def kill_broker(instance: Instance) -> None:
    """The broker dies under a task worker and a sweeper that are talking to it."""
    before = instance.status().broker_pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    instance.wait_until(
        lambda: instance.status().broker_pid not in {None, before} and instance.has_services(),
        "the broker is back",
    )


def kill_broker_with_a_task_in_hand(instance: Instance) -> None:
    """The broker dies when the task worker has received a task and not finished it."""
    pool = instance.worker.children()
    for pid in pool:
        os.kill(pid, signal.SIGSTOP)
    try:
        instance.wait_until(
            lambda: _tasks_in_hand(instance) > 0,
            "the task worker hears the sweeper",
        )
        kill_broker(instance)
    finally:
        for pid in pool:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _tasks_in_hand(instance: Instance) -> int:
    """What the worker's own log says to have come and not to have ended."""
    said = instance.worker.said()
    return said.count(" received") - said.count(" succeeded in ")


def lose_every_ring(instance: Instance, series_id: str) -> None:
    """What was rung for after the series was due is wiped, and the broker killed.

    No task worker runs meanwhile, so no ring is heard: a living one could have one in hand.
    """
    instance.worker.kill_group()
    address = instance.endpoints().socket_dir / "broker.sock"
    with redis.Redis(unix_socket_path=str(address)) as broker:
        instance.wait_until(lambda: is_due(instance, series_id), "the series is due")
        broker.delete(QUEUE)
        instance.wait_until(lambda: broker.llen(QUEUE) > 0, "the sweeper rings for what is due")
        assert not instance.published(series_id), "there was nobody to publish it"
        broker.flushall()
    kill_broker(instance)
    instance.worker.start()


def is_due(instance: Instance, series_id: str) -> bool:
    """Whether the series' moment has come, by the database's clock."""
    return instance.query(
        "SELECT publish_at <= clock_timestamp() FROM catalog_series WHERE id = %s", series_id
    ) == [(True,)]
