"""The first page of the admin draws what the reports say, and opens when they cannot be read."""

from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import duckdb
import msgspec
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.core.cache import caches
from django.db import OperationalError
from django.test import Client

from analytics import tasks
from analytics.admin import home
from analytics.intake import inbox
from analytics.models import LakeFile
from analytics.reports import sources
from catalog.models import Series
from payments.access import paywall
from payments.unlocking import unlocks
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.events import Playback, app_open, body, event
from tests.factories.operators import operator, signed_in
from tests.factories.payments import default_plan, fund
from tests.factories.viewers import ViewerFactory, clock_headers
from viewers.models import Viewer

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]
DAY, PLAYED = timedelta(days=1), timedelta(seconds=9)
PRICE_COINS, COINS, NET_MICROS = 60, 500, 4_990_000


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    caches["local"].clear()


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
def two_viewers(own_lake: Path, helen: Series, first_day: datetime) -> None:
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


def sections(client: Client, now: datetime) -> dict[str, Any]:
    page = client.get("/admin/", headers=clock_headers(now))
    assert page.status_code == 200
    return {
        section["template"].rpartition("/")[2].removesuffix(".html"): section
        for section in page.context["sections"]
    }


@pytest.mark.usefixtures("two_viewers")
def test_draws_revenue_funnel_and_retention(now: datetime, first_day: datetime) -> None:
    shown = sections(signed_in(operator("root", is_superuser=True)), now)

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


@pytest.mark.usefixtures("two_viewers")
def test_opens_when_the_lake_cannot_be_read(own_lake: Path, now: datetime) -> None:
    for file in LakeFile.objects.all():
        (own_lake / file.path).unlink()

    client = signed_in(operator("root", is_superuser=True))

    assert set(sections(client, now)) == {"unreadable"}
    assert "cannot be read right now" in client.get("/admin/").content.decode()


@pytest.mark.parametrize(
    "failure",
    [
        duckdb.IOException("a file is broken"),
        OSError("the disk is full"),
        OperationalError("canceling statement due to statement timeout"),
        EndpointConnectionError(endpoint_url="https://lake.example"),
        ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_opens_whatever_reading_the_lake_fails_with(
    failure: Exception, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*, now: datetime) -> None:
        raise failure

    client = signed_in(operator("root", is_superuser=True))
    monkeypatch.setattr(sources, "opened", fails)

    page = client.get("/admin/", headers=clock_headers(now))

    assert page.status_code == 200
    assert page.context["figures"]
    assert [section["template"] for section in page.context["sections"]] == [
        "admin/analytics/unreadable.html"
    ]


def test_makes_reports_once_a_minute(now: datetime) -> None:
    first, same, later = (
        home._reports(now + after) for after in (timedelta(), home.KEPT / 2, home.KEPT)
    )

    assert (first.made_at, same.made_at, later.made_at) == (now, now, now + home.KEPT)


def test_shows_the_last_reports_while_another_thread_makes_new_ones(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = home._reports(now)
    is_making, may_end, made = Event(), Event(), []

    def slow(at: datetime) -> home.Reports:
        is_making.set()
        assert may_end.wait(10)
        return last

    monkeypatch.setattr(home, "_made", slow)
    later = now + home.KEPT
    maker = Thread(target=lambda: made.append(home._reports(later)))
    maker.start()
    assert is_making.wait(10)

    shown = home._reports(later)
    may_end.set()
    maker.join()

    assert shown.made_at == now
    assert made == [last]
