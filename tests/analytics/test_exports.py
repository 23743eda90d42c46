"""Analysts ask for files that are made later: one each, whoever dies, and for nobody else."""

import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from django.conf import settings as configured
from django.test import Client
from openpyxl import load_workbook
from pytest_django.fixtures import Settings

from analytics import tasks
from analytics.exports import file_store, jobs, links, making
from analytics.exports.callers import Caller
from analytics.exports.datasets import DATASETS
from analytics.exports.jobs import Claim, LeaseLost
from analytics.intake import inbox
from analytics.lake import flushing
from analytics.models import Export, ExportAct, ExportRecord, ExportState
from tests.factories.events import app_open, body, event
from tests.factories.payments import fund
from tests.factories.viewers import ViewerFactory, pipeline_headers
from viewers import api_keys
from viewers.models import ApiKey, Scope

#: The most that an app may say of itself that a spreadsheet would work out.
INJECTED = "-1+1 (2)"
COLUMNS = list(DATASETS["events"].columns)
LEASE = timedelta(seconds=configured.EXPORT_LEASE_SECONDS)


class Analyst:
    """A key of its own that calls at a moment."""

    def __init__(self, now: datetime, scopes: list[Scope]) -> None:
        self.now, self.client = now, Client(raise_request_exception=False)
        self._headers = pipeline_headers(now=now, scopes=scopes)
        self.caller = Caller(api_key_id=ApiKey.objects.latest("id").id)

    def call(self, method: str, path: str = "", **asked: Any) -> Any:
        content = json.dumps(asked) if method == "POST" else ""
        return self.client.generic(
            method,
            f"/v1/analytics/exports{path}",
            content,
            "application/json",
            headers=self._headers,
            query_params=asked if method == "GET" else None,
        )

    def ask(self, name: str, **asked: Any) -> Any:
        """The answer to a right question."""
        answer = self.call("POST", name=name, **asked)
        assert answer.status_code == 202, answer.content
        return answer.json()

    def look(self, export_id: str) -> Any:
        return self.call("GET", f"/{export_id}").json()

    def download(self, link: str) -> Any:
        """What a browser does that has nothing but the link; the file is in `body`."""
        answer: Any = self.client.get(link, headers={"X-Clock": self._headers["X-Clock"]})
        answer.body = b"".join(answer) if answer.streaming else answer.content
        return answer


@pytest.fixture
def analyst(db: None, own_lake: Path, now: datetime) -> Analyst:
    return Analyst(now, [Scope.ANALYTICS_READ])


@pytest.fixture
def make(now: datetime) -> Callable[..., None]:
    """Makes the next export, as a worker does at `at`."""

    def run(at: datetime = now) -> None:
        claim = jobs.claim(now=at)
        assert claim is not None
        making.make(claim, clock=lambda: at)

    return run


def _report(events: list[Any], *, now: datetime, version: str = "1.0") -> None:
    """Events that are in the lake at once."""
    app = {"platform": "ios", "version": version, "locale": "en-US", "country": "US"}
    sent = body(events, sent_at=now, app=app)
    inbox.receive(viewer_id=uuid4(), environment="production", body=sent, now=now)
    claim = flushing.claim(now=now)
    assert claim is not None
    flushing.finish(flushing.write(claim), now=now)


def _rows(content: bytes, ending: str) -> list[list[Any]]:
    """The rows of a file as text, without its head."""
    if ending == "json":
        rows = [list(row.values()) for row in json.loads(content)["rows"]]
    elif ending == "parquet":
        rows = [list(row.values()) for row in pq.read_table(io.BytesIO(content)).to_pylist()]
    elif ending == "xlsx":
        sheet = load_workbook(io.BytesIO(content))["Figures"]
        rows = [list(row) for row in sheet.iter_rows(min_row=2, values_only=True)]
    else:
        lines = [line for line in content.decode().splitlines() if not line.startswith("# ")]
        rows = [line.split(",") for line in lines[1:]]
    return sorted([["" if cell is None else str(cell) for cell in row] for row in rows])


