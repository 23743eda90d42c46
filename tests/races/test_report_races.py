"""Reports that come twice at once, and days that are settled while more becomes known of them."""

from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import pytest

from ads.models import EarningCorrection, ReportedDay, RevenueReport
from ads.revenue import settling
from tests import ledger_rules
from tests.factories.ads import (
    PlacementFactory,
    ad_session,
    bring_report,
    earned,
    tell,
    told,
)
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.payments import default_plan
from tests.factories.viewers import DeviceFactory
from tests.proof import Proof
from tests.races.test_reward_races import _a_connection_for_each_caller, at_once

__all__ = ["_a_connection_for_each_caller"]

CALLERS = 8
DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_report_from_many_connections_is_one_version(now: datetime, proof: Proof) -> None:
    rounds = proof.rounds(full=200)
    for number in range(rounds):
        day = (now - (number + 1) * DAY).date()
        taken = at_once([partial(bring_report, (day, "unit", "US", "1"), now=now)] * CALLERS)

        assert sorted(len(one.new_days) for one in taken) == [0] * (CALLERS - 1) + [1]
        assert ReportedDay.objects.get(day=day).version == 1

    assert RevenueReport.objects.count() == rounds * CALLERS
    proof.record("P11", f"one ad report, {CALLERS} connections", violations=0)


def test_different_reports_of_a_day_are_versions_in_a_row(now: datetime, proof: Proof) -> None:
    for number in range(proof.rounds(full=200)):
        day = (now - (number + 1) * DAY).date()
        calls = [
            partial(bring_report, (day, "unit", "US", str(amount)), now=now)
            for amount in range(CALLERS)
        ]

        at_once(calls)

        versions = ReportedDay.objects.filter(day=day).order_by("version")
        assert [row.version for row in versions] == list(range(1, CALLERS + 1))
        assert {row.revenue_micros for row in versions} == {n * 10**6 for n in range(CALLERS)}

    assert ledger_rules.broken() == []
    proof.record("P11", f"{CALLERS} ad reports of a day at once", violations=0)


def test_what_many_say_of_a_session_at_once_is_bounded_as_one_after_the_other(
    now: datetime, proof: Proof
) -> None:
    default_plan()
    placement, series = PlacementFactory(estimated_net_micros=12_000), SeriesFactory()
    (first_locked,) = episodes_of(series, [9])
    for _ in range(proof.rounds(full=200)):
        viewer = DeviceFactory().viewer_id
        session = ad_session(placement, viewer_id=viewer, episode_id=first_locked.id, now=now)
        ads = [told(session, at=now, revenue_micros=50_000) for _ in range(CALLERS)]

        said = at_once([partial(tell, ad, viewer_id=viewer, now=now) for ad in ads])

        # Two are within ten times the estimate.
        kept = Counter(verdict for (verdict,) in said)
        assert kept == {"kept": 2, "implausible": CALLERS - 2}
        assert session.impressions.count() == 2

    assert ledger_rules.broken() == []
    proof.record("P11", f"an ad session's revenue told by {CALLERS} at once", violations=0)


def test_a_day_that_many_settle_while_it_grows_adds_up(now: datetime, proof: Proof) -> None:
    viewers: list[UUID] = [DeviceFactory().viewer_id for _ in range(CALLERS // 2)]
    for number in range(proof.rounds(full=100)):
        at = now + number * DAY
        bring_report((at.date(), "banner", "US", "0.5"), now=at + DAY)
        calls = [
            *(partial(tell, told(at=at), viewer_id=viewer, now=at + DAY) for viewer in viewers),
            *[partial(settling.settle, "fake", "production", at.date(), now=at + DAY)] * CALLERS,
        ]

        at_once(calls)
        settling.settle("fake", "production", at.date(), now=at + 2 * DAY)

        assert earned() == (number + 1) * 500_000
        of_views = EarningCorrection.objects.filter(impression__occurred_at=at)
        assert sum(row.difference_micros for row in of_views) == 500_000

    assert ledger_rules.broken() == []
    proof.record("P11", "a day of ads settled by many while it grows", violations=0)
