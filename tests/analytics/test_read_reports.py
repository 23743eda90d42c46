"""Analysts call the reports, and the pipeline its feedback, over HTTP."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from analytics.ranking import snapshots
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
    ],
)
def test_a_report_comes_as_a_file(api: Client, now: datetime, path: str, name: str) -> None:
    series = _sold(now)
    query = {"series_id": series.id} if name == "beats" else {}

    answer = _get(api, path, now=now, format="csv", **query)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}.csv"'
    assert answer["Cache-Control"] == "no-store"
    assert answer.content.startswith(b"# ")


@pytest.mark.parametrize(
    "query",
    [
        {"by": "month"},
        {"mode": "rolling"},
        {"horizon": "-1"},
        {"horizon": "401"},
        {"country": "de"},
        {"platform": "tv"},
        {"format": "xlsx"},
        {"unknown": "1"},
    ],
)
def test_a_bad_parameter_is_a_clear_problem(
    api: Client, now: datetime, query: dict[str, str]
) -> None:
    answer = _get(api, "analytics/retention", now=now, **query)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
    assert next(iter(query)) in answer.json()["detail"]


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
    for arguments in (["retention", "--by", "week"], ["funnel"], ["beats", "helen"]):
        call_command("report", *arguments)
    assert "beat_survival (beat survival)" in capsys.readouterr().out


def test_the_command_says_what_it_does_not_know() -> None:
    with pytest.raises(CommandError, match="no series nobody"):
        call_command("report", "funnel", "--series", "nobody")
    with pytest.raises(CommandError, match="no such series"):
        call_command("report", "beats", "nobody")
    with pytest.raises(CommandError, match="horizon"):
        call_command("report", "retention", "--horizon", "-1")
