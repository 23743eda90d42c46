"""Looking at the services from outside, and ending them."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config.embedded import locks, state, users
from config.embedded.errors import EmbeddedServicesError
from config.embedded.places import Places

_STOP_SECONDS = 90.0


class InUse(EmbeddedServicesError):
    """Other processes use the services; the message counts them."""


@dataclass(frozen=True)
class Status:
    """The services of a data folder at one moment. Process ids are None when nothing runs."""

    phase: str
    supervisor_pid: int | None = None
    postgres_pid: int | None = None
    broker_pid: int | None = None
    cache_pid: int | None = None
    socket_dir: Path | None = None
    user_pids: tuple[int, ...] | None = None
    """Who holds the services; None where the system cannot tell."""


def status(data_dir: Path) -> Status:
    """What runs for a data folder now. Starts nothing and changes nothing."""
    places = Places.of(data_dir)
    using = locks.holders(places.users_lock) if places.users_lock.exists() else []
    user_pids = None if using is None else tuple(using)
    current = state.read(places)
    if not users.has_supervisor(places):
        is_failed = current is not None and current.phase is state.Phase.FAILED
        return Status(phase="failed" if is_failed else "stopped", user_pids=user_pids)
    if current is None:
        return Status(phase="starting", user_pids=user_pids)
    return Status(
        phase=current.phase.value,
        supervisor_pid=current.supervisor_pid,
        postgres_pid=current.postgres_pid,
        broker_pid=current.broker_pid,
        cache_pid=current.cache_pid,
        socket_dir=Path(current.socket_dir) if current.socket_dir else None,
        user_pids=user_pids,
    )


def stop(data_dir: Path, *, force: bool = False) -> bool:
    """End the services now and return when they have ended; False when none ran.

    Those who still use them do not start them again. Raises InUse when somebody does, unless
    `force`, and EmbeddedServicesError when they do not end.
    """
    places = Places.of(data_dir)
    if not users.has_supervisor(places):
        return False
    descriptor = locks.open_lock(places.users_lock)
    try:
        if not locks.try_exclusive(descriptor) and not force:
            using = locks.holders(places.users_lock)
            count = "other" if using is None else str(len(using))
            raise InUse(f"{count} processes use the services of {places.data_dir}.")
        _end_supervisor(places)
    finally:
        os.close(descriptor)
    return True


def _end_supervisor(places: Places) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while users.has_supervisor(places):
        # Read each time: a supervisor that is just starting has not said its process id yet.
        current = state.read(places)
        if current is not None and current.supervisor_pid is not None:
            with suppress(ProcessLookupError):
                os.kill(current.supervisor_pid, signal.SIGTERM)
        if time.monotonic() > deadline:
            raise EmbeddedServicesError(f"The supervisor of {places.data_dir} does not end.")
        time.sleep(0.05)
