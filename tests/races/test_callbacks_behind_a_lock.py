"""A callback that finds its viewer's wallet locked is settled within two seconds, or not at all and the next time."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from ads.models import AdSession, Callback, Reward
from tests.factories.ads import PlacementFactory, ad_session, open_session, watched
from tests.factories.viewers import ViewerFactory, clock_headers

pytestmark = pytest.mark.django_db(transaction=True)

#: What WeChat waits for an answer.
ITS_PATIENCE_SECONDS = 1.0


@pytest.fixture
def session() -> AdSession:
    """An ad for coins that was shown."""
    placement = PlacementFactory(reward="coins", reward_amount=1)
    now = datetime.fromisoformat("2026-03-14T12:00:00Z")
    return ad_session(placement, viewer_id=ViewerFactory().id, episode_id=None, now=now)


def _call(query: str, now: datetime) -> Any:
    try:
        client = Client(raise_request_exception=False)
        return client.get(f"/v1/ssv/fake?{query}", headers=clock_headers(now))
    finally:
        connection.close()


def _behind_a_lock(
    session: AdSession, query: str, now: datetime, *, wait: Callable[["Future[Any]"], object]
) -> Any:
    """The answer to a callback that comes while the viewer opens another ad, which takes until `wait` is done."""
    other = PlacementFactory(reward="coins", reward_amount=1)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            open_session(other, viewer_id=session.viewer_id, episode_id=None, now=now)
            calling = pool.submit(_call, query, now)
            wait(calling)
            assert not Reward.objects.exists()
        return calling.result(timeout=30)


def test_a_lock_that_outlasts_the_networks_patience_settles_it_all_the_same(
    session: AdSession, now: datetime
) -> None:
    query = watched(session, now=now)

    first = _behind_a_lock(
        session, query, now, wait=lambda _: time.sleep(ITS_PATIENCE_SECONDS + 0.2)
    )

    assert (first.status_code, first.json()) == (200, {"verdict": "paid"})
    assert _call(query, now).json() == {"verdict": "replayed"}
    assert Reward.objects.count() == 1


def test_a_lock_of_two_seconds_leaves_nothing_of_it_and_the_next_time_pays(
    session: AdSession, now: datetime
) -> None:
    query = watched(session, now=now)

    first = _behind_a_lock(session, query, now, wait=lambda calling: calling.result(timeout=30))

    assert (first.status_code, first.json()["code"]) == (409, "busy")
    assert "Retry-After" in first.headers
    assert (Reward.objects.count(), Callback.objects.count()) == (0, 0)
    assert _call(query, now).json() == {"verdict": "paid"}
    assert Reward.objects.count() == 1
