"""How a test has a process of the web server hold a reply: by files in a folder they share."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

_HELD = "reply-held-by-"
_LONGEST_SECONDS = 4.0


class Sought(msgspec.Struct, frozen=True):
    """Which reply is to be held: of a path that has this part, with a body that has all of those."""

    path: str
    says: Sequence[str]


class ReplyHold:
    """Both sides of it. One reply at most is held at a time, the first that is sought."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._armed = folder / "reply-sought"

    def arm(self, sought: Sought) -> None:
        """Have the next such reply held."""
        draft = self._armed.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(sought))
        draft.rename(self._armed)

    def holder(self) -> int | None:
        """The process that holds a reply."""
        held = next(self._folder.glob(f"{_HELD}*"), None)
        return int(held.name.removeprefix(_HELD)) if held else None

    def disarm(self) -> None:
        """Let the held reply go, and hold no other."""
        self._armed.unlink(missing_ok=True)
        for held in self._folder.glob(f"{_HELD}*"):
            held.unlink()

    def sought(self) -> Sought | None:
        """What is to be held, as a process of the web server asks."""
        with suppress(FileNotFoundError):
            return msgspec.json.decode(self._armed.read_bytes(), type=Sought)
        return None

    def wait(self) -> None:
        """Hold a reply, as a process of the web server does, until it is let go or for seconds."""
        held = self._folder / f"{_HELD}{os.getpid()}"
        with suppress(FileNotFoundError):  # unless another reply was first
            self._armed.rename(held)
            latest = time.monotonic() + _LONGEST_SECONDS
            while held.exists() and time.monotonic() < latest:
                time.sleep(0.01)
