"""Analysts call the reports, and the pipeline its feedback, over HTTP and in the terminal."""

import io
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from rich.console import Console

from analytics.management.commands import report
from analytics.ranking import snapshots
from analytics.reports import library
from analytics.reports.cohorts import Split
from catalog.models import Series
from payments.access import paywall
from payments.models import Unlock
from payments.unlocking import unlocks
from tests.factories.catalog import BeatFactory, EpisodeFactory, SeriesFactory
from tests.factories.payments import fund
from tests.factories.viewers import ViewerFactory, pipeline_headers
from viewers.models import Scope

pytestmark = pytest.mark.django_db


def _get(api: Client, path: str, *, now: datetime, **query: Any) -> Any:
    headers = pipeline_headers(now=now, scopes=list(Scope))
    return api.get(f"/v1/{path}", query, headers=headers)


def _sold(now: datetime) -> Series:
    """A series of which an episode was unlocked an hour ago."""
    series = SeriesFactory(external_id="helen")
    episode = EpisodeFactory(series=series, number=9)
    BeatFactory(version=episode.current_version, kind="cliffhanger", emotion="fear", hook="a train")
    viewer, then = ViewerFactory(), now - timedelta(hours=1)
    fund(viewer.id, now=then)
    shown = paywall.show(
        viewer_id=viewer.id, environment="production", series_id=series.id, now=then
    )
    unlocks.unlock(
        viewer_id=viewer.id,
        environment="production",
        episode_id=episode.id,
        quote=shown.quote.token(),
        now=then,
    )
    return series


def test_revenue_is_the_ledgers(api: Client, now: datetime) -> None:
    series = _sold(now)

    answer = _get(api, "analytics/revenue", now=now).json()

    booked = Unlock.objects.get()
    assert answer["total"]["total_micros"] == booked.value_micros > 0
    assert answer["total"]["coins_spent"] == booked.price_coins
    assert [title["series_id"] for title in answer["titles"]] == [str(series.id)]
    assert answer["titles"][0]["external_id"] == "helen"
    assert [day["is_complete"] for day in answer["days"]] == [False]
    assert answer["currency"] == "USD"


def test_a_report_says_what_it_is(api: Client, now: datetime) -> None:
    answer = _get(api, "analytics/retention", now=now, by="week", country="DE").json()

    assert [definition["key"] for definition in answer["definition"]] == ["retention_calendar"]
    assert answer["reporting_zone"] == "UTC"
    assert answer["filters"] == {"country": "DE"}
    assert datetime.fromisoformat(answer["watermark"]) == now
    assert answer["cohorts"] == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("analytics/retention", "retention"),
        ("analytics/funnels/paywall", "paywall-funnel"),
        ("analytics/revenue", "title-revenue"),
        ("analytics/beats", "beats"),
        ("analytics/ltv", "ltv"),
        ("analytics/arpu", "arpu"),
        ("analytics/repurchase", "repurchase"),
        ("analytics/rhythm", "rhythm"),
        ("analytics/funnels", "steps"),
        ("analytics/encounters", "encounters"),
        ("analytics/survival", "survival"),
        ("analytics/heat", "heat"),
        ("analytics/money", "money"),
        ("analytics/ads", "ads"),
        ("analytics/charts", "charts"),
        ("analytics/quality", "quality"),
    ],
)
def test_a_report_comes_as_a_file(api: Client, now: datetime, path: str, name: str) -> None:
    series = _sold(now)
    query: dict[str, Any] = {}
    if name in ("beats", "heat", "survival"):
        query["series_id"] = series.id
    if name == "steps":
        query["steps"] = "app_open,purchase"

    starts = {
        "csv": ("text/csv; charset=utf-8", b"# "),
        "parquet": ("application/vnd.apache.parquet", b"PAR1"),
        "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK"),
    }
    for ending, (content_type, start) in starts.items():
        answer = _get(api, path, now=now, format=ending, **query)

        assert answer.status_code == 200
        assert answer["Content-Type"] == content_type
        assert answer["Content-Disposition"] == f'attachment; filename="{name}.{ending}"'
        assert answer["Cache-Control"] == "no-store"
        assert answer.content.startswith(start)


