"""What operators see of events: everything as it is, nothing to change, and no harm in looking."""

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from analytics import tasks
from analytics.intake import inbox
from analytics.models import (
    EventBatch,
    Flush,
    HistoryImport,
    LakeFile,
    QuarantinedEvent,
    RefusedLine,
)
from tests.factories.events import app_open, body
from tests.factories.operators import operator, signed_in

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]
MODELS = [EventBatch, QuarantinedEvent, Flush, LakeFile, HistoryImport, RefusedLine]
SCRIPT = '<script>alert("x")</script>'


@pytest.fixture
def analyst() -> Client:
    return signed_in(operator(role="analyst"))


@pytest.fixture
def viewer_id(now):
    """A viewer whose batch is in the lake but for two hostile events, and who has one that waits."""
    viewer_id = uuid4()
    sent = body([app_open(at=now), {"type": SCRIPT}, "here"], sent_at=now)
    sent = sent.replace(b'"here"', b'"\xff\x01"')
    inbox.receive(viewer_id=viewer_id, environment="production", body=sent, now=now)
    tasks.flush_events()
    waits = body([app_open(at=now)], sent_at=now)
    inbox.receive(viewer_id=viewer_id, environment="production", body=waits, now=now)
    return viewer_id


@pytest.fixture(autouse=True)
def past(now):
    """An import of which a line was refused, and one that tells of a hostile name and of no end."""
    made = [
        HistoryImport.objects.create(
            source="shop",
            kind="events",
            file_name=name,
            file_sha256=name.encode(),
            mapping_sha256=b"",
            started_at=now,
        )
        for name in ("orders.csv", SCRIPT)
    ]
    refused = {"line": 7, "code": "unknown_type", "detail": SCRIPT}
    RefusedLine.objects.create(history_import=made[0], **refused)
    return made


def url(model, page, *args):
    return reverse(f"admin:analytics_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("model", MODELS)
def test_lists_and_pages_are_read_only(analyst, viewer_id, model):
    rows = list(model.objects.all())
    assert rows

    assert analyst.get(url(model, "changelist")).status_code == 200
    for row in rows:
        page = analyst.get(url(model, "change", row.pk))
        assert page.status_code == 200
        assert b'name="_save"' not in page.content
    assert analyst.get(url(model, "add")).status_code == 403
    assert analyst.post(url(model, "change", rows[0].pk), {}).status_code == 403
    assert analyst.post(url(model, "delete", rows[0].pk), {"post": "yes"}).status_code == 403
    assert list(model.objects.all()) == rows


def test_an_import_leads_to_the_lines_of_it_that_were_refused(analyst, past):
    whole, hostile = past
    for made, lines in ((whole, b"unknown_type"), (hostile, b"orders.csv")):
        page = analyst.get(url(HistoryImport, "change", made.pk))
        assert SCRIPT.encode() not in page.content
        link = f"{url(RefusedLine, 'changelist')}?q={made.id}"
        assert link.encode() in page.content
        refused = analyst.get(link)
        assert (lines in refused.content) is (made is whole)
        assert SCRIPT.encode() not in refused.content


def test_a_hostile_event_is_shown_as_the_characters_it_is(analyst, viewer_id):
    script, noise = QuarantinedEvent.objects.order_by("position")

    page = analyst.get(url(QuarantinedEvent, "change", script.pk)).content.decode()
    listed = analyst.get(url(QuarantinedEvent, "changelist")).content.decode()

    assert SCRIPT not in page + listed
    assert "&lt;script&gt;alert(" in page
    assert "\\xff\x01" in analyst.get(url(QuarantinedEvent, "change", noise.pk)).content.decode()


def test_what_is_searched_for_is_found(analyst, viewer_id):
    first = EventBatch.objects.order_by("id").first()
    searches = {
        (EventBatch, viewer_id): 2,
        (EventBatch, first.flush_id): 1,
        (QuarantinedEvent, viewer_id): 2,
        (QuarantinedEvent, first.batch_id): 2,
        (Flush, first.flush_id): 1,
        (LakeFile, first.flush_id): 1,
        (LakeFile, uuid4()): 0,
    }
    for (model, term), count in searches.items():
        page = analyst.get(url(model, "changelist"), {"q": str(term)})
        assert len(page.context["cl"].result_list) == count, (model, term)


def test_a_batch_says_whether_it_is_in_the_lake(analyst, viewer_id):
    flushed, waiting = EventBatch.objects.order_by("id")

    page = analyst.get(url(EventBatch, "change", flushed.pk)).content.decode()
    assert url(Flush, "change", flushed.flush_id) in page
    assert f"?q={flushed.batch_id}" in page
    assert "waits" in analyst.get(url(EventBatch, "change", waiting.pk)).content.decode()


def test_a_merged_file_says_so(analyst, viewer_id):
    LakeFile.objects.update(flush=None)

    page = analyst.get(url(LakeFile, "change", LakeFile.objects.get().pk))
    assert "merged from others" in page.content.decode()


def test_support_sees_the_quarantine_and_no_more(viewer_id):
    support = signed_in(operator(role="support"))

    statuses = [support.get(url(model, "changelist")).status_code for model in MODELS]
    assert statuses == [403, 200] + [403] * 4