def test_rows_of_events_come_in_every_format_and_run_in_none(
    analyst: Analyst, make: Callable[..., None], now: datetime
) -> None:
    shown = event("offer_shown", at=now, placement="x")
    _report([app_open(at=now), shown], now=now, version=INJECTED)

    files, whole = {}, {}
    for ending in ("csv", "json", "parquet", "xlsx"):
        asked = analyst.ask("events", format=ending)
        assert (asked["state"], asked["link"]) == ("waiting", None)
        make()
        told = analyst.look(asked["id"])
        assert (told["state"], told["percent"], told["row_count"]) == ("done", 100, 2)
        answer = analyst.download(told["link"])
        content = answer.body
        assert answer["Content-Disposition"] == f'attachment; filename="events.{ending}"'
        assert (answer["Cache-Control"], len(content)) == ("no-store", told["size_bytes"])
        files[ending], whole[ending] = _rows(content, ending), content

    head = json.loads(whole["json"])
    assert (head["reporting_zone"], head["engine"], head["filters"]) == ("UTC", "DuckDB", "none")
    assert b"# watermark: " in whole["csv"]
    assert pq.read_schema(io.BytesIO(whole["parquet"])).metadata[b"engine"] == b"DuckDB"
    ids, types, *_ = zip(*files["json"], strict=True)
    assert set(types) == {"app_open", "offer_shown"}
    for ending, rows in files.items():
        assert [row[:4] for row in rows] == [row[:4] for row in files["json"]], ending
        versions = [f"'{INJECTED}" if ending == "csv" else INJECTED] * 2
        assert [row[COLUMNS.index("app_version")] for row in rows] == versions, ending
    assert len(set(ids)) == 2


def test_a_report_is_the_same_as_at_its_own_address(
    analyst: Analyst, make: Callable[..., None], now: datetime
) -> None:
    _report([app_open(at=now - timedelta(days=3))], now=now)
    query = {"by": "week", "horizon": 1}
    asked = analyst.ask("retention", query=query, format="json")
    make()

    told = analyst.look(asked["id"])
    made = json.loads(analyst.download(told["link"]).body)

    headers = pipeline_headers(now=now, scopes=[Scope.ANALYTICS_READ])
    shown = Client().get("/v1/analytics/retention", query, headers=headers).json()
    assert made == shown
    assert told["query"] == query
    assert told["next_cursor"] is None


def test_money_comes_with_the_scope_that_it_takes(
    analyst: Analyst, make: Callable[..., None], now: datetime
) -> None:
    fund(ViewerFactory().id, now=now)
    refused = analyst.call("POST", name="entries")
    accountant = Analyst(now, [Scope.ANALYTICS_READ, Scope.FINANCE_READ])
    entries = accountant.ask("entries", format="json")
    make()
    purchases = analyst.ask("purchases", format="json")
    make()

    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    told = accountant.look(entries["id"])
    rows = json.loads(accountant.download(told["link"]).body)["rows"]
    assert sorted(row["amount_coins"] for row in rows) == [-500, 500]
    told = analyst.look(purchases["id"])
    (row,) = json.loads(analyst.download(told["link"]).body)["rows"]
    assert (row["what"], row["coins"], row["gross_micros"]) == ("coins", 500, 4_990_000)


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"name": "nothing"}, 400, "malformed_body"),
        ({"name": "beats"}, 422, "export_question_invalid"),
        ({"name": "arpu", "query": {"by": "hour"}}, 422, "export_question_invalid"),
        ({"name": "arpu", "query": {"format": "csv"}}, 422, "export_question_invalid"),
        ({"name": "events", "query": {"cursor": "abc"}}, 422, "export_question_invalid"),
        ({"name": "events", "query": {"since": "2026-13-01"}}, 422, "export_question_invalid"),
        ({"name": "events", "format": "pdf"}, 400, "malformed_body"),
    ],
)
def test_a_wrong_question_is_refused_before_anything_is_made(
    analyst: Analyst, asked: dict[str, Any], status: int, code: str
) -> None:
    answer = analyst.call("POST", **asked)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Export.objects.exists()


def test_nobody_has_more_under_way_than_is_allowed(analyst: Analyst, settings: Settings) -> None:
    settings.EXPORTS_PER_CALLER = 2
    first = analyst.ask("arpu")
    again = analyst.ask("arpu")
    analyst.ask("money")

    answer = analyst.call("POST", name="quality")

    assert again["id"] == first["id"]
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_exports")
    assert analyst.call("DELETE", f"/{first['id']}").json()["state"] == "cancelled"
    analyst.ask("quality")


