"""Refresh tokens under concurrency: real threads, real transactions, forced interleavings."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.test import Client

from config.problems import Problem
from tests.factories.viewers import DeviceFactory, clock_headers
from viewers import refresh_tokens
from viewers.models import Device, RefreshToken

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE_SECONDS = 1.5


@pytest.fixture
def device():
    return DeviceFactory()


def rotate(token: str, now) -> refresh_tokens.IssuedTokens | str:
    """The new tokens, or the code of the refusal; in a thread with a connection of its own."""
    try:
        return refresh_tokens.rotate(refresh_token=token, now=now)
    except Problem as refusal:
        return refusal.code
    finally:
        connection.close()


@contextmanager
def held_back(device: Device, calls: int) -> Iterator[None]:
    """Keeps the family locked until `calls` threads wait for it, so that they truly meet."""
    with transaction.atomic():
        Device.objects.select_for_update(no_key=True).get(id=device.id)
        yield
        deadline = time.monotonic() + PATIENCE_SECONDS
        while waiting() < calls:
            assert time.monotonic() < deadline, "the threads never reached the lock"
            time.sleep(0.01)


def waiting() -> int:
    """Sessions of this database that wait for a lock: those hold locks here and lack one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT lacked.pid) FROM pg_locks lacked JOIN pg_locks held USING (pid)"
            " JOIN pg_database ON pg_database.oid = held.database"
            " WHERE NOT lacked.granted AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])


def together(device: Device, *calls: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(calls)) as threads:
        with held_back(device, len(calls)):
            running: list[Future[Any]] = [threads.submit(call) for call in calls]
        return [call.result() for call in running]


def live() -> list[RefreshToken]:
    return list(RefreshToken.objects.filter(used_at=None, revoked_at=None))


def test_twin_refreshes_leave_one_live_chain(device, now):
    first = refresh_tokens.open_family(device=device, now=now).refresh_token

    answers = together(device, *[lambda: rotate(first, now)] * 2)

    assert all(isinstance(answer, refresh_tokens.IssuedTokens) for answer in answers)
    assert len(live()) == 1
    outcomes = [rotate(answer.refresh_token, now) for answer in answers]
    assert sorted(isinstance(outcome, str) for outcome in outcomes) == [False, True]
    assert "refresh_token_invalid" in outcomes
    assert len(live()) == 1


def test_a_crowd_of_refreshes_leaves_one_live_chain(device, now):
    first = refresh_tokens.open_family(device=device, now=now).refresh_token

    answers = together(device, *[lambda: rotate(first, now)] * 4)

    outcomes = [rotate(answer.refresh_token, now) for answer in answers]
    assert len([outcome for outcome in outcomes if outcome != "refresh_token_invalid"]) == 1
    assert len(live()) == 1


def test_twin_refreshes_without_grace_revoke_the_family(device, now, settings):
    settings.REFRESH_GRACE_SECONDS = 0
    first = refresh_tokens.open_family(device=device, now=now).refresh_token

    answers = together(device, *[lambda: rotate(first, now)] * 2)

    issued = [answer for answer in answers if isinstance(answer, refresh_tokens.IssuedTokens)]
    assert len(issued) == 1
    assert "refresh_token_reused" in answers
    assert live() == []


def test_a_reuse_also_revokes_the_successor_that_is_just_being_made(device, now):
    used = refresh_tokens.open_family(device=device, now=now).refresh_token
    current = rotate(used, now)
    assert isinstance(current, refresh_tokens.IssuedTokens)
    late = now + timedelta(hours=1)

    answers = together(
        device,
        lambda: rotate(current.refresh_token, late),
        lambda: rotate(used, late),
    )

    assert answers[1] == "refresh_token_reused"
    assert live() == []


def test_a_familys_revocation_is_committed_although_the_answer_refuses(device, now):
    used = refresh_tokens.open_family(device=device, now=now).refresh_token
    rotate(used, now)
    late = now + timedelta(hours=1)

    response = Client(raise_request_exception=False).post(
        "/v1/viewers/tokens",
        {"refresh_token": used},
        content_type="application/json",
        headers=clock_headers(late),
    )

    assert (response.status_code, response.json()["code"]) == (401, "refresh_token_reused")
    assert seen_from_outside("SELECT revoked_at FROM viewers_refreshtoken") == [(late,), (late,)]


def seen_from_outside(query: str) -> list[tuple[Any, ...]]:
    """What a session of its own sees, which is what was committed."""
    given = connection.get_connection_params()
    wanted = {
        key: given[key] for key in ("dbname", "user", "password", "host", "port") if key in given
    }
    with psycopg.connect(**wanted, options=given["options"]) as session:
        return session.execute(query).fetchall()