@pytest.mark.parametrize(
    "query",
    [
        {"by": "month"},
        {"mode": "rolling"},
        {"horizon": "-1"},
        {"horizon": "401"},
        {"country": "de"},
        {"platform": "tv"},
        {"format": "pdf"},
        {"unknown": "1"},
    ],
)
def test_a_bad_parameter_is_a_clear_problem(
    api: Client, now: datetime, query: dict[str, str]
) -> None:
    answer = _get(api, "analytics/retention", now=now, **query)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
    assert next(iter(query)) in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("ltv", {"split": "arm"}),
        ("retention", {"arm": "five"}),
        ("funnels", {"steps": "app_open"}),
        ("funnels", {"steps": "app_open,app_open"}),
        ("funnels", {"steps": "app_open,start", "within_hours": "1,2"}),
        ("funnels", {"steps": "app_open,start", "within_hours": "9999"}),
        ("funnels", {"steps": "app_open,start", "unit": "title"}),
        ("money", {"since": "2026-03-02", "until": "2026-03-01"}),
        ("money", {"since": "2020-01-01"}),
        ("money", {"until": "0001-01-01"}),
        ("money", {"since": "9999-12-31", "until": "9999-12-31"}),
        ("charts", {"until": "9999-12-31"}),
        ("charts", {"until": "0001-01-03"}),
    ],
)
def test_what_makes_no_report_is_a_clear_problem(
    api: Client, now: datetime, path: str, query: dict[str, str]
) -> None:
    answer = _get(api, f"analytics/{path}", now=now, **query)

    assert (answer.status_code, answer.json()["code"]) == (422, "report_impossible")
    assert answer.json()["detail"].endswith(".")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("funnels", {}),
        ("funnels", {"steps": "app_open,nothing"}),
        ("funnels", {"steps": "app_open,start", "within_hours": "0"}),
        ("charts", {"length": "0"}),
        ("quality", {"split": "colour"}),
        ("heat", {}),
    ],
)
def test_a_parameter_that_no_report_takes_is_a_clear_problem(
    api: Client, now: datetime, path: str, query: dict[str, str]
) -> None:
    answer = _get(api, f"analytics/{path}", now=now, **query)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")


@pytest.mark.parametrize("path", ["arpu", "ads", "quality", "revenue"])
def test_days_that_nobody_will_see_are_days_without_anything(
    api: Client, now: datetime, path: str
) -> None:
    answer = _get(api, f"analytics/{path}", now=now, since="0001-01-01", until="9999-12-31")

    assert answer.status_code == 200


def test_a_chart_is_of_the_last_seven_days_that_are_over(api: Client, now: datetime) -> None:
    answer = _get(api, "analytics/charts", now=now).json()

    assert answer["filters"] == {"since": "2026-03-07", "until": "2026-03-13"}
    assert answer["rows"] == []


def test_money_is_of_the_last_thirty_days_and_today(api: Client, now: datetime) -> None:
    _sold(now)
    booked = Unlock.objects.get()

    rows = _get(api, "analytics/money", now=now).json()["rows"]

    assert len(rows) == 30 * 3
    today = {row["source"]: row for row in rows[-3:]}
    assert (today["coins"]["day"], today["coins"]["is_complete"]) == ("2026-03-14", False)
    assert today["coins"]["recognised_micros"] == booked.value_micros
    assert today["coins"]["net_micros"] == (
        today["coins"]["recognised_micros"] + today["coins"]["deferred_micros"]
    )


def test_revenue_by_locale_is_all_of_it(api: Client, now: datetime) -> None:
    _sold(now)

    answer = _get(api, "analytics/revenue", now=now, by="locale", format="csv")

    lines = answer.content.decode().splitlines()
    value = Unlock.objects.get().value_micros
    (row,) = [line for line in lines if line.startswith("en,")]
    assert row.endswith(f",{value},0,{value}")
    assert lines[-1].endswith(f",{value},0,{value}")


def test_beats_come_on_a_grid_of_any_length(api: Client, now: datetime) -> None:
    series = _sold(now)

    answer = _get(api, "analytics/beats", now=now, series_id=series.id, grid_seconds=7).json()

    beats = answer["versions"][0]["beats"]
    assert {beat["kind"] for beat in beats} == {"grid"}
    assert (beats[0]["start_ms"], beats[0]["end_ms"]) == (0, 7000)


def test_beats_of_what_does_not_exist_are_not_found(api: Client, now: datetime) -> None:
    series, other = _sold(now), EpisodeFactory()

    unknown = _get(api, "analytics/beats", now=now, series_id=uuid4())
    foreign = _get(
        api,
        "analytics/beats",
        now=now,
        series_id=series.id,
        version_id=other.current_version.id,
    )

    assert (unknown.status_code, foreign.status_code) == (404, 404)


def test_an_unlock_that_named_no_playback_is_on_no_beat(api: Client, now: datetime) -> None:
    series = _sold(now)

    answer = _get(api, "analytics/beats", now=now, series_id=series.id).json()

    (unbooked,) = answer["unbooked"]
    assert unbooked.pop("reason") == "none"
    assert unbooked == answer["total"]
    assert answer["total"]["value_micros"] == Unlock.objects.get().value_micros


