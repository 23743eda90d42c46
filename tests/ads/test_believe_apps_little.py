"""An app can say what it likes of ads that nobody confirms: it moves little money, and that of no title."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from ads.models import AdSession, EarningCorrection, Impression, Placement
from ads.revenue import settling
from catalog.models import Series
from tests.factories.ads import ad_session, bring_report, earned, tell, told, watch
from tests.payments.calls import episode
from viewers.models import Device

DAY, HOUR, MINUTE, SECOND = (
    timedelta(days=1),
    timedelta(hours=1),
    timedelta(minutes=1),
    timedelta(seconds=1),
)
ESTIMATE = 12_000

pytestmark = pytest.mark.usefixtures("_the_ledger_holds")


@pytest.fixture
def session(placement: Placement, series: Series, device: Device, now: datetime) -> AdSession:
    return ad_session(placement, viewer_id=device.viewer_id, episode_id=episode(series, 9), now=now)


def _settle(session: AdSession, *, reported: str = "") -> None:
    """Once none of its ads can be rewarded any more; with what the network reports of the day, if it does."""
    over = session.expires_at + DAY
    if reported:
        bring_report((session.opened_at.date(), session.ad_unit_id, "US", reported), now=over)
    settling.settle_due(now=over + HOUR)


@pytest.mark.parametrize("reported", ["", "0.25"])
def test_an_ad_that_nobody_confirmed_is_its_viewers_and_of_no_title(
    session: AdSession, device: Device, now: datetime, reported: str
) -> None:
    tell(told(session, at=now), viewer_id=device.viewer_id, now=now)

    _settle(session, reported=reported)

    assert earned(viewer_id=device.viewer_id) == (250_000 if reported else 30_000)
    assert earned(placement_id=session.placement_id) == earned()
    assert earned(series_id=session.series_id) == 0
    of_app = EarningCorrection.objects.exclude(impression=None)
    assert of_app.count() == of_app.filter(series=None, episode=None).count() > 0


def test_an_ad_that_the_networks_server_tells_of_is_its_titles_though_it_paid_nothing(
    session: AdSession, device: Device, now: datetime
) -> None:
    tell(told(session, at=now), viewer_id=device.viewer_id, now=now)
    row = Impression.objects.get()
    row.pk, row.source, row.impression_id, row.revenue_micros = uuid4(), "postback", "e" * 40, 700
    row.save(force_insert=True)

    _settle(session)

    assert earned() == earned(series_id=session.series_id, viewer_id=device.viewer_id) == 700


def test_all_ads_of_a_session_together_earn_few_estimates(
    session: AdSession, device: Device, settings: Settings, now: datetime
) -> None:
    settings.AD_SESSION_ESTIMATES_MAX = 5
    amounts = [5 * ESTIMATE + 1, 2 * ESTIMATE, 4 * ESTIMATE, 3 * ESTIMATE, 1]

    verdicts = [
        tell(
            *(told(session, at=now, revenue_micros=micros) for micros in part),
            viewer_id=device.viewer_id,
            now=now,
        )
        for part in (amounts[:3], amounts[3:])
    ]
    watch(session, now=now + MINUTE)
    _settle(session)

    assert verdicts == [["implausible", "kept", "implausible"], ["kept", "implausible"]]
    assert earned(series_id=session.series_id) == earned() == 5 * ESTIMATE


def test_ads_without_an_estimate_together_earn_what_one_can(
    session: AdSession, device: Device, settings: Settings, now: datetime
) -> None:
    settings.AD_IMPRESSION_CAP_MICROS = 50_000
    Placement.objects.update(estimated_net_micros=0)

    assert tell(
        *(told(session, at=now, revenue_micros=micros) for micros in (30_000, 20_001, 20_000)),
        viewer_id=device.viewer_id,
        now=now,
    ) == ["kept", "implausible", "kept"]


def test_what_the_networks_server_says_is_not_measured_by_the_estimate(
    session: AdSession, device: Device, now: datetime
) -> None:
    tell(told(session, at=now), viewer_id=device.viewer_id, now=now)
    row = Impression.objects.get()
    row.pk, row.source, row.impression_id = uuid4(), "postback", "e" * 40
    row.revenue_micros = 50 * ESTIMATE
    row.save(force_insert=True)
    watch(session, now=now + MINUTE)

    _settle(session)

    assert earned(series_id=session.series_id) == 50 * ESTIMATE


def test_an_ad_that_was_shown_when_its_session_was_not_open_is_of_no_session(
    session: AdSession, device: Device, now: datetime
) -> None:
    slack, ends = 5 * MINUTE, session.expires_at
    moments = [now - slack, ends + slack - SECOND, now - slack - SECOND, ends + slack]

    assert tell(
        *(told(session, at=at, revenue_micros=7) for at in moments),
        viewer_id=device.viewer_id,
        now=ends + slack,
    ) == ["kept", "kept", "unattributed", "unattributed"]

    rows = Impression.objects.order_by("occurred_at")
    assert [row.session for row in rows] == [None, session, session, None]
