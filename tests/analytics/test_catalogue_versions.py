"""A batch states the version of the catalogue that its app knows, and is judged by that."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from analytics.intake import batches, inbox, verdicts
from analytics.intake.events import ADDED_IN, CATALOGUE, TYPES, added_after
from analytics.intake.inbox import BatchIdReused, CatalogueUnknown
from analytics.intake.verdicts import Code
from analytics.models import EventBatch
from tests.factories.events import Playback, app_open, batch, body, event

#: Every type that came with the second version, with members that are right.
AD = {"ad_session_id": str(uuid4()), "placement": "paywall"}
PURCHASE = {"product_id": str(uuid4()), "intent_id": str(uuid4())}
SECOND: dict[str, dict[str, Any]] = {
    "unlock_tapped": {"series_id": str(uuid4()), "episode_id": str(uuid4()), "price_coins": 60},
    "ad_failed": {**AD, "reason": "expired"},
    "ad_clicked": AD,
    "ad_dismissed": {**AD, "actual_ms": 14_000},
    "ad_reward_seen": AD,
    "purchase_started": {**PURCHASE, "placement": "paywall"},
    "purchase_cancelled": PURCHASE,
    "purchase_failed": {**PURCHASE, "reason": "pending"},
    "purchase_completed": PURCHASE,
}


def judged(events, now, *, viewer_id=None, **members):
    """The codes of the events' verdicts."""
    read = batches.read(body(events, sent_at=now, **members))
    found = verdicts.judge(read, viewer_id=viewer_id or uuid4(), received_at=now)
    return [each.code for each in found]


def test_every_type_that_was_added_is_known_to_its_version_and_to_none_before(now):
    viewer_id = uuid4()
    playback = Playback(viewer_id, now - timedelta(minutes=1))
    events = [
        *(event(kind, at=now, **members) for kind, members in SECOND.items()),
        playback.event("playback_pause", position_ms=5_000),
        playback.event("playback_quality", position_ms=0, height_px=720, bitrate_kbps=1800),
    ]
    assert {each["type"] for each in events} == {
        name for name, since in ADDED_IN.items() if since == 2
    }

    current = judged(events, now, viewer_id=viewer_id, catalogue=2)
    assert current == [None] * len(events)
    assert set(judged(events, now, viewer_id=viewer_id)) == {Code.UNKNOWN_TYPE}


def test_what_the_first_version_could_say_reads_the_same_in_every_one(now):
    opened = app_open(at=now)
    for version in range(1, CATALOGUE + 1):
        assert judged([opened], now, catalogue=version) == [None]


def test_the_verdict_says_which_version_has_the_type(now):
    sent = body([event("ad_clicked", at=now, **SECOND["ad_clicked"])], sent_at=now)
    (verdict,) = verdicts.judge(batches.read(sent), viewer_id=uuid4(), received_at=now)
    assert verdict.detail == "`ad_clicked` is of catalogue 2; the batch says 1."


@pytest.mark.parametrize("kind", sorted(SECOND))
def test_an_unknown_member_is_refused_in_every_type(now, kind):
    strange = event(kind, at=now, mood="blue", **SECOND[kind])
    assert judged([strange], now, catalogue=2) == [Code.MALFORMED_EVENT]


def test_versions_count_up_from_the_first():
    assert set(ADDED_IN) <= set(TYPES)
    assert sorted({1, *ADDED_IN.values()}) == list(range(1, CATALOGUE + 1))
    assert added_after(CATALOGUE) == frozenset()


@pytest.mark.django_db
def test_a_version_that_the_server_does_not_know_is_for_later(report, now):
    sent = batch([app_open(at=now)], sent_at=now, catalogue=CATALOGUE + 1)

    answer = report(msgspec.json.encode(sent))

    assert (answer.status_code, answer.json()["code"]) == (409, "catalogue_unknown")
    assert answer.json()["newest"] == CATALOGUE
    assert answer.headers["Retry-After"]
    assert not EventBatch.objects.exists()


@pytest.mark.django_db
def test_another_version_is_another_batch(now):
    sent, viewer_id = batch([app_open(at=now)], sent_at=now), uuid4()

    def receive(**members):
        return inbox.receive(
            viewer_id=viewer_id,
            environment="production",
            body=msgspec.json.encode(sent | members),
            now=now,
        )

    receive()
    receive(catalogue=1)
    with pytest.raises(BatchIdReused):
        receive(catalogue=2)
    with pytest.raises(CatalogueUnknown):
        receive(catalogue=9999)
