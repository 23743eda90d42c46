"""Whoever reads while files are flushed, merged and deleted sees no error and no wrong count."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection

from analytics.intake import inbox
from analytics.lake import flushing, merging, reading, repeats
from analytics.models import LakeFile
from config import clock
from tests.factories.events import app_open, body
from tests.proof import Proof

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]
READERS = 2
FULL_READS = 300
EVENTS = 5
#: As long as no read takes, in place of an hour.
GRACE = timedelta(seconds=10)


class _Writing:
    """The lake as it grows: how many events are surely in it, and how many may be."""

    def __init__(self) -> None:
        self.sure = self.possible = 0
        self._repeated = app_open(at=clock.read())

    def step(self) -> None:
        """One flush, of new events and one that every flush has, then what is due of the rest."""
        now = clock.read()
        events = [self._repeated, *(app_open(at=now) for _ in range(EVENTS))]
        inbox.receive(
            viewer_id=uuid4(), environment="production", body=body(events, sent_at=now), now=now
        )
        self.possible = self.sure + EVENTS + (self.sure == 0)
        flushing.finish(flushing.write(flushing.claim(now=now)), now=now)
        self.sure = self.possible
        repeats.settle(now=now)
        merging.merge_next(now=now)
        merging.delete_retired(now=now)


def _read(writing: _Writing, reads: int, wrong: list[str]) -> None:
    try:
        for _ in range(reads):
            least = writing.sure
            with reading.connection() as opened:
                (row,) = opened.execute(
                    "SELECT count(*), count(DISTINCT event_id) FROM events"
                ).fetchall()
            if row[0] != row[1] or not least <= row[0] <= writing.possible:
                wrong.append(f"{row} of {least} to {writing.possible}")
    except Exception as error:  # noqa: BLE001  an error is what the test looks for
        wrong.append(repr(error))
    finally:
        connection.close()


def test_no_reader_sees_an_error_or_a_wrong_count(proof: Proof, monkeypatch):
    monkeypatch.setattr(merging, "MANY", 4)
    monkeypatch.setattr(merging, "KEPT_RETIRED", GRACE)
    reads = proof.rounds(full=FULL_READS)
    writing, wrong = _Writing(), list[str]()
    writing.step()
    threads = [
        threading.Thread(target=_read, args=(writing, reads // READERS, wrong))
        for _ in range(READERS)
    ]
    for thread in threads:
        thread.start()
    steps = 0
    while any(thread.is_alive() for thread in threads) or steps < 2 * merging.MANY:
        writing.step()
        steps += 1
    for thread in threads:
        thread.join()

    merged = LakeFile.objects.filter(path__contains="merged-").count()
    proof.record(
        "P13", f"Reads of the lake while {steps} files came and were merged", violations=len(wrong)
    )
    assert wrong == []
    assert merged > 0
