"""What clients asked for and what they were told, on disk before either counts.

A key is on disk before its request is sent, and an answer before it counts as acknowledged. A key
without an answer stands for a request of unknown outcome: it may have had its effect or not.

Each operation that moves coins is a kind of errand: its class here, its request in `clients`, its
rules in an audit of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

import msgspec

from tests.crash import durable_lines
from tests.crash.durable_lines import DurableLines


class Unlock(msgspec.Struct, frozen=True, tag="unlock"):
    """An episode that a viewer wants."""

    viewer_id: UUID
    episode_id: UUID


class Purchase(msgspec.Struct, frozen=True, tag="purchase"):
    """Coins that a viewer has paid for, as the store signed it."""

    viewer_id: UUID
    transaction_id: str
    signed: str


Errand = Unlock | Purchase
Kind = TypeVar("Kind", Unlock, Purchase)


class Sent(msgspec.Struct, frozen=True, tag="sent"):
    """A request about to be sent for the first time."""

    key: str
    errand: Errand


class Acknowledged(msgspec.Struct, frozen=True, tag="acknowledged"):
    """A success that arrived whole."""

    key: str
    body: str


@dataclass
class Call:
    """One key: what it was sent for, and the body of every success that it was answered with."""

    key: str
    errand: Errand
    bodies: list[str] = field(default_factory=list)


class Journal(DurableLines):
    """What one client asks for, and what it is told."""

    def intend(self, errand: Errand) -> Call:
        """A call with a new key, noted before it is sent."""
        call = Call(uuid4().hex, errand)
        self.write(Sent(call.key, errand))
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
            calls[line.key] = Call(line.key, line.errand)
        else:
            answers.append(line)
    for answer in answers:
        calls[answer.key].bodies.append(answer.body)
    return list(calls.values())


def of_kind(calls: Iterable[Call], kind: type[Kind]) -> list[tuple[Call, Kind]]:
    """The calls that were made for one kind of errand, each with its errand."""
    return [(call, call.errand) for call in calls if isinstance(call.errand, kind)]
