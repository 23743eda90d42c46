"""Who is killed, how, and what it takes to be back."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

import psycopg

from tests.crash.crowd import Crowd
from tests.crash.failpoints import IN_TRANSACTION, POINTS, Point, Session
from tests.crash.instance import Instance

IsBack = Callable[[], bool]
Strike = Callable[[Instance, Crowd[Any, Any], Random], IsBack]
StrikeAt = Callable[[Instance, Crowd[Any, Any], Random, Session], IsBack]


@dataclass(frozen=True)
class Victim:
    """Something to kill. `strike` kills it under load and returns how to see that it is back;
    `strike_at` kills it while a session waits at one of `points`.
    """

    name: str
    promise: str
    strike: Strike
    full_kills: int
    points: Sequence[Point] = ()
    strike_at: StrikeAt | None = None


def kill_postgres(
    instance: Instance,
    load: Crowd[Any, Any],
    chance: Random,
    session: Session | None = None,
) -> IsBack:
    """The server's first process. The supervisor starts another one, which recovers."""
    before = instance.status().postgres_pid
    _kill(before)
    return lambda: instance.status().postgres_pid not in {None, before} and instance.serves()


def kill_postgres_process(
    instance: Instance,
    load: Crowd[Any, Any],
    chance: Random,
    session: Session | None = None,
) -> IsBack:
    """The one that waits, or any but the first, which then ends all others, recovers and starts
    anew."""
    before = _postgres_processes(instance)
    while True:
        with suppress(ProcessLookupError):  # some of them come and go
            _kill(session.postgres_pid if session else chance.choice(sorted(before)))
            break

    def is_back() -> bool:
        try:
            return not before & _postgres_processes(instance) and instance.serves()
        except psycopg.OperationalError:
            return False

    return is_back


def kill_redis(instance: Instance, load: Crowd[Any, Any], chance: Random) -> IsBack:
    """Both processes, frozen first: unlocks go on while neither broker nor cache answers."""
    before = instance.status()
    pids = {before.broker_pid, before.cache_pid}
    for pid in pids:
        _send(pid, signal.SIGSTOP)
    try:
        instance.wait_until(load.everybody_again(), "unlocks go on without Redis")
    finally:
        for pid in pids:
            _kill(pid)

    def is_back() -> bool:
        now = instance.status()
        return not pids & {now.broker_pid, now.cache_pid, None} and instance.serves()

    return is_back


def kill_web_worker(
    instance: Instance,
    load: Crowd[Any, Any],
    chance: Random,
    session: Session | None = None,
) -> IsBack:
    """One of the processes that answer requests, or the one that waits; the server starts another.

    When a replacement dies within its first seconds the server takes it for a crash loop and ends,
    which is its process manager's business.
    """
    before = instance.web_workers()
    victim = session.web_pid if session else chance.choice(before)
    assert victim in before
    _kill(victim)

    def is_back() -> bool:
        if not instance.web.is_alive():
            instance.web.kill_group()
            instance.web.start()
        now = instance.web_workers()
        return len(now) == len(before) and victim not in now and instance.serves()

    return is_back


def kill_web_server(
    instance: Instance,
    load: Crowd[Any, Any],
    chance: Random,
    session: Session | None = None,
) -> IsBack:
    """The web server's first process, then, as a process manager does, the orphans it left."""
    before = instance.web_workers()
    instance.web.kill_leader()
    time.sleep(chance.uniform(0, 0.3))
    instance.web.kill_group()
    instance.web.start()
    return lambda: len(instance.web_workers()) == len(before) and instance.serves()


def kill_task_worker(instance: Instance, load: Crowd[Any, Any], chance: Random) -> IsBack:
    """The task worker's first process and what it left."""
    instance.worker.kill_leader()
    time.sleep(chance.uniform(0, 0.3))
    instance.worker.kill_group()
    instance.worker.start()
    return lambda: instance.works() and instance.serves()


def kill_supervisor(instance: Instance, load: Crowd[Any, Any], chance: Random) -> IsBack:
    """The supervisor, and with it all services: whoever uses them starts another."""
    before = instance.status()
    _kill(before.supervisor_pid)

    def is_back() -> bool:
        now = instance.status()
        are_new = (
            getattr(now, name) not in {None, getattr(before, name)}
            for name in ("supervisor_pid", "postgres_pid", "broker_pid", "cache_pid")
        )
        return all(are_new) and instance.serves()

    return is_back


VICTIMS = (
    Victim("Postgres", "P4", kill_postgres, full_kills=60, points=POINTS, strike_at=kill_postgres),
    Victim(
        "a process of Postgres",
        "P4",
        kill_postgres_process,
        full_kills=40,
        points=IN_TRANSACTION,
        strike_at=kill_postgres_process,
    ),
    Victim(
        "a web worker",
        "P4",
        kill_web_worker,
        full_kills=60,
        points=POINTS,
        strike_at=kill_web_worker,
    ),
    Victim(
        "the web server",
        "P4",
        kill_web_server,
        full_kills=40,
        points=POINTS,
        strike_at=kill_web_server,
    ),
    Victim("the task worker", "P4", kill_task_worker, full_kills=10),
    Victim("the supervisor with all services", "P4", kill_supervisor, full_kills=20),
    Victim("both Redis processes", "P14", kill_redis, full_kills=20),
)


def _postgres_processes(instance: Instance) -> set[int]:
    return {
        pid
        for (pid,) in instance.query(
            "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        )
    }


def _kill(pid: int | None) -> None:
    _send(pid, signal.SIGKILL)


def _send(pid: int | None, sign: signal.Signals) -> None:
    assert pid is not None, "there is nobody to kill"
    os.kill(pid, sign)
