"""An ad that a network's server tells of is that of the session in which it was shown: the network names none."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from ads.models import AdSession, Impression, Placement
from ads.revenue import postbacks
from catalog.models import Series
from tests.ads.networks.test_impression_postbacks import query
from tests.factories.ads import PlacementFactory
from tests.factories.payments import as_owner
from tests.payments.calls import episode
from viewers.models import Device

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
SECRET = "an-address-that-nobody-knows"
Opening = Callable[..., AdSession]

pytestmark = pytest.mark.usefixtures("_the_ledger_holds")


@pytest.fixture
def unit(settings: Settings, _the_ledger_holds: None) -> Placement:
    settings.APPLOVIN_EVENT_KEYS, settings.AD_CALLBACK_SECRET = "old,new", SECRET
    return PlacementFactory(network="applovin", ad_unit_id="9ad0816ac071552a")


@pytest.fixture
def opened(unit: Placement, series: Series, device: Device) -> Opening:
    """Opens a session for the next episode at a moment, for an hour; it may have been refused since."""
    numbers = iter(range(9, 20))

    def at(moment: datetime, *, closed_at: datetime | None = None) -> AdSession:
        session = AdSession(
            viewer_id=device.viewer_id,
            environment="production",
            placement=unit,
            network=unit.network,
            ad_unit_id=unit.ad_unit_id,
            series=series,
            episode_id=episode(series, next(numbers)),
            opened_at=moment,
            expires_at=moment + HOUR,
            closed_at=closed_at,
            refusal="already_open" if closed_at else "",
        )
        with as_owner():
            session.save(force_insert=True)
        return session

    return at


def _told(device: Device, *, at: datetime) -> AdSession | None:
    """The session of an ad that was shown at a moment, as MAX's server says."""
    text = query(user_id=device.viewer_id.hex, ts=str(int(at.timestamp())))
    verdict = postbacks.receive(
        network="applovin", address_secret=SECRET, query_string=text, now=at + HOUR
    )
    assert verdict == "kept"
    return Impression.objects.get().session


def test_it_is_the_latest_that_was_open_then(
    opened: Opening, device: Device, now: datetime
) -> None:
    opened(now - 2 * MINUTE)
    latest = opened(now - MINUTE)
    opened(now - 2 * HOUR)

    assert _told(device, at=now) == latest


def test_it_is_not_one_that_was_opened_after_the_ad(
    opened: Opening, device: Device, now: datetime
) -> None:
    shown_in = opened(now - MINUTE)
    opened(now + 2 * MINUTE)

    assert _told(device, at=now) == shown_in


def test_a_clock_that_is_behind_finds_the_first_that_was_opened_soon_after(
    opened: Opening, device: Device, now: datetime
) -> None:
    soon = opened(now + SECOND)
    opened(now + 4 * MINUTE)

    assert _told(device, at=now) == soon


def test_one_that_was_settled_before_gives_way_to_one_that_is_opened_in_the_same_second(
    opened: Opening, device: Device, now: datetime
) -> None:
    """The network counts in whole seconds: an ad that was loaded ahead is shown before its session by that."""
    opened(now - 5 * MINUTE, closed_at=now - 4 * MINUTE)
    shown_in = opened(now + SECOND / 2)

    assert _told(device, at=now) == shown_in


def test_one_that_was_settled_is_better_than_none(
    opened: Opening, device: Device, now: datetime
) -> None:
    settled = opened(now - 5 * MINUTE, closed_at=now - SECOND)

    assert _told(device, at=now) == settled


@pytest.mark.parametrize("opened_before", [HOUR, -5 * MINUTE - SECOND])
def test_there_is_none_where_none_was_open_then_or_soon_after(
    opened: Opening, device: Device, now: datetime, opened_before: timedelta
) -> None:
    opened(now - opened_before)

    assert _told(device, at=now) is None
