"""What clients reported and what they were told, on disk before either counts.

A batch is on disk, byte for byte, before it is sent for the first time, and an answer before it
counts as acknowledged.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

import msgspec


class SentBatch(msgspec.Struct, frozen=True, tag="sent"):
    """A batch about to be sent for the first time."""

    batch_id: UUID
    viewer_id: UUID
    body: str


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """A 200 that arrived whole."""

    batch_id: UUID
    body: str


@dataclass
class Report:
    """One batch, and the body of every 200 that it was answered with."""

    sent: SentBatch
    answers: list[str] = field(default_factory=list)


class EventJournal:
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

    def intend(self, batch: SentBatch) -> None:
        """Note a batch before it is sent."""
        self._write(batch)

    def acknowledge(self, batch: SentBatch, body: bytes) -> None:
        """Note an answer; only then does it count."""
        self._write(Answered(batch.batch_id, body.decode()))
        self.acknowledged += 1

    def _write(self, line: SentBatch | Answered) -> None:
        data = msgspec.json.encode(line) + b"\n"
        assert os.write(self._descriptor, data) == len(data)
        os.fsync(self._descriptor)


def read(folder: Path) -> list[Report]:
    """Every batch in the folder's files, with its answers in no particular order."""
    reports: dict[UUID, Report] = {}
    answers: list[Answered] = []
    for line in _lines(folder):
        if isinstance(line, SentBatch):
            reports[line.batch_id] = Report(line)
        else:
            answers.append(line)
    for answer in answers:
        reports[answer.batch_id].answers.append(answer.body)
    return list(reports.values())


def _lines(folder: Path) -> Iterator[SentBatch | Answered]:
    decoder = msgspec.json.Decoder(SentBatch | Answered)
    for file in sorted(folder.rglob("*.jsonl")):
        yield from decoder.decode_lines(file.read_bytes())
