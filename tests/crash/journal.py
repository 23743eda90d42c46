"""What clients asked for and what they were told, on disk before either counts.

A key is on disk before its request is sent, and an answer before it counts as acknowledged. A key
without an answer stands for a request of unknown outcome: it may have had its effect or not.
"""

from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import msgspec

from tests.crash import durable_lines
from tests.crash.durable_lines import DurableLines


@dataclass(frozen=True)
class Errand:
    """An episode that a viewer wants."""

    viewer_id: UUID
    episode_id: UUID


class Sent(msgspec.Struct, frozen=True, tag="sent"):
    """A request about to be sent for the first time."""

    key: str
    viewer_id: UUID
    episode_id: UUID


class Acknowledged(msgspec.Struct, frozen=True, tag="acknowledged"):
    """A 200 that arrived whole."""

    key: str
    body: str


@dataclass
class Call:
    """One key: what it was sent for, and the body of every 200 that it was answered with."""

    key: str
    viewer_id: UUID
    episode_id: UUID
    bodies: list[str] = field(default_factory=list)


class Journal(DurableLines):
    """What one client asks for, and what it is told."""

    def intend(self, errand: Errand) -> Call:
        """A call with a new key, noted before it is sent."""
        call = Call(uuid4().hex, errand.viewer_id, errand.episode_id)
        self.write(Sent(call.key, call.viewer_id, call.episode_id))
        return call

    def acknowledge(self, call: Call, body: bytes) -> None:
        """Note an answer; only then does it count."""
        self.write(Acknowledged(call.key, body.decode()))
        self.acknowledged += 1


def read(folder: Path) -> list[Call]:
    """Every call in the folder's files, with its answers in no particular order."""
    calls: dict[str, Call] = {}
    answers: list[Acknowledged] = []
    for line in durable_lines.read(folder, Sent | Acknowledged):
        if isinstance(line, Sent):
            calls[line.key] = Call(line.key, line.viewer_id, line.episode_id)
        else:
            answers.append(line)
    for answer in answers:
        calls[answer.key].bodies.append(answer.body)
    return list(calls.values())
