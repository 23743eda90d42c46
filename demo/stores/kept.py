"""What a peer keeps from one start to the next."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

State = TypeVar("State", bound=msgspec.Struct)


class Kept(Generic[State]):
    """One value, in a file of its own. Whoever reads or changes it is alone with it."""

    def __init__(self, path: Path, otherwise: State) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._state = (
            msgspec.json.decode(path.read_bytes(), type=type(otherwise))
            if path.exists()
            else otherwise
        )

    @contextmanager
    def reading(self) -> Iterator[State]:
        """The value as it is."""
        with self._lock:
            yield self._state

    @contextmanager
    def changing(self) -> Iterator[State]:
        """The value, which is written when the block ends. What a block that raises did to it is kept in
        memory alone: it is to refuse before it changes anything."""
        with self._lock:
            yield self._state
            written = self._path.with_suffix(".new")
            written.write_bytes(msgspec.json.encode(self._state))
            os.replace(written, self._path)
