"""A priced series, a viewer in front of it, and the promise that the ledger holds afterwards."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from django.core.cache import caches

from catalog.models import Series
from payments.access import paywall
from payments.messages import outages
from payments.models import Cover, Entitlement, Lot, OfferClaim, Transfer
from tests import ledger_rules
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.payments import default_plan
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.rows import is_any_there
from viewers.models import Device

EPISODES = 12  # the default plan: eight free, then 60 coins each


@pytest.fixture(autouse=True)
def _the_ledger_holds(db: None) -> Iterator[None]:
    """After every test that has moved money or opened an episode, every rule of the ledger is re-added."""
    yield
    if is_any_there(Transfer, Lot, Entitlement, Cover, OfferClaim):
        assert ledger_rules.broken() == []


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    """What an earlier test's catalog usually cost is not what this one's does, nor are its stores out of reach."""
    caches["local"].clear()
    outages.forget()


@pytest.fixture
def series() -> Series:
    default_plan()
    series = SeriesFactory(state="published")
    episodes_of(series, range(1, EPISODES + 1))
    return series


@pytest.fixture
def device() -> Device:
    return DeviceFactory()


@pytest.fixture
def headers(device: Device, now: datetime) -> dict[str, str]:
    return viewer_headers(device, now=now)


@pytest.fixture
def quote(device: Device, series: Series, now: datetime) -> str:
    """The quote of the viewer's paywall."""
    shown = paywall.show(
        viewer_id=device.viewer_id, environment="production", series_id=series.id, now=now
    )
    return shown.quote.token()
