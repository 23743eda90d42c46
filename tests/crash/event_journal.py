"""What clients reported and what they were told, on disk before either counts.

A batch is on disk, byte for byte, before it is sent for the first time, and an answer before it
counts as acknowledged.
"""

from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import msgspec

from tests.crash import durable_lines
from tests.crash.durable_lines import DurableLines


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


class EventJournal(DurableLines):
    """What one client reports, and what it is told."""

    def intend(self, batch: SentBatch) -> SentBatch:
        """The batch, noted before it is sent."""
        self.write(batch)
        return batch

    def acknowledge(self, batch: SentBatch, body: bytes) -> None:
        """Note an answer; only then does it count."""
        self.write(Answered(batch.batch_id, body.decode()))
        self.acknowledged += 1


def read(folder: Path) -> list[Report]:
    """Every batch in the folder's files, with its answers in no particular order."""
    reports: dict[UUID, Report] = {}
    answers: list[Answered] = []
    for line in durable_lines.read(folder, SentBatch | Answered):
        if isinstance(line, SentBatch):
            reports[line.batch_id] = Report(line)
        else:
            answers.append(line)
    for answer in answers:
        reports[answer.batch_id].answers.append(answer.body)
    return list(reports.values())