def test_pages_are_of_ones_own_exports(analyst: Analyst, now: datetime) -> None:
    other = Analyst(now, [Scope.ANALYTICS_READ])
    foreign = other.ask("arpu")
    mine = [analyst.ask(name)["id"] for name in ("arpu", "money", "quality")]

    first = analyst.call("GET", limit="2").json()
    second = analyst.call("GET", limit="2", cursor=first["next_cursor"]).json()

    told = [export["id"] for export in (*first["exports"], *second["exports"])]
    assert told == mine[::-1]
    assert second["next_cursor"] is None
    for method in ("GET", "DELETE"):
        answer = analyst.call(method, f"/{foreign['id']}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert other.look(foreign["id"])["state"] == "waiting"
    assert analyst.call("GET", cursor="abc").json()["code"] == "cursor_invalid"


def test_a_link_opens_its_export_for_minutes_and_nothing_else(
    analyst: Analyst, make: Callable[..., None], now: datetime
) -> None:
    other = Analyst(now, [Scope.ANALYTICS_READ])
    ids = [each.ask("arpu")["id"] for each in (analyst, other)]
    make()
    make()
    mine, foreign = analyst.look(ids[0])["link"], other.look(ids[1])["link"]
    token = foreign.partition("?token=")[2]

    late = Analyst(now + timedelta(seconds=configured.EXPORT_LINK_SECONDS), [Scope.ANALYTICS_READ])
    refused = [
        late.download(mine),
        analyst.download(f"{mine[:-1]}{'A' if mine[-1] != 'A' else 'B'}"),
        analyst.download(f"/v1/analytics/exports/{ids[0]}/file?token={token}"),
        analyst.download(f"/v1/analytics/exports/{ids[0]}/file?token="),
    ]

    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {
        (403, "export_link_refused")
    }
    assert analyst.download(mine).status_code == 200
    downloads = ExportRecord.objects.filter(act=ExportAct.DOWNLOADED)
    assert [record.export_id for record in downloads] == [jobs.own(analyst.caller, ids[0]).id]
    api_keys.revoke(key=ApiKey.objects.get(id=analyst.caller.api_key_id), now=now)
    assert analyst.download(mine).json()["code"] == "export_link_refused"


def test_who_asked_and_who_downloaded_is_on_record(
    analyst: Analyst, make: Callable[..., None], now: datetime
) -> None:
    _report([app_open(at=now)], now=now)
    asked = analyst.ask("events")
    make()
    analyst.download(analyst.look(asked["id"])["link"])
    analyst.call("DELETE", f"/{asked['id']}")

    records = list(ExportRecord.objects.order_by("id"))

    assert [record.act for record in records] == ["asked", "downloaded", "cancelled"]
    assert {record.api_key_id for record in records} == {analyst.caller.api_key_id}
    assert {record.at for record in records} == {now}
    assert [record.row_count for record in records] == [0, 1, 1]
    (hashed,) = {record.address_hash for record in records}
    assert len(hashed) == 64
    assert "127.0.0.1" not in hashed


@pytest.mark.parametrize("how", ["cancelled", "expired"])
def test_an_export_that_is_over_has_no_file_and_no_link_opens_it(
    analyst: Analyst, make: Callable[..., None], now: datetime, own_lake: Path, how: str
) -> None:
    asked = analyst.ask("arpu")
    make()
    export = Export.objects.get()
    assert file_store.storage().exists(export.path)
    end = now + timedelta(hours=configured.EXPORT_KEPT_HOURS)
    link, _ = links.address(export, by=analyst.caller, now=end)

    if how == "cancelled":
        analyst.call("DELETE", f"/{asked['id']}")
    assert jobs.prune(now=end - timedelta(seconds=1)) == 0
    assert jobs.prune(now=end) == (how == "expired")

    told = analyst.look(asked["id"])
    assert (told["state"], told["link"]) == (how, None)
    answer = Analyst(end, [Scope.ANALYTICS_READ]).download(link)
    assert (answer.status_code, answer.json()["code"]) == (410, "export_gone")
    assert [path for path in (own_lake.parent / "exports").rglob("*") if path.is_file()] == []


def test_a_dead_workers_export_is_made_again_and_there_is_one_file(
    analyst: Analyst, make: Callable[..., None], now: datetime, own_lake: Path
) -> None:
    asked = analyst.ask("arpu")
    dead = jobs.claim(now=now)
    assert dead is not None
    file_store.save(dead.path, io.BytesIO(b"all of it, but nobody was told"))
    assert jobs.claim(now=now + LEASE - timedelta(seconds=1)) is None

    make(now + LEASE)

    export = Export.objects.get()
    assert (export.state, export.attempts) == (ExportState.DONE, 2)
    assert export.path != dead.path
    with pytest.raises(LeaseLost):
        making.make(dead, clock=lambda: now + LEASE)
    with pytest.raises(LeaseLost):
        jobs.finish(dead, row_count=9, size_bytes=9, next_cursor="", now=now)
    assert jobs.claim(now=now + LEASE) is None
    assert analyst.look(asked["id"])["row_count"] == export.row_count
    jobs.prune(now=now + LEASE + timedelta(hours=configured.EXPORT_KEPT_HOURS))
    assert [path for path in (own_lake.parent / "exports").rglob("*") if path.is_file()] == []


def test_what_no_worker_survives_is_given_up_and_its_files_go(
    analyst: Analyst, now: datetime, own_lake: Path
) -> None:
    asked = analyst.ask("arpu")
    at = now
    for _ in range(jobs.ATTEMPTS):
        claim = jobs.claim(now=at)
        assert claim is not None
        file_store.save(claim.path, io.BytesIO(b"all of it, but nobody was told"))
        at += LEASE

    assert jobs.claim(now=at) is None
    told = analyst.look(asked["id"])
    assert (told["state"], told["problem"]["code"]) == ("failed", "export_failed")
    assert jobs.prune(now=at) == 0
    assert jobs.prune(now=at + timedelta(hours=1)) == 1
    assert [path for path in (own_lake.parent / "exports").rglob("*") if path.is_file()] == []
    assert jobs.prune(now=at + timedelta(hours=1)) == 0


def test_a_cancelled_export_stops_in_its_workers_hand(
    analyst: Analyst, now: datetime, own_lake: Path
) -> None:
    asked = analyst.ask("arpu")
    claim = jobs.claim(now=now)
    assert claim is not None
    analyst.call("DELETE", f"/{asked['id']}")

    tasks._make(claim)

    assert analyst.look(asked["id"])["state"] == "cancelled"
    assert not list((own_lake.parent / "exports").rglob("*.csv"))


def test_one_is_made_at_a_time_and_each_caller_has_a_turn(
    analyst: Analyst, now: datetime, settings: Settings
) -> None:
    other = Analyst(now, [Scope.ANALYTICS_READ])
    first, second = analyst.ask("arpu")["id"], analyst.ask("money")["id"]
    third = other.ask("arpu")["id"]

    def claimed() -> str | None:
        claim = jobs.claim(now=now)
        return None if claim is None else str(claim.export.id)

    assert [claimed(), claimed()] == [first, None]
    settings.EXPORTS_AT_ONCE = 3
    assert [claimed(), claimed()] == [third, None]
    assert analyst.look(second)["state"] == "waiting"


@pytest.mark.parametrize(
    ("limit", "most"), [("EXPORT_MAXIMUM_ROWS", 2), ("EXPORT_MAXIMUM_BYTES", 100)]
)
def test_what_is_too_large_fails_with_a_reason_and_leaves_no_file(
    analyst: Analyst, now: datetime, settings: Settings, own_lake: Path, limit: str, most: int
) -> None:
    setattr(settings, limit, most)
    _report([app_open(at=now) for _ in range(3)], now=now)
    asked = analyst.ask("events")
    claim = jobs.claim(now=now)
    assert claim is not None

    tasks._make(claim)

    told = analyst.look(asked["id"])
    assert (told["state"], told["problem"]["code"]) == ("failed", "export_too_large")
    assert not list((own_lake.parent / "exports").rglob("*.csv"))


def test_what_makes_no_report_fails_with_its_reason_and_another_failure_is_tried_again(
    analyst: Analyst, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = analyst.ask("ltv", query={"split": "arm"})
    claim = jobs.claim(now=now)
    assert claim is not None
    tasks._make(claim)
    told = analyst.look(asked["id"])
    assert (told["state"], told["problem"]["code"]) == ("failed", "report_impossible")

    def broken(claim: Claim, **_: Any) -> None:
        raise OSError("the disk is full")

    again = analyst.ask("arpu")
    claim = jobs.claim(now=now)
    assert claim is not None
    with monkeypatch.context() as patched:
        patched.setattr(making, "make", broken)
        with pytest.raises(OSError, match="full"):
            tasks._make(claim)
    assert tasks.make_exports() == 1
    assert analyst.look(again["id"])["state"] == "done"
