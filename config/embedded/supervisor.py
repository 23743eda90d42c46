"""The one process for each data folder that runs PostgreSQL and two Redis as its children.

It is detached from the terminal and from whoever asked for it. It holds the supervisor's lock from
before its birth, since the starter hands the locked descriptor on, so there is no moment in which
a second one could begin. It ends when nobody has held the users' lock for some seconds, on
SIGTERM, or when its data folder is deleted or moved away.
"""

import argparse
import logging
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config.embedded import (
    binaries,
    children,
    clusters,
    journal,
    locks,
    postgres,
    processes,
    sockets,
    state,
    valkey,
)
from config.embedded.children import Child
from config.embedded.clusters import Cluster
from config.embedded.errors import EmbeddedServicesError
from config.embedded.places import Places
from config.embedded.state import Phase, State

IDLE_SECONDS = 5.0
"""How long the services outlive their last user, so that successive commands find them running."""

_TICK_SECONDS = 0.5
_STARTING_TICK_SECONDS = 0.02
_REFRESH_SECONDS = 600.0
_HOPELESS_FAILURES = 4

log = logging.getLogger("supervisor")


@dataclass(frozen=True)
class Instance:
    """What is being supervised."""

    cluster: Cluster
    sockets: Path
    children: list[Child]


def prepare(places: Places, *, durable: bool) -> Instance:
    """Make everything ready to be started: programs, cluster, socket folder, no leftovers."""
    cluster = clusters.locate(places)
    programs = binaries.reachable_by(cluster.account)
    processes.end_leftovers(cluster.mark, cluster.account)
    owner_uid = places.data_dir.stat().st_uid
    postgres.prepare(cluster, programs, data_owner_uid=owner_uid, durable=durable)
    folder = sockets.claim(cluster.account, cluster.sockets_name)
    services = (
        postgres.program(cluster, programs, folder, durable=durable),
        valkey.broker(cluster, programs, folder),
        valkey.cache(cluster, programs, folder),
    )
    return Instance(cluster, folder, [Child(service) for service in services])


