"""Killing flusher and merger where it hurts: their files are written, and the manifest does not name
them.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random

import psycopg
import redis

from analytics.lake import merging
from tests.crash import schedule
from tests.crash.event_clients import EventLoad
from tests.crash.instance import Instance
from tests.crash.victims import (
    IsBack,
    Victim,
    kill_postgres,
    kill_redis,
    kill_supervisor,
    kill_task_worker,
    kill_web_server,
    kill_web_worker,
)

_WAITERS = """
    SELECT count(*) FROM pg_locks WHERE relation = 'analytics_lakefile'::regclass AND NOT granted
"""

_COMPARED = """
    SELECT count(*) FROM analytics_lakefile
    WHERE retired_at IS NULL AND compared_at IS NOT NULL AND dataset = 'events'
      AND path NOT LIKE '%merged-%'
"""
_AGE = """
    UPDATE analytics_lakefile
    SET day = day - 3, created_at = created_at - interval '3 hours'
    WHERE retired_at IS NULL AND compared_at IS NOT NULL AND dataset = 'events'
      AND path NOT LIKE '%merged-%'
"""


def kill_before_the_manifest(instance: Instance, load: EventLoad, chance: Random) -> IsBack:
    """The task worker waits to name in the manifest what it has written, and dies waiting.

    The manifest is locked meanwhile, so it is no matter of luck that it dies just there.
    """
    before = unnamed_files(instance)
    with _manifest_locked(instance):
        _kill_at_the_manifest(instance, "a flush", lambda path: path not in before)
    instance.worker.start()
    return lambda: instance.works() and instance.serves()


def kill_merger(instance: Instance, load: EventLoad, chance: Random) -> IsBack:
    """The same while it puts a merged file in the place of others.

    It is kept from merging until there are files that have waited for long, which it takes at once.
    """
    before = unnamed_files(instance)
    with ExitStack() as stack:
        with _nobody_merges(instance):
            instance.wait_until(
                lambda: instance.query(_COMPARED)[0][0] > 3, "there are files to merge"
            )
            instance.query(_AGE)
            stack.enter_context(_manifest_locked(instance))
        _kill_at_the_manifest(
            instance, "a merge", lambda path: "merged-" in path and path not in before
        )
    instance.worker.start()
    return lambda: instance.works() and instance.serves()


def _kill_at_the_manifest(instance: Instance, who: str, is_written: Callable[[str], bool]) -> None:
    instance.wait_until(
        lambda: (
            instance.query(_WAITERS)[0][0] > 0 and any(map(is_written, unnamed_files(instance)))
        ),
        f"{who} has come to the manifest with what it has written",
    )
    instance.worker.kill_leader()
    instance.worker.kill_group()


def kill_sweeper(instance: Instance, load: EventLoad, chance: Random) -> IsBack:
    """The sweeper dies, and for a while nobody rings."""
    instance.sweeper.kill_group()
    time.sleep(chance.uniform(0, 1))
    instance.sweeper.start()
    return lambda: instance.sweeper.is_alive() and instance.serves()


def wipe_broker(instance: Instance, load: EventLoad, chance: Random) -> IsBack:
    """Everything that was rung for is wiped, and the broker killed."""
    address = instance.endpoints().socket_dir / "broker.sock"
    with redis.Redis(unix_socket_path=str(address)) as broker:
        broker.flushall()
    schedule.kill_broker(instance)
    return instance.serves


def unnamed_files(instance: Instance) -> set[str]:
    """The files in the lake's folder that are no part of the lake."""
    folder = instance.data_dir / "lake"
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.parquet")}
    return there - {path for (path,) in instance.query("SELECT path FROM analytics_lakefile")}


@contextmanager
def _nobody_merges(instance: Instance) -> Iterator[None]:
    address = instance.endpoints().database_url
    with psycopg.connect(address, connect_timeout=5, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [merging.LOCK])
        yield


@contextmanager
def _manifest_locked(instance: Instance) -> Iterator[None]:
    address = instance.endpoints().database_url
    with psycopg.connect(address, connect_timeout=5) as connection:
        connection.execute("LOCK TABLE analytics_lakefile IN SHARE ROW EXCLUSIVE MODE")
        yield
        connection.rollback()


EVENT_VICTIMS = (
    Victim("the flusher before the manifest", "P13", kill_before_the_manifest, full_kills=6),
    Victim("the merger before the manifest", "P13", kill_merger, full_kills=4),
    Victim("the task worker", "P13", kill_task_worker, full_kills=6),
    Victim("Postgres", "P13", kill_postgres, full_kills=30),
    Victim("a web worker", "P13", kill_web_worker, full_kills=4),
    Victim("the web server", "P13", kill_web_server, full_kills=4),
    Victim("the sweeper", "P13", kill_sweeper, full_kills=2),
    Victim("the broker, wiped", "P13", wipe_broker, full_kills=3),
    Victim("both Redis processes", "P13", kill_redis, full_kills=2),
    Victim("the supervisor with all services", "P13", kill_supervisor, full_kills=3),
)
