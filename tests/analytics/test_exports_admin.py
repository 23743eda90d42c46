"""Operators have files made, and download their own."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from analytics import tasks
from analytics.models import Export, ExportRecord, ExportState
from config import clock
from tests.factories.analytics import EXPORTED, done_export
from tests.factories.operators import operator, signed_in
from tests.factories.viewers import pipeline_headers
from viewers.models import ApiKey, Scope

LIST = "/admin/analytics/export/"


@pytest.fixture
def client(db: None, own_lake: Path) -> Client:
    return signed_in(operator("ana", role="analyst"))


def _ask(client: Client, **form: str) -> Export:
    answer = client.post(f"{LIST}add/", {"file_format": "csv", "query": "", **form})
    assert answer.status_code == 302, answer.content
    return Export.objects.latest("id")


def test_an_operator_asks_waits_and_downloads(client: Client) -> None:
    export = _ask(client, name="arpu", query="?by=week")
    waiting = client.get(f"{LIST}{export.id}/change/")
    tasks.make_exports()
    done = client.get(f"{LIST}{export.id}/change/")
    file = client.get(f"{LIST}{export.id}/download/", follow=True)
    content = b"".join(file)

    assert export.question == {"by": "week"}
    assert b'http-equiv="refresh"' in waiting.content
    assert b'http-equiv="refresh"' not in done.content
    assert b"Download" in done.content
    assert content.startswith(b"# arpu")
    records = ExportRecord.objects.order_by("id")
    assert [(record.act, record.operator_id) for record in records] == [
        ("asked", export.operator_id),
        ("downloaded", export.operator_id),
    ]
    assert LogEntry.objects.filter(object_id=str(export.id)).count() == 1
    client.post(f"{LIST}{export.id}/cancel/")
    export.refresh_from_db()
    assert export.state == ExportState.CANCELLED
    gone = client.get(f"{LIST}{export.id}/download/", follow=True)
    assert b"It has no file." in gone.content
    assert client.get(LIST).status_code == 200


def test_an_operator_is_told_what_is_wrong_with_a_question(client: Client) -> None:
    wrong = client.post(f"{LIST}add/", {"name": "arpu", "query": "by=hour", "file_format": "csv"})
    ledger = client.post(f"{LIST}add/", {"name": "entries", "query": "", "file_format": "csv"})

    assert b"by" in wrong.content
    assert (wrong.status_code, ledger.status_code) == (200, 200)
    assert b"entries" not in client.get(f"{LIST}add/").content
    assert not Export.objects.exists()


def test_nobody_downloads_what_another_asked_for(client: Client) -> None:
    now = clock.read()
    pipeline_headers(now=now, scopes=[Scope.ANALYTICS_READ])
    foreign = done_export(by=ApiKey.objects.latest("id"), now=now - timedelta(hours=1))

    page = client.get(f"{LIST}{foreign.id}/change/")
    assert (page.status_code, b"Download" in page.content) == (200, False)
    assert client.get(f"{LIST}{foreign.id}/download/").status_code == 404
    assert client.post(f"{LIST}{foreign.id}/cancel/").status_code == 404
    support = signed_in(operator("sue", role="support"))
    assert support.get(f"{LIST}{foreign.id}/download/").status_code == 403
    assert support.get(f"{LIST}add/").status_code == 403
    assert foreign.size_bytes == len(EXPORTED)