def test_the_pipeline_reads_its_beats_back_without_what_is_of_few(
    api: Client, now: datetime
) -> None:
    _sold(now)

    answer = _get(api, "pipeline/series/helen/beats", now=now).json()

    (beat,) = answer["versions"][0]["beats"]
    assert (beat["kind"], beat["emotion"], beat["hook"]) == ("cliffhanger", "fear", "a train")
    assert beat["suppressed"] is True
    assert {beat["at_risk"], beat["exits"], beat["survival"], beat["booked_value_micros"]} == {None}


def test_the_pipeline_reads_the_very_bytes_that_were_published(api: Client, now: datetime) -> None:
    missing = _get(api, "pipeline/rankings", now=now)
    SeriesFactory()
    published = {
        snapshot.horizon_hours: bytes(snapshot.body) for snapshot in snapshots.refresh(now=now)
    }

    week = _get(api, "pipeline/rankings", now=now)
    day = _get(api, "pipeline/rankings", now=now, horizon="24h")

    assert (missing.status_code, missing.json()["code"]) == (404, "ranking_unavailable")
    assert (week.content, day.content) == (published[168], published[24])
    assert week["Cache-Control"] == "private, no-cache"
    assert week["ETag"] != day["ETag"]


def test_a_ranking_that_stands_is_not_sent_again(api: Client, now: datetime) -> None:
    snapshots.refresh(now=now)
    etag = _get(api, "pipeline/rankings", now=now)["ETag"]
    headers = pipeline_headers(now=now) | {"If-None-Match": etag}

    again = api.get("/v1/pipeline/rankings", headers=headers)
    snapshots.refresh(now=now + snapshots.UNCHANGED)
    moved = api.get("/v1/pipeline/rankings", headers=headers)

    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    assert moved.status_code == 200


def test_the_command_prints_the_same_table(
    now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    _sold(now)
    booked = Unlock.objects.get().value_micros

    call_command("report", "revenue", "--series", "helen")
    printed = capsys.readouterr().out
    call_command("report", "revenue", "--csv")
    filed = capsys.readouterr().out

    assert "title_revenue (revenue by title)" in printed
    assert str(booked) in printed
    assert filed.splitlines()[-1].endswith(f",{booked},0,{booked}")
    asked = {
        "retention": ["--by", "week", "--split", "country"],
        "beats": ["helen"],
        "heat": ["helen", "--stretch-ms", "5000"],
        "survival": ["helen"],
        "steps": ["--steps", "app_open,start,purchase", "--within-hours", "24,168"],
    }
    for name, entry in library.REPORTS.items():
        call_command("report", name, *asked.get(name, []))
        printed = capsys.readouterr()
        assert f"reporting zone: {settings.REPORTING_ZONE.key}" in printed.out, name
        assert "engine: DuckDB" in printed.out, name
        assert (printed.err, entry.title != "") == ("", True)


@pytest.mark.parametrize("name", library.REPORTS)
def test_a_report_tells_each_step_by_the_query_that_its_entry_names(
    now: datetime, name: str
) -> None:
    series = _sold(now)
    given: dict[str, Any] = {}
    if name in ("beats", "heat", "survival"):
        given["series_id"] = series.id
    if name == "steps":
        given["steps"] = "app_open,purchase"
    if name in ("retention", "ltv"):
        given |= {"split": Split.FIRST_SERIES, "experiment": "free"}
    told: list[str] = []

    def announce(step: str, percent: Callable[[], float]) -> None:
        assert percent() <= 100
        told.append(step)

    library.read(name, library.REPORTS[name].query(**given), now=now, announce=announce)

    counted = {step.removeprefix("counting ") for step in told if step.startswith("counting ")}
    assert counted == {query.replace("_", " ") for query in library.REPORTS[name].queries}
    assert told[-1] == "done"


def test_a_terminal_is_shown_how_far_a_report_is(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(report, "Console", lambda **_: terminal)
    monkeypatch.setattr(report, "DRAWN_EVERY_SECONDS", 0.001)

    with report._progress() as announce:
        announce("counting starts", lambda: 40.0)
        for _ in range(2000):
            if "counting starts" in screen.getvalue():
                break
            time.sleep(0.005)

    assert "counting starts" in screen.getvalue()
    assert report.DRAWING not in {thread.name for thread in threading.enumerate()}


def test_the_command_says_what_it_does_not_know() -> None:
    with pytest.raises(CommandError, match="no series nobody"):
        call_command("report", "funnel", "--series", "nobody")
    with pytest.raises(CommandError, match="no series nobody"):
        call_command("report", "beats", "nobody")
    SeriesFactory(external_id="empty")
    with pytest.raises(CommandError, match="none of its episodes is out"):
        call_command("report", "heat", "empty")
    with pytest.raises(CommandError, match="experiment"):
        call_command("report", "ltv", "--split", "arm")
    with pytest.raises(CommandError, match="steps"):
        call_command("report", "steps", "--steps", "nothing")
    with pytest.raises(CommandError, match="horizon"):
        call_command("report", "retention", "--horizon", "-1")
