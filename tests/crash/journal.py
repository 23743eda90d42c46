"""What clients asked for and what they were told, on disk before either counts.

A key is on disk before its request is sent, and an answer before it counts as acknowledged. A key
without an answer stands for a request of unknown outcome: it may have had its effect or not.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

import msgspec


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


class Journal:
    """One client's own file; no two clients wait for each other's disk."""

    def __init__(self, file: Path) -> None:
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.acknowledged = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def intend(self, *, viewer_id: UUID, episode_id: UUID) -> Call:
        """A call with a new key, noted before it is sent."""
        call = Call(uuid4().hex, viewer_id, episode_id)
        self._write(Sent(call.key, viewer_id, episode_id))
        return call

    def acknowledge(self, call: Call, body: bytes) -> None:
        """Note an answer; only then does it count."""
        self._write(Acknowledged(call.key, body.decode()))
        self.acknowledged += 1

    def _write(self, line: Sent | Acknowledged) -> None:
        data = msgspec.json.encode(line) + b"\n"
        assert os.write(self._descriptor, data) == len(data)
        os.fsync(self._descriptor)


def read(folder: Path) -> list[Call]:
    """Every call in the folder's files, with its answers in no particular order."""
    calls: dict[str, Call] = {}
    answers: list[Acknowledged] = []
    for line in _lines(folder):
        if isinstance(line, Sent):
            calls[line.key] = Call(line.key, line.viewer_id, line.episode_id)
        else:
            answers.append(line)
    for answer in answers:
        calls[answer.key].bodies.append(answer.body)
    return list(calls.values())


def _lines(folder: Path) -> Iterator[Sent | Acknowledged]:
    decoder = msgspec.json.Decoder(Sent | Acknowledged)
    for file in sorted(folder.rglob("*.jsonl")):
        yield from decoder.decode_lines(file.read_bytes())
