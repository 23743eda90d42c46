"""What the supervisor tells the world, in one small file that is only ever replaced whole."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from enum import StrEnum

from config.embedded.places import Places


class Phase(StrEnum):
    STARTING = "starting"
    READY = "ready"
    RECOVERING = "recovering"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class State:
    """True only while the supervisor's lock is held: a killed supervisor leaves its last words."""

    phase: Phase
    durable: bool
    supervisor_pid: int | None = None
    postgres_pid: int | None = None
    broker_pid: int | None = None
    cache_pid: int | None = None
    socket_dir: str | None = None
    service_uid: int | None = None
    error: str | None = None


def read(places: Places) -> State | None:
    """The last state written, or None when there is none that can be read."""
    try:
        fields = json.loads(places.state.read_text(encoding="utf-8"))
        return State(**{**fields, "phase": Phase(fields["phase"])})
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write(places: Places, state: State) -> None:
    """Replace the state. Only the holder of the supervisor's lock may call this."""
    draft = places.state.with_name(f".state.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(asdict(state), stream)
    places.adopt(draft)
    draft.replace(places.state)
