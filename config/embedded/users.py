"""The processes that use the services: coming, staying and bringing them back.

A process that called `acquire` is a user until it ends. It holds the users' lock shared, which its
forked children inherit, so the services outlive a parent whose children still work. A small thread
looks every half second whether the supervisor is still there; if it was killed, the first user who
notices starts another one.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config.embedded import endpoints, journal, locks, spawning, state
from config.embedded.endpoints import Endpoints
from config.embedded.errors import EmbeddedServicesError
from config.embedded.places import Places
from config.embedded.state import Phase, State

START_SECONDS = 60.0
"""How long `acquire` waits: for a first start, for a stop under way, for recovery after a crash."""

_POLL_SECONDS = 0.02
_WATCH_SECONDS = 0.5
_RETRY_FAILED_SECONDS = 15.0
_ATTEMPTS = 3

log = logging.getLogger(__name__)


@dataclass
class _Holding:
    """This process's share in one data folder."""

    places: Places
    descriptor: int


_holdings: dict[Path, _Holding] = {}
_acquiring = threading.Lock()
# Held while a descriptor of the supervisor's lock is open, and across every fork: a child that
# inherited that descriptor would keep the lock for life.
_spawning = threading.Lock()
_watcher: threading.Thread | None = None
_pause = threading.Event()


def acquire(data_dir: Path, *, fsync: bool = True) -> Endpoints:
    """The embedded services of a data folder, started if need be, held until this process ends.

    Returns when all three answer. With `fsync` off a new instance never waits for the disk: for
    tests alone, a power cut destroys it.
    Raises EmbeddedServicesError when they cannot be started or do not answer within START_SECONDS,
    or when `fsync` is wanted and they already run without.
    """
    places = Places.of(data_dir)
    deadline = time.monotonic() + START_SECONDS
    with _acquiring:
        try:
            _hold(places, deadline)
            found = _wait_for_services(places, deadline, durable=fsync)
        except OSError as error:
            raise EmbeddedServicesError(f"{places.folder} cannot be used: {error}") from error
        _watch()
        return found


def hold_descriptor(data_dir: Path) -> int:
    """The descriptor of this process's share, to hand on to a program that should hold it too."""
    return _holdings[Places.of(data_dir).data_dir].descriptor


def _hold(places: Places, deadline: float) -> None:
    """Take the shared lock once for each process, waiting while a supervisor is stopping."""
    holding = _holdings.get(places.data_dir)
    if holding is not None:
        if locks.is_file(holding.descriptor, places.users_lock):
            return
        os.close(_holdings.pop(places.data_dir).descriptor)  # the folder was deleted since
    while True:
        places.prepare()
        descriptor = locks.open_lock(places.users_lock)
        places.adopt(places.users_lock)
        if locks.try_shared(descriptor) and locks.is_file(descriptor, places.users_lock):
            os.utime(descriptor)
            _holdings[places.data_dir] = _Holding(places, descriptor)
            return
        os.close(descriptor)
        _sleep_before(deadline, places)


def _wait_for_services(places: Places, deadline: float, *, durable: bool) -> Endpoints:
    attempts = 0

    def is_wanted(last: State | None) -> bool:
        if attempts and last is not None and last.phase is Phase.FAILED:
            raise EmbeddedServicesError(_with_log(places, f"No embedded services: {last.error}"))
        if attempts == _ATTEMPTS:
            raise EmbeddedServicesError(_with_log(places, "The supervisor keeps ending."))
        return True

    while True:
        attempts += _start_supervisor(places, durable=durable, is_wanted=is_wanted)
        current = state.read(places)
        if current is not None and durable and not current.durable:
            raise EmbeddedServicesError(
                f"The services of {places.data_dir} run without waiting for the disk, as tests"
                " start them: stop them first (python -m config.embedded stop)."
            )
        found = endpoints.announced(current)
        if found is not None and found.answer():
            return found
        _sleep_before(deadline, places)


def _start_supervisor(
    places: Places, *, durable: bool, is_wanted: Callable[[State | None], bool]
) -> bool:
    """Start a supervisor if there is none and its predecessor's last words allow; whether it did."""
    with _spawning:
        descriptor = locks.open_lock(places.supervisor_lock)
        try:
            if not locks.try_exclusive(descriptor) or not is_wanted(state.read(places)):
                return False
            places.adopt(places.supervisor_lock)
            spawning.spawn(places, descriptor, durable=durable)
            return True
        finally:
            os.close(descriptor)


def has_supervisor(places: Places) -> bool:
    """Whether a supervisor is alive, be it starting or stopping."""
    with _spawning:
        return locks.is_held_exclusively(places.supervisor_lock)


def _sleep_before(deadline: float, places: Places) -> None:
    if time.monotonic() > deadline:
        reason = f"The embedded services do not answer after {START_SECONDS:.0f} seconds."
        raise EmbeddedServicesError(_with_log(places, reason))
    time.sleep(_POLL_SECONDS)


def _with_log(places: Places, reason: str) -> str:
    return f"{reason}\nLast lines of {places.log}:\n{journal.tail(places)}"


def _watch() -> None:
    """See to it that the watching thread runs in this process."""
    global _watcher
    if _holdings and (_watcher is None or not _watcher.is_alive()):
        _pause.clear()
        _watcher = threading.Thread(target=_watch_until_paused, name="embedded", daemon=True)
        _watcher.start()


def _watch_until_paused() -> None:
    while not _pause.wait(_WATCH_SECONDS):
        for holding in list(_holdings.values()):
            try:
                _revive(holding)
            except (OSError, EmbeddedServicesError):
                log.exception("the embedded services of %s are down", holding.places.data_dir)


def _revive(holding: _Holding) -> None:
    """Start another supervisor if ours was killed; not if it was told to end, or is deleted."""
    places = holding.places
    last = state.read(places)
    if last is None or not locks.is_file(holding.descriptor, places.users_lock):
        return
    if _start_supervisor(
        places, durable=last.durable, is_wanted=lambda last: _was_killed(places, last)
    ):
        log.warning("the supervisor of %s was gone: another one is starting", places.data_dir)


def _was_killed(places: Places, last: State | None) -> bool:
    if last is None or last.phase is Phase.STOPPED:
        return False
    if last.phase is Phase.FAILED:  # not killed, but what made it fail may have passed
        return time.time() - places.state.stat().st_mtime > _RETRY_FAILED_SECONDS
    return True


def _before_fork() -> None:
    # Forking beside a thread is unsafe and later Pythons warn of it, so ours ends and begins again.
    _pause.set()
    if _watcher is not None:
        _watcher.join()
    _spawning.acquire()


def _after_fork() -> None:
    _spawning.release()
    with suppress(RuntimeError):  # an ending process can start no thread, and needs none
        _watch()


def _after_fork_in_child() -> None:
    global _acquiring
    # Another thread of the parent, which does not exist here, may have held it.
    _acquiring = threading.Lock()
    _after_fork()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
)