class Supervisor:
    """Runs the services until they are not wanted any more."""

    def __init__(self, places: Places, lock_descriptor: int, *, durable: bool) -> None:
        self._places = places
        self._lock = lock_descriptor
        self._users = locks.open_lock(places.users_lock)
        self._folder = os.open(places.folder, os.O_RDONLY | os.O_DIRECTORY)
        self._state = State(phase=Phase.STARTING, durable=durable)
        self._used_at = self._refreshed_at = time.monotonic()
        self._is_told_to_stop = False
        self._wakeup = self._listen_to_signals()

    def run(self) -> None:
        """Start everything, watch it, stop everything. Locks are given up last."""
        instance = error = None
        try:
            self._publish(Phase.STARTING, None)
            instance = prepare(self._places, durable=self._state.durable)
            while self._is_wanted():
                self._tick(instance)
        except EmbeddedServicesError as failure:
            error = str(failure)
            log.error("giving up: %s", error)
        except (OSError, subprocess.SubprocessError) as failure:
            error = str(failure)
            log.exception("giving up")
        self._stop(instance, error)

    def _listen_to_signals(self) -> int:
        # A signal only wakes the loop, which then looks at what there is to do.
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: self._note_stop())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return reading

    def _note_stop(self) -> None:
        self._is_told_to_stop = True

    def _is_wanted(self) -> bool:
        if self._is_told_to_stop or not locks.is_file(self._users, self._places.users_lock):
            return False
        now = time.monotonic()
        if not locks.try_exclusive(self._users):
            self._used_at = now
            return True
        # Users touch the lock file, so that one who came and went between two looks counts too.
        touched_seconds_ago = abs(time.time() - os.fstat(self._users).st_mtime)
        if min(now - self._used_at, touched_seconds_ago) < IDLE_SECONDS:
            locks.release(self._users)
            return True
        log.info("nobody uses the services any more")
        return False  # the lock is kept, so that a newcomer waits until all has ended

    def _tick(self, instance: Instance) -> None:
        for child in instance.children:
            child.collect()
            child.advance()
            if child.failures >= _HOPELESS_FAILURES and not child.has_been_ready:
                raise EmbeddedServicesError(f"{child.program.name} does not start.")
        children.collect_adopted(instance.children)
        _restore_sockets(instance)
        are_ready = all(child.is_ready for child in instance.children)
        if are_ready:
            self._publish(Phase.READY, instance)
        else:
            were_ready = all(child.has_been_ready for child in instance.children)
            self._publish(Phase.RECOVERING if were_ready else Phase.STARTING, instance)
        self._refresh(instance)
        self._sleep(_TICK_SECONDS if are_ready else _STARTING_TICK_SECONDS)

    def _refresh(self, instance: Instance) -> None:
        now = time.monotonic()
        if now - self._refreshed_at > _REFRESH_SECONDS:
            self._refreshed_at = now
            journal.trim(self._places)
            sockets.refresh(instance.sockets)

    def _sleep(self, seconds: float) -> None:
        if select.select([self._wakeup], [], [], seconds)[0]:
            os.read(self._wakeup, 4096)

    def _publish(self, phase: Phase, instance: Instance | None, error: str | None = None) -> None:
        pids = {child.program.name: child.pid for child in instance.children} if instance else {}
        current = State(
            phase=phase,
            durable=self._state.durable,
            supervisor_pid=os.getpid(),
            postgres_pid=pids.get("postgres"),
            broker_pid=pids.get("broker"),
            cache_pid=pids.get("cache"),
            socket_dir=str(instance.sockets) if instance else None,
            service_uid=instance.cluster.account.uid if instance else None,
            error=error,
        )
        if current != self._state:
            self._state = current
            with suppress(FileNotFoundError):  # the folder is being deleted: the next look ends us
                state.write(self._places, current)

    def _stop(self, instance: Instance | None, error: str | None) -> None:
        is_deleted = clusters.is_deleted(self._places, self._folder)
        is_here = locks.is_file(self._users, self._places.users_lock)
        if is_here:
            self._publish(Phase.STOPPING, instance)
        if instance:
            children.end_all(instance.children, quickly=is_deleted)
            sockets.remove(instance.sockets)
        if instance and is_deleted:
            clusters.finish_deletion(self._places, instance.cluster)
        if is_here:
            self._publish(Phase.FAILED if error else Phase.STOPPED, None, error)
        log.info("stopped")
        os.close(self._lock)
        os.close(self._users)


def _restore_sockets(instance: Instance) -> None:
    """Put the socket folder back if it was cleaned away, and restart who listened in it."""
    missing = [
        child
        for child in instance.children
        if child.is_ready and not child.program.socket_file.exists()
    ]
    if not missing:
        return
    log.warning("sockets vanished from %s", instance.sockets)
    cluster = instance.cluster
    if not sockets.is_trusted(instance.sockets, cluster.account.uid):
        claimed = sockets.claim(cluster.account, cluster.sockets_name)
        if claimed != instance.sockets:
            raise EmbeddedServicesError(f"{instance.sockets} was taken by somebody else.")
    for child in missing:
        child.restart()


def main() -> None:
    """Become the supervisor of a data folder whose lock was handed over."""
    parser = argparse.ArgumentParser(prog="config.embedded.supervisor")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("lock_descriptor", type=int)
    parser.add_argument("--not-durable", action="store_true")
    chosen = parser.parse_args()
    os.set_inheritable(chosen.lock_descriptor, False)
    if os.fork() > 0:
        os._exit(0)  # the starter waits for this launcher only, and has no child to wait for later
    os.chdir("/")
    os.umask(0o077)
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(name)s[%(process)d] %(levelname)s %(message)s",
    )
    processes.adopt_orphans()
    places = Places.of(chosen.data_dir)
    Supervisor(places, chosen.lock_descriptor, durable=not chosen.not_durable).run()


if __name__ == "__main__":
    main()
