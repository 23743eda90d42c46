"""The audit of events can fail: each promise, broken by hand or by a broken flusher, is named."""

import dataclasses
import shutil
from collections import Counter
from uuid import UUID, uuid4

import msgspec
import pytest

from analytics.intake import inbox
from analytics.lake import file_store, flushing, reading
from analytics.models import EventBatch, LakeFile, QuarantinedEvent
from tests.crash import event_journal
from tests.crash.event_audit import (
    KEPT,
    LOST,
    SAME,
    SUM,
    TWICE,
    UNASKED,
    EventFacts,
    violations,
)
from tests.crash.event_journal import EventJournal, Report, SentBatch
from tests.factories.events import app_open, body

VIEWER = uuid4()


def told(accepted, quarantined):
    verdicts: list[dict[str, str | None]] = [
        {"event_id": str(each), "verdict": "accepted"} for each in accepted
    ]
    verdicts += [{"event_id": None, "verdict": "quarantined"}] * quarantined
    answer = {"accepted": len(accepted), "quarantined": quarantined, "verdicts": verdicts}
    return msgspec.json.encode(answer).decode()


def report(accepted, quarantined):
    sent = msgspec.json.encode({"events": [{}] * (len(accepted) + quarantined)}).decode()
    return Report(SentBatch(uuid4(), VIEWER, sent), [told(accepted, quarantined)] * 2)


EVENTS = [uuid4() for _ in range(4)]
#: The second batch has an event of the first again.
REPORTS = [report(EVENTS[:2], 1), report(EVENTS[1:], 0)]
SOUND = EventFacts(dict.fromkeys(EVENTS, 1), {REPORTS[0].sent.batch_id: 1})


def rules_broken(reports, found):
    return {each.rule for each in violations(reports, found)}


def test_a_sound_service_breaks_no_rule():
    assert rules_broken(REPORTS, SOUND) == set()


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        (dataclasses.replace(SOUND, in_lake=dict.fromkeys(EVENTS[1:], 1)), LOST),
        (dataclasses.replace(SOUND, in_lake={**SOUND.in_lake, EVENTS[1]: 2}), TWICE),
        (dataclasses.replace(SOUND, in_lake={**SOUND.in_lake, uuid4(): 1}), UNASKED),
        (dataclasses.replace(SOUND, quarantined={}), KEPT),
        (dataclasses.replace(SOUND, quarantined={REPORTS[0].sent.batch_id: 2}), KEPT),
    ],
)
def test_the_audit_names_the_rule_that_the_lake_breaks(found, rule):
    assert rules_broken(REPORTS, found) == {rule}


def test_the_audit_names_a_verdict_that_is_missing():
    lacking = dataclasses.replace(REPORTS[0], answers=[told(EVENTS[:2], 0)])

    assert SUM in rules_broken([lacking, REPORTS[1]], SOUND)


def test_the_audit_names_a_batch_that_is_answered_in_two_ways():
    changing = dataclasses.replace(REPORTS[1], answers=[told(EVENTS[1:], 0), told(EVENTS[2:], 1)])

    assert rules_broken([REPORTS[0], changing], SOUND) == {SAME}


def test_the_journal_gives_back_every_batch_with_its_answers(tmp_path):
    sent = [SentBatch(uuid4(), VIEWER, '{"events":[]}') for _ in range(2)]
    with EventJournal(tmp_path / "client-1.jsonl") as journal:
        for each in sent:
            journal.intend(each)
        journal.acknowledge(sent[0], b"first")
    with EventJournal(tmp_path / "again-1.jsonl") as journal:
        journal.acknowledge(sent[0], b"second")

    found = {each.sent: sorted(each.answers) for each in event_journal.read(tmp_path)}

    assert found == {sent[0]: ["first", "second"], sent[1]: []}


def forgets_the_manifest(claim, now):
    written = flushing.write(claim)
    flushing.finish(dataclasses.replace(written, files=[]), now=now)


def names_its_files_twice(claim, now):
    """And takes the second for one that was compared with the first."""
    written = flushing.write(claim)
    flushing.finish(written, now=now)
    first = LakeFile.objects.get()
    again = first.path.replace("events/", "events/again-")
    kept = file_store.local_path(again)
    kept.parent.mkdir()
    shutil.copy(file_store.local_path(first.path), kept)
    LakeFile.objects.update(compared_at=now)
    first.pk, first.path, first.compared_at = None, again, now
    first.save(force_insert=True)


def drops_a_batch(claim, now):
    EventBatch.objects.order_by("id").first().delete()
    flushing.finish(flushing.write(claim), now=now)


def writes_what_nobody_reported(claim, now):
    sent = body([app_open(at=now)], sent_at=now)
    inbox.receive(viewer_id=VIEWER, environment="production", body=sent, now=now)
    EventBatch.objects.update(flush_id=claim.flush_id)
    flushing.finish(flushing.write(claim), now=now)


@pytest.fixture
def _own_lake(settings, tmp_path):
    lake_settings = settings.STORAGES["lake"]
    options = {**lake_settings["OPTIONS"], "location": tmp_path / "lake"}
    settings.STORAGES = settings.STORAGES | {"lake": {**lake_settings, "OPTIONS": options}}


@pytest.mark.usefixtures("_own_lake")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("flush", "rules"),
    [
        (lambda claim, now: flushing.finish(flushing.write(claim), now=now), set()),
        (forgets_the_manifest, {LOST}),
        (names_its_files_twice, {TWICE}),
        (drops_a_batch, {LOST}),
        (writes_what_nobody_reported, {UNASKED}),
    ],
)
def test_a_broken_flusher_is_caught(now, flush, rules):
    reports = []
    for _ in range(3):
        sent = body([app_open(at=now), {}], sent_at=now)
        received = inbox.receive(viewer_id=VIEWER, environment="production", body=sent, now=now)
        answer = {"accepted": 1, "quarantined": 1, "verdicts": received.verdicts}
        batch = SentBatch(received.batch_id, VIEWER, sent.decode())
        reports.append(Report(batch, [msgspec.json.encode(answer).decode()]))

    flush(flushing.claim(now=now), now)

    with reading.connection() as connection:
        rows = connection.execute("SELECT event_id FROM events").fetchall()
    found = EventFacts(
        in_lake=Counter(UUID(event_id) for (event_id,) in rows),
        quarantined=Counter(QuarantinedEvent.objects.values_list("batch_id", flat=True)),
    )
    assert rules_broken(reports, found) == rules
