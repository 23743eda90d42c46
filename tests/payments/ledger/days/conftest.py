"""A viewer's three days, as docs/money.md tells them."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from pytest_django.fixtures import Settings

from catalog.models import Series
from config import clock
from payments.access import entitlements
from payments.ledger.days import closing
from payments.models import StoreTerms
from tests.factories.payments import fund
from tests.payments.ledger.days.story import DAY, HOUR, MINUTE, money_back, see_ad, spend
from viewers.models import Device


@pytest.fixture(autouse=True)
def _midday(settings: Settings) -> None:
    """The zone in which it is noon: no day ends while a test runs."""
    ahead = 12 - clock.read().hour
    settings.REPORTING_ZONE = ZoneInfo(f"Etc/GMT{-ahead:+d}")


@pytest.fixture
def now(_midday: None) -> datetime:
    """Noon five days ago: days are closed by real time, and the database draws ids by its own."""
    return closing.day_starts_at(closing.local_date(clock.read()) - 5 * DAY) + 12 * HOUR


@pytest.fixture
def later() -> datetime:
    """Long enough after whatever the test posts for it to have settled."""
    return clock.read() + 2 * MINUTE


@pytest.fixture
def terms(now: datetime) -> None:
    """The store keeps 15 %."""
    StoreTerms.objects.create(
        provider="fake", effective_from=now - DAY, fee_parts_per_million=150_000
    )


@pytest.fixture
def example(device: Device, series: Series, now: datetime, terms: None) -> None:
    """A purchase and an unlock that is played; another unlock and an ad; the money goes back."""
    bought = fund(device.viewer_id, now=now, paid=1000, bonus=50, price_micros=9_990_000)
    kept = spend(device.viewer_id, series, 9, now + HOUR)
    entitlements.mark_played([kept.entitlement], now=now + HOUR)
    spend(device.viewer_id, series, 10, now + DAY)
    see_ad(device.viewer_id, series.episodes.get(number=11), now + DAY)
    money_back(bought, now + 2 * DAY)
