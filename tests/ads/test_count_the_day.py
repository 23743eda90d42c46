"""A day of a cap begins at midnight in the reporting zone, whatever the clock does there."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from ads import limits
from ads.models import AdSession, Placement, Reward
from catalog.models import Series
from tests.factories.ads import ad_session, watch
from tests.factories.viewers import viewer_headers
from tests.payments.calls import episode
from viewers.models import Device

SHANGHAI, NEW_YORK = "Asia/Shanghai", "America/New_York"


@pytest.fixture(autouse=True)
def _capped(placement: Placement) -> None:
    Placement.objects.update(daily_cap=1)


def open_at(api: Client, device: Device, episode_id: Any, at: datetime) -> Any:
    body = {"placement": "paywall", "episode_id": str(episode_id)}
    headers = viewer_headers(device, now=at)
    return api.post("/v1/ads/sessions", body, "application/json", headers=headers)


def watch_one(placement: Placement, device: Device, episode_id: Any, at: datetime) -> None:
    session = ad_session(placement, viewer_id=device.viewer_id, episode_id=episode_id, now=at)
    assert watch(session, now=at).verdict == "paid"


@pytest.mark.parametrize(
    ("zone", "watched_at", "midnight"),
    [
        ("UTC", "2026-03-14T00:00:00", "2026-03-15T00:00:00"),
        ("UTC", "2026-03-14T23:59:59", "2026-03-15T00:00:00"),
        (SHANGHAI, "2026-03-14T15:59:59", "2026-03-14T16:00:00"),
        (SHANGHAI, "2026-03-14T16:00:00", "2026-03-15T16:00:00"),
        ("Asia/Kathmandu", "2026-03-14T12:00:00", "2026-03-14T18:15:00"),
        # The clock is put forward on 8 March: that day has 23 hours.
        (NEW_YORK, "2026-03-08T05:00:00", "2026-03-09T04:00:00"),
        (NEW_YORK, "2026-03-08T04:59:59", "2026-03-08T05:00:00"),
        # It is put back on 1 November: that day has 25.
        (NEW_YORK, "2026-11-01T04:00:00", "2026-11-02T05:00:00"),
        (NEW_YORK, "2026-11-01T06:30:00", "2026-11-02T05:00:00"),
        # Here the clock jumps over midnight itself: the day begins at one.
        ("America/Santiago", "2026-09-05T12:00:00", "2026-09-06T04:00:00"),
    ],
)
def test_the_next_ad_is_at_the_next_midnight_of_the_reporting_zone(
    api: Client,
    placement: Placement,
    series: Series,
    device: Device,
    settings: Settings,
    zone: str,
    watched_at: str,
    midnight: str,
) -> None:
    settings.REPORTING_ZONE = ZoneInfo(zone)
    at, again_at = (datetime.fromisoformat(f"{text}+00:00") for text in (watched_at, midnight))
    watch_one(placement, device, episode(series, 9), at)

    late = open_at(api, device, episode(series, 10), again_at - timedelta(microseconds=1))
    assert late.json()["code"] == "ad_cap_reached"
    assert datetime.fromisoformat(late.json()["resets_at"]) == again_at
    assert open_at(api, device, episode(series, 10), again_at).status_code == 201


def test_an_ad_over_midnight_takes_its_place_of_the_day_on_which_it_pays(
    api: Client, placement: Placement, series: Series, device: Device, settings: Settings
) -> None:
    settings.REPORTING_ZONE = ZoneInfo(SHANGHAI)
    before, after = (datetime(2026, 3, 14, hour, 59, 30, tzinfo=UTC) for hour in (15, 16))
    session = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=before
    )
    blocked = open_at(api, device, episode(series, 10), before + timedelta(minutes=1))

    settled = watch(session, now=before + timedelta(minutes=1))

    assert blocked.json()["code"] == "ad_cap_reached"
    assert settled.verdict == "paid"
    assert Reward.objects.get().day == date(2026, 3, 15)
    assert open_at(api, device, episode(series, 10), after).json()["code"] == "ad_cap_reached"


def test_an_expired_session_gives_its_place_back(
    api: Client, placement: Placement, series: Series, device: Device, now: datetime
) -> None:
    ad_session(placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now)

    assert open_at(api, device, episode(series, 10), now + timedelta(minutes=59)).status_code == 429
    assert open_at(api, device, episode(series, 10), now + timedelta(minutes=60)).status_code == 201


@pytest.mark.parametrize("zone", ["UTC", SHANGHAI, NEW_YORK, "Pacific/Kiritimati", "Pacific/Niue"])
def test_no_hour_of_a_year_is_over_the_cap_or_short_of_it(
    placement: Placement, series: Series, device: Device, settings: Settings, zone: str
) -> None:
    """Every midnight from moment to moment, against a calendar that counts days one by one."""
    settings.REPORTING_ZONE = ZoneInfo(zone)
    moment = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    while moment.year == 2026:
        midnight = limits.next_midnight(moment)
        assert limits.reporting_day(midnight) == limits.reporting_day(moment) + timedelta(days=1)
        before = midnight - timedelta(microseconds=1)
        assert limits.reporting_day(before) == limits.reporting_day(moment)
        moment += timedelta(hours=1)
    assert not AdSession.objects.exists()
