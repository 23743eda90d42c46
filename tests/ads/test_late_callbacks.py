"""A network's word that comes after the session has expired: counted in time, parked later."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from ads import adapters
from ads.models import AdSession, Callback, Placement, Reward
from catalog.models import Series
from tests.factories.ads import (
    PlacementFactory,
    ad_session,
    claim,
    open_session,
    report,
    watch,
    watched,
)
from tests.factories.viewers import clock_headers
from tests.payments.calls import episode
from viewers.models import Device

HOUR = timedelta(hours=1)


@pytest.fixture
def session(placement: Placement, series: Series, device: Device, now: datetime) -> AdSession:
    """A session that expires an hour from now."""
    return ad_session(placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now)


def test_is_settled_as_paid_and_says_that_it_was_late(
    api: Client, session: AdSession, now: datetime
) -> None:
    late = now + 2 * HOUR

    response = api.get(f"/v1/ssv/fake?{watched(session, now=late)}", headers=clock_headers(late))

    session.refresh_from_db()
    assert (response.status_code, response.json()) == (200, {"verdict": "late"})
    assert (session.state_at(late), session.rewarded_at) == ("rewarded", late)
    assert (Reward.objects.get().created_at, Callback.objects.get().is_parked) == (late, False)


def test_takes_a_place_of_the_cap_only_beside_the_sessions_that_are_open(
    placement: Placement, series: Series, device: Device, session: AdSession, now: datetime
) -> None:
    """The expired session has given its place back: whoever watches now must not lose theirs."""
    Placement.objects.update(daily_cap=1)
    late = now + HOUR
    other = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 10), now=late
    )

    assert watch(session, now=late).verdict == "expired"
    assert watch(other, now=late).verdict == "paid"
    assert list(Callback.objects.order_by("id").values_list("is_parked", flat=True)) == [
        True,
        False,
    ]
    assert session.state_at(late) == "expired"


def test_the_grace_is_a_setting(session: AdSession, now: datetime, settings: Settings) -> None:
    settings.AD_GRACE_SECONDS = 0

    assert watch(session, now=now + HOUR).verdict == "expired"
    assert Callback.objects.get().is_parked


def test_an_episode_that_was_opened_since_is_not_opened_twice(
    placement: Placement, series: Series, device: Device, session: AdSession, now: datetime
) -> None:
    late = now + HOUR
    again = ad_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=late
    )
    assert again.id != session.id
    assert watch(again, now=late).verdict == "paid"

    assert watch(session, now=late).verdict == "already_open"


@pytest.fixture
def _claims_are_believed(settings: Settings) -> Iterator[None]:
    settings.PROVISIONAL_AD_NETWORKS = ["douyin"]
    adapters._adapters.cache_clear()
    yield
    adapters._adapters.cache_clear()


@pytest.mark.usefixtures("_claims_are_believed")
def test_an_app_that_is_believed_has_no_grace_and_parks_nothing(
    series: Series, device: Device, now: datetime
) -> None:
    placement = PlacementFactory(network="douyin", daily_cap=3, cooldown_seconds=300)
    opened = open_session(
        placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now
    )

    assert report(claim(opened), now=now + HOUR, network="douyin").verdict == "expired"
    assert not Callback.objects.get().is_parked
