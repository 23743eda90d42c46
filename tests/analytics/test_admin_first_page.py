"""The first page of the admin and its dashboards draw rollups, and open when these cannot be read in time."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from analytics import tasks
from analytics.admin import home
from analytics.intake import inbox
from analytics.models import LakeFile
from analytics.rollups import reading
from catalog.models import Series
from payments.access import paywall
from payments.unlocking import unlocks
from tests.analytics import rolled
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.events import Playback, app_open, body, event
from tests.factories.operators import operator, signed_in
from tests.factories.payments import default_plan, fund
from tests.factories.viewers import ViewerFactory, clock_headers
from viewers.models import Viewer

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]
DAY, PLAYED = timedelta(days=1), timedelta(seconds=9)
PRICE_COINS, COINS, NET_MICROS = 60, 500, 4_990_000


@pytest.fixture
def helen() -> Series:
    default_plan()
    series = SeriesFactory(external_id="helen")
    for number in (1, 9):
        EpisodeFactory(series=series, number=number)
    return series


@pytest.fixture
def first_day(now: datetime) -> datetime:
    """Long enough ago that every window is over."""
    return now - 12 * DAY


def watch(viewer: Viewer, series: Series, number: int, at: datetime) -> list[dict[str, Any]]:
    episode = series.episodes.get(number=number)
    playback = Playback(
        viewer_id=viewer.id,
        started_at=at,
        series_id=series.id,
        episode_id=episode.id,
        version_id=episode.current_version_id,
    )
    return [
        playback.event("playback_start"),
        playback.event("playback_progress", after=PLAYED, from_ms=0, to_ms=9_000, actual_ms=9_000),
    ]


def pay(viewer: Viewer, series: Series, at: datetime) -> None:
    fund(viewer.id, now=at, paid=COINS, price_micros=NET_MICROS)
    shown = paywall.show(viewer_id=viewer.id, environment="production", series_id=series.id, now=at)
    unlocks.unlock(
        viewer_id=viewer.id,
        environment="production",
        episode_id=series.episodes.get(number=9).id,
        quote=shown.quote.token(),
        now=at,
    )


def report(viewer: Viewer, events: list[dict[str, Any]], at: datetime) -> None:
    inbox.receive(
        viewer_id=viewer.id, environment="production", body=body(events, sent_at=at), now=at
    )


@pytest.fixture
def two_viewers(own_lake: Path, helen: Series, first_day: datetime, now: datetime) -> None:
    """Both open the app and reach the paywall. One unlocks, watches, and is back the next day."""
    payer, leaver = ViewerFactory(), ViewerFactory()
    met = first_day + timedelta(minutes=1)
    wall = event(
        "paywall_shown",
        at=met,
        series_id=str(helen.id),
        episode_id=str(helen.episodes.get(number=9).id),
        price_coins=PRICE_COINS,
    )
    for viewer in (payer, leaver):
        own_wall = wall | {"event_id": app_open(at=met)["event_id"]}
        begun = [app_open(at=first_day), *watch(viewer, helen, 1, first_day), own_wall]
        report(viewer, begun, met)
    pay(payer, helen, met + timedelta(minutes=1))
    watched = met + timedelta(minutes=2)
    report(payer, watch(payer, helen, 9, watched), watched + timedelta(minutes=1))
    report(payer, [app_open(at=first_day + DAY)], first_day + DAY)
    tasks.flush_events()
    rolled.fill(now)


def sections(client: Client, now: datetime) -> dict[str, Any]:
    page = client.get("/admin/", headers=clock_headers(now))
    assert page.status_code == 200
    return {
        section["template"].rpartition("/")[2].removesuffix(".html"): section
        for section in page.context["sections"]
    }


@pytest.mark.usefixtures("two_viewers")
def test_draws_revenue_funnel_and_retention_from_rollups_alone(
    own_lake: Path, now: datetime, first_day: datetime
) -> None:
    for file in LakeFile.objects.all():
        (own_lake / file.path).unlink()
    with CaptureQueriesContext(connection) as captured:
        shown = sections(signed_in(operator("root", is_superuser=True)), now)

    of_plots = [query["sql"] for query in captured if "analytics_rollup" in query["sql"]]
    assert of_plots
    assert not any("payments_" in sql or "lakefile" in sql for sql in of_plots)

    value = NET_MICROS * PRICE_COINS // COINS
    bars = msgspec.json.decode(shown["revenue"]["bars"].data)
    of_coins = dict(zip(bars["labels"], bars["datasets"][0]["data"], strict=True))
    assert of_coins.pop(f"{first_day:%b %-d}") == round(value / 1_000_000, 2)
    assert set(of_coins.values()) == {0}
    assert [title.external_id for title in shown["revenue"]["best"]] == ["helen"]
    steps = [(step.viewers, step.percent_of_previous) for step in shown["funnel"]["steps"]]
    assert steps == [(2, None), (2, 100.0), (1, 50.0), (1, 100.0)]
    everybody, cohort = shown["retention"]["rows"]
    assert [cell.text for cell in cohort.cells][:4] == ["100%", "50%", "0%", "0%"]
    assert cohort.cells[-1].strength is None  # day 14 is not over on day 12
    assert [cell.text for cell in everybody.cells] == [cell.text for cell in cohort.cells]


@pytest.mark.usefixtures("helen")
def test_opens_before_anybody_has_come(now: datetime) -> None:
    shown = sections(signed_in(operator("root", is_superuser=True)), now)

    assert shown["funnel"]["steps"][0].viewers == 0
    assert [row.title for row in shown["retention"]["rows"]] == ["All"]


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("analyst", {"funnel", "retention"}),
        ("pricing", {"revenue"}),
        ("content", set()),
        ("owner", {"revenue", "funnel", "retention"}),
    ],
)
def test_shows_each_role_what_it_may_see(role: str, names: set[str], now: datetime) -> None:
    assert set(sections(signed_in(operator(role=role)), now)) == names


def test_opens_when_the_figures_take_too_long(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(operator("root", is_superuser=True))
    monkeypatch.setattr(home, "PATIENCE_MS", 1)
    monkeypatch.setattr(reading, "_FILLS", "SELECT pg_sleep(1), '', 0, 0, 0, now()")

    page = client.get("/admin/", headers=clock_headers(now))

    assert page.status_code == 200
    assert page.context["figures"]
    assert {section["template"] for section in page.context["sections"]} == {
        "admin/analytics/slow.html"
    }


@pytest.mark.usefixtures("two_viewers")
def test_dashboards_draw_each_metric_and_say_how_far_it_is_filled(now: datetime) -> None:
    owner, analyst, pricing = (
        signed_in(operator(role, role=role)) for role in ("owner", "analyst", "pricing")
    )
    address = "/admin/analytics/rolluphour/dashboards/"

    page = owner.get(address, {"days": "30"}, headers=clock_headers(now))
    of_analyst = analyst.get(address, headers=clock_headers(now))

    charts = {chart["title"]: chart for chart in page.context["charts"]}
    assert charts["New viewers"]["total"] == "2"
    assert charts["Gross billings"]["total"] == "4.99 USD"
    assert charts["Hours watched"]["notes"].as_of is not None
    filled = {metric.name: metric for metric in page.context["filled"]}
    assert (filled["events"].state, filled["funnel_starters"].state) == ("waiting", "waiting")
    assert filled["events"].as_of == now
    assert "Gross billings" not in {chart["title"] for chart in of_analyst.context["charts"]}
    assert pricing.get(address, headers=clock_headers(now)).status_code == 403
