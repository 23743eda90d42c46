"""A placement, a series with locked episodes, a viewer in front of it, and a ledger that holds."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from django.conf import settings as project
from pytest_django.fixtures import Settings

from ads import adapters
from ads.models import Placement, VerifierKeys
from ads.networks import registry
from catalog.models import Series
from tests import ledger_rules
from tests.factories.ads import PAST, PlacementFactory
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.payments import default_plan
from tests.factories.viewers import DeviceFactory, viewer_headers
from viewers.models import Device

FREE, LOCKED, EPISODES = 1, 9, 20  # the default plan: eight free, then 60 coins each


@pytest.fixture
def _the_ledger_holds(db: None) -> Iterator[None]:
    """After every test with rows, every rule of the ledger and of rewards is re-added."""
    yield
    assert ledger_rules.broken() == []


@pytest.fixture
def placement(_the_ledger_holds: None) -> Placement:
    return PlacementFactory(code="paywall")


@pytest.fixture
def series(_the_ledger_holds: None) -> Series:
    default_plan()
    series = SeriesFactory()
    episodes_of(series, range(1, EPISODES + 1))
    return series


@pytest.fixture
def device(_the_ledger_holds: None) -> Device:
    return DeviceFactory()


@pytest.fixture
def headers(device: Device, now: datetime) -> dict[str, str]:
    return viewer_headers(device, now=now)


@pytest.fixture
def no_fake_network(settings: Settings) -> Iterator[None]:
    """As in production: the fake network is off."""
    settings.FAKE_AD_NETWORK = False
    adapters._adapters.cache_clear()
    yield
    adapters._adapters.cache_clear()


@pytest.fixture
def admob_signs_with_the_fake_key(_the_ledger_holds: None) -> None:
    """The keys on record for AdMob are the fake network's: a test has no key of Google's."""
    VerifierKeys.objects.create(
        network="admob", document=registry.fake_network(project).document(), fetched_at=PAST
    )
