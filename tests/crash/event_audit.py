"""What clients were told of their events, held against the lake and the quarantine."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from tests.crash.event_journal import Report
from tests.crash.instance import Instance
from tests.crash.violations import Violation

LOST = "an acknowledged event is in the lake"
TWICE = "an event counts once"
UNASKED = "nothing is in the lake that nobody reported"
KEPT = "an event that was not accepted is in quarantine"
SUM = "accepted and quarantined are all that was sent"
SAME = "a batch has one answer"

_QUARANTINED = """
    SELECT batch_id, count(*), count(DISTINCT position) FROM analytics_quarantinedevent GROUP BY 1
"""
_WAITING = """
    SELECT count(*) FROM analytics_eventbatch batch LEFT JOIN analytics_flush flush
        ON flush.id = batch.flush_id WHERE flush.finished_at IS NULL
"""


@dataclass(frozen=True)
class EventFacts:
    """How often the lake has each event, and how many of each batch are in quarantine."""

    in_lake: Mapping[UUID, int]
    quarantined: Mapping[UUID, int]


class _Verdict(msgspec.Struct):
    event_id: UUID | None
    verdict: str


class _Answer(msgspec.Struct):
    accepted: int
    quarantined: int
    verdicts: list[_Verdict]


class _Batch(msgspec.Struct):
    events: list[msgspec.Raw]


def is_drained(instance: Instance) -> bool:
    """Whether everything in the inbox is in the lake."""
    return instance.query(_WAITING) == [(0,)]


def facts(instance: Instance, reports: Sequence[Report]) -> EventFacts:
    """What reports would count of the viewers who reported, read by a process of the instance, and what
    is in quarantine.
    """
    viewers = sorted({str(report.sent.viewer_id) for report in reports})
    counted = instance.run("-m", "tests.crash.lake_facts", *viewers)
    rows = instance.query(_QUARANTINED)
    return EventFacts(
        in_lake=msgspec.json.decode(counted, type=dict[UUID, int]),
        quarantined={batch_id: count for batch_id, count, places in rows if count == places},
    )


def violations(reports: Sequence[Report], found: EventFacts) -> Iterator[Violation]:
    """Every broken promise, when all batches were answered and the inbox has drained."""
    accepted = Counter[UUID]()
    for report in reports:
        yield from _of_answers(report, found)
        answer = _answer(report)
        accepted.update(
            each.event_id
            for each in answer.verdicts
            if each.event_id and each.verdict == "accepted"
        )
    for event_id in accepted.keys() - found.in_lake.keys():
        yield Violation(LOST, f"{event_id}")
    for event_id, times in found.in_lake.items():
        if times != 1:
            yield Violation(TWICE, f"{event_id}: {times} times")
        if event_id not in accepted:
            yield Violation(UNASKED, f"{event_id}")


def _of_answers(report: Report, found: EventFacts) -> Iterator[Violation]:
    batch_id, answer = report.sent.batch_id, _answer(report)
    if len(set(report.answers)) > 1:
        yield Violation(SAME, f"{batch_id}: {sorted(set(report.answers))}")
    events = len(msgspec.json.decode(report.sent.body, type=_Batch).events)
    if not answer.accepted + answer.quarantined == len(answer.verdicts) == events:
        yield Violation(SUM, f"{batch_id}: {report.answers[0]} for {events} events")
    if found.quarantined.get(batch_id, 0) != answer.quarantined:
        kept = found.quarantined.get(batch_id, 0)
        yield Violation(KEPT, f"{batch_id}: {kept} of {answer.quarantined}")


def _answer(report: Report) -> _Answer:
    return msgspec.json.decode(report.answers[0], type=_Answer)
